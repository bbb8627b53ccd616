"""Read CoNLL-2002 and CoNLL-2003 files whatever their columns, encoding and tag scheme.

English CoNLL-2003 has four columns and IOB1 tags, Spanish and Dutch CoNLL-2002 have three (or
two) and IOB2, Spanish has no ``-DOCSTART-`` lines and often comes as ISO-8859-1. The reader looks
and says what it found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from mluke_core.errors import DataError
from mluke_core.io.files import read_given
from mluke_core.metrics.spans import Span, spans_of_tags
from mluke_core.tasks.data import Dataset, ReadReport

DOCUMENT_START = "-DOCSTART-"
MINIMUM_COLUMNS = 2
MAXIMUM_ODD_SHARE = 0.01
"""Share of spans that may break a scheme before the file counts as mixed."""

# Detail of a dataset's report: the gold spans that are too long for any candidate.
UNREACHABLE = "unreachable"

_SEPARATOR = re.compile(r"[ \t]+")
_TAG = re.compile(r"O|[BI]-\S+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words of a sentence and its gold spans (first word, word after the last, type)."""

    id: str
    words: tuple[str, ...]
    spans: tuple[Span, ...]
    document: int


def read_sentences(path: str | Path, language: str = "en") -> Dataset[Sentence]:
    """Read a file of tagged words.

    The report's facts hold encoding, columns, tag scheme, whether there are document limits, and
    the numbers of documents, sentences, words and spans. A file without ``-DOCSTART-`` is one
    document. The scheme is ``IOB2`` when spans start with ``B-``, ``IOB1`` when ``B-`` only parts
    neighbours of the same type, ``mixed`` otherwise; all are read alike, and sentences that break
    the file's own scheme are counted.

    Raises:
        DataError: another number of columns within the file, or tags that are no IOB tags; names
            the line.
    """
    path = Path(path)
    report = ReadReport()
    text, encoding = _decode(path)
    sentences: list[Sentence] = []
    words: list[str] = []
    tags: list[str] = []
    starts = {"IOB1": 0, "IOB2": 0}
    inside: list[str] = []
    columns = 0
    document = -1
    marked = False

    def end_sentence() -> None:
        nonlocal document
        if not words:
            return
        document = max(document, 0)
        if _count_starts(tags, starts):
            inside.append(str(len(sentences)))
        spans = tuple(spans_of_tags(tags))
        sentences.append(Sentence(str(len(sentences)), tuple(words), spans, document))
        words.clear()
        tags.clear()

    for number, line in enumerate(text.split("\n"), start=1):
        fields = _SEPARATOR.split(line.strip(" \t\r"))
        if fields == [""]:
            end_sentence()
            continue
        if fields[0] == DOCUMENT_START:
            end_sentence()
            document += 1
            marked = True
            continue
        columns = columns or len(fields)
        if len(fields) != columns or columns < MINIMUM_COLUMNS:
            raise DataError(
                f"{path}, line {number}: {len(fields)} columns where "
                f"{max(columns, MINIMUM_COLUMNS)} were expected ({line[:60]!r}). "
                "A CoNLL file has one word per line, its tag in the last column."
            )
        if not _TAG.fullmatch(fields[-1]):
            raise DataError(
                f"{path}, line {number}: {fields[-1]!r} is not an IOB tag (O, B-TYPE, I-TYPE)."
            )
        words.append(fields[0])
        tags.append(fields[-1])
    end_sentence()
    if not sentences:
        raise DataError(f"{path}: no sentences in it; expected CoNLL's format.")
    scheme = _scheme(starts)
    for sentence in inside if scheme != "IOB1" else ():
        report.count("sentences with a span that begins with I- (read as B-)", sentence)
    report.facts |= {
        "encoding": encoding,
        "columns": columns,
        "scheme": scheme,
        "document_limits": marked,
        "documents": sentences[-1].document + 1,
        "sentences": len(sentences),
        "words": sum(len(sentence.words) for sentence in sentences),
        "spans": sum(len(sentence.spans) for sentence in sentences),
    }
    return Dataset(sentences, report, path, language, language, language)


def _decode(path: Path) -> tuple[str, str]:
    """Text of a file in UTF-8 or, when it is not valid UTF-8, ISO-8859-1."""
    raw = read_given(path)
    try:
        return raw.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return raw.decode("iso-8859-1"), "ISO-8859-1"


def _count_starts(tags: Sequence[str], starts: dict[str, int]) -> int:
    """Count how spans begin where none of their type goes on; returns those that begin so with I-.

    After ``O`` or another type IOB2 begins a span with ``B-``, IOB1 with ``I-``.
    """
    previous = "O"
    inside = 0
    for tag in tags:
        if tag != "O" and (previous == "O" or previous[2:] != tag[2:]):
            starts["IOB2" if tag.startswith("B-") else "IOB1"] += 1
            inside += tag.startswith("I-")
        previous = tag
    return inside


def _scheme(starts: dict[str, int]) -> str:
    """The scheme that (nearly) all spans follow, else ``mixed``."""
    name = max(("IOB2", "IOB1"), key=lambda scheme: starts[scheme])
    if starts[name] >= (1 - MAXIMUM_ODD_SHARE) * sum(starts.values()):
        return name
    return "mixed"


def parse_spans(text: str) -> list[tuple[int, int, str]]:
    """Spans from the text of a prediction; :class:`DataError` when it is something else.

    >>> parse_spans('[[0,2,"PER"]]')
    [(0, 2, 'PER')]
    """
    try:
        spans: Iterable[list[int | str]] = orjson.loads(text)
        return [(int(first), int(last), str(kind)) for first, last, kind in spans]
    except (orjson.JSONDecodeError, TypeError, ValueError):
        raise DataError(f'{text[:60]!r} is not a list of spans such as [[0, 2, "PER"]].') from None
