"""Read KBP-37 and RELX: a numbered sentence with two tagged mentions, then its label.

::

    17647<TAB>"<e1> Sacramento Heatwave </e1>, Sacramento <e2> California </e2> merkezli."
    org:stateorprovince_of_headquarters(e1,e2)

Records are separated by blank lines. Tags come with and without the spaces around them, also
inside words, and some mentions are empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mluke_core.errors import DataError
from mluke_core.io.files import read_given
from mluke_core.tasks.data import Dataset, ReadReport

Span = tuple[int, int]

_TAG = re.compile(r"(?P<before>\s*)<(?P<closing>/?)e(?P<number>[12])>(?P<after>\s*)")
_LINE_END = re.compile(r"\r\n?|\n")
_SPACES = re.compile(r"\s+")
_NUMBERED = re.compile(r"^(?P<id>[^\t]+)\t(?P<text>.*)$")


@dataclass(frozen=True, slots=True)
class RelationExample:
    """A sentence without tags, the characters of its two mentions, and the directed label."""

    id: str
    text: str
    head: Span
    tail: Span
    label: str


def read_relations(path: str | Path, language: str = "en") -> Dataset[RelationExample]:
    """Read a file of KBP-37 or RELX.

    Quotation marks around a sentence and spaces just inside tags are dropped. A space is put
    before an opening tag that follows a letter or digit; a closing tag glues what follows it
    (German "<e1> Kanada </e1>s"). Empty mentions are kept and counted.

    Raises:
        DataError: a record is not in the format; names the line.
    """
    path = Path(path)
    report = ReadReport()
    examples: list[RelationExample] = []
    seen: set[str] = set()
    for number, sentence, label in _records(path):
        match = _NUMBERED.match(sentence)
        if match is None:
            raise DataError(
                f"{path}, line {number}: expected a number, a tab and a sentence, "
                f"found {sentence[:60]!r}."
            )
        record_id = match["id"].strip()
        if record_id in seen:
            report.count("ids that occur twice (kept under a second name)", record_id)
            record_id = f"{record_id}@{number}"
        seen.add(record_id)
        text, spans = _untag(match["text"], f"{path}, line {number}", record_id, report)
        if spans[0][0] == spans[0][1] or spans[1][0] == spans[1][1]:
            report.count("empty mentions (kept)", record_id)
        examples.append(RelationExample(record_id, text, spans[0], spans[1], label))
    if not examples:
        raise DataError(f"{path}: no records in it; expected KBP-37's format.")
    report.facts["sentences"] = len(examples)
    report.facts["labels"] = len({example.label for example in examples})
    return Dataset(examples, report, path, language, language, language)


def _records(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line number, sentence line, label) of each record."""
    try:
        lines = _LINE_END.split(read_given(path).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error}).") from None
    block: list[str] = []
    for number, line in enumerate([*lines, ""], start=1):
        line = line.strip("\r ")
        if line.strip():
            block.append(line)
            continue
        if not block:
            continue
        if len(block) != 2:
            raise DataError(
                f"{path}, line {number - len(block)}: expected a sentence line and a label line, "
                f"found {len(block)} lines before the next blank one."
            )
        yield number - 2, block[0], block[1].strip()
        block = []


def _untag(
    tagged: str, where: str, record_id: str, report: ReadReport
) -> tuple[str, tuple[Span, Span]]:
    """Text without tags and the character spans of mention 1 and 2."""
    tagged = tagged.strip()
    if len(tagged) >= 2 and tagged[0] == tagged[-1] == '"':
        tagged = tagged[1:-1].strip()
    limits: dict[tuple[str, bool], int] = {}
    text, position = "", 0
    for tag in _TAG.finditer(tagged):
        text += _SPACES.sub(" ", tagged[position : tag.start()])
        position = tag.end()
        closing = bool(tag["closing"])
        if not closing and text and not text.endswith(" "):
            glued = not tag["before"]
            if glued and text[-1].isalnum():
                report.count("opening tags inside a word (a space was put)", record_id)
            if not glued or text[-1].isalnum():
                text += " "
        if (tag["number"], closing) in limits:
            raise DataError(f"{where}: {tag[0].strip()} occurs twice.")
        limits[tag["number"], closing] = len(text)
        if closing and tag["after"] and text and not text.endswith(" "):
            text += " "
    text += _SPACES.sub(" ", tagged[position:])
    return text, (_span("1", limits, where), _span("2", limits, where))


def _span(number: str, limits: dict[tuple[str, bool], int], where: str) -> Span:
    start, end = limits.get((number, False)), limits.get((number, True))
    if start is None or end is None or start > end:
        raise DataError(f"{where}: expected one <e{number}> followed by one </e{number}>.")
    return start, end
