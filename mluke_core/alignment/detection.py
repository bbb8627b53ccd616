"""Find mentions in text: greedy from the left, the longest first, whole words only.

The dictionary is either the mention table of a language or the mentions linked in one article and
their translations (appendix C of the paper).

    >>> detector = MentionDetector({"new york": "New York City", "york": "York"}, "en")
    >>> [(found.start, found.end, found.title) for found in detector.detect("In New York.")]
    [(3, 11, 'New York City')]
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import ahocorasick_rs
import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from mluke_core.alignment.database import fetch_table, read_columns
from mluke_core.alignment.mention_text import fold, mark, mark_with_offsets
from mluke_core.io.parquet import read_metadata

MAXIMUM_WORDS = 10

# The most linked title of each mention, with the mention's link probability and the title's share.
_DICTIONARY = """
SELECT mention, title, entity_id
FROM (
    SELECT *, row_number() OVER (PARTITION BY mention ORDER BY linked DESC, title) AS place,
           sum(linked) OVER (PARTITION BY mention) AS links
    FROM read_parquet($path)
)
WHERE place = 1
  AND links >= $link_probability * occurring
  AND linked >= $commonness * links
ORDER BY mention
"""
_DICTIONARY_SCHEMA = pa.schema(
    [("mention", pa.string()), ("title", pa.string()), ("entity_id", pa.int32())]
)


class Detection(NamedTuple):
    """A mention found in a text."""

    start: int
    """First character in the text."""
    end: int
    """Character after the last."""
    title: str
    """Title of the article it names."""
    entity_id: int | None
    """Id in the entity vocabulary, or None."""


class MentionDetector:
    """Finds the mentions of a dictionary in texts of one language.

    Args:
        mentions: mention, as ``normalize_mention`` gives it, to title, or to (title, entity id).
        language: language of the texts; decides how case is folded.
        maximum_words: longer mentions are left out.
    """

    def __init__(
        self,
        mentions: Mapping[str, str | tuple[str, int | None]],
        language: str,
        maximum_words: int = MAXIMUM_WORDS,
    ) -> None:
        self.language = language
        self._targets = [
            (mention, (target, None) if isinstance(target, str) else target)
            for mention, target in mentions.items()
            if mention and mention.count(" ") < maximum_words
        ]
        self._automaton = ahocorasick_rs.AhoCorasick(
            [mark(mention) for mention, _ in self._targets]
        )

    def __len__(self) -> int:
        return len(self._targets)

    def detect(self, text: str) -> list[Detection]:
        """The mentions in ``text`` in order, none overlapping another."""
        if not self._targets or not text:
            return []
        marked, offsets = mark_with_offsets(fold(text, self.language))
        matches = self._automaton.find_matches_as_indexes(marked, overlapping=True)
        # The mark behind one mention may be the mark before the next, so the automaton's own
        # leftmost-longest search would miss neighbours in scripts without spaces.
        matches.sort(key=lambda match: (match[1], -match[2]))
        found = []
        free = 0
        for pattern, start, end in matches:
            first, last = int(offsets[start]), int(offsets[end - 1])
            if first >= free:
                title, entity_id = self._targets[pattern][1]
                found.append(Detection(first, last, title, entity_id))
                free = last
        return found

    @classmethod
    def from_table(
        cls,
        path: str | Path,
        minimum_link_probability: float = 0.01,
        minimum_commonness: float = 0.5,
        maximum_words: int = MAXIMUM_WORDS,
        language: str | None = None,
    ) -> MentionDetector:
        """Every mention of a language's table ``mentions/{lang}.parquet`` that is clear enough.

        Args:
            path: the table.
            minimum_link_probability: links of the mention over pages in which it occurs.
            minimum_commonness: share of the mention's links that its most linked title has.
            maximum_words: longer mentions are left out.
            language: by default the language that the file names as its source.
        """
        read_columns(Path(path), "mention", "title", "entity_id", "linked", "occurring")
        parameters = {
            "path": str(path),
            "link_probability": minimum_link_probability,
            "commonness": minimum_commonness,
        }
        with duckdb.connect(":memory:") as database:
            database.execute("SET threads = 1")
            table = fetch_table(database, _DICTIONARY, _DICTIONARY_SCHEMA, parameters)
        return cls(_as_mapping(table), language or read_metadata(path)["source"], maximum_words)

    @classmethod
    def from_articles(
        cls,
        path: str | Path,
        article: str,
        title_language: str,
        language: str,
        minimum_link_probability: float = 0.0,
    ) -> MentionDetector:
        """The mentions of one article; see :meth:`ArticleMentions.detector`."""
        return _load_articles(Path(path)).detector(
            article, title_language, language, minimum_link_probability
        )


class ArticleMentions:
    """The table ``mentions/articles.parquet``: one small dictionary per article and language.

    Args:
        path: the table.
    """

    def __init__(self, path: str | Path) -> None:
        columns = ("title_language", "article", "language", "mention", "title", "entity_id")
        table = read_columns(Path(path), *columns, "link_probability")
        keys = zip(
            *(table[name].to_pylist() for name in ("title_language", "article", "language")),
            strict=True,
        )
        self._rows: dict[tuple[str, str, str], list[int]] = {}
        for row, key in enumerate(keys):
            self._rows.setdefault(key, []).append(row)
        self._table = table

    def articles(self, title_language: str) -> list[str]:
        """Titles with mentions, sorted."""
        return sorted({key[1] for key in self._rows if key[0] == title_language})

    def __contains__(self, key: tuple[str, str, str]) -> bool:
        title_language, article, language = key
        return (title_language, article_name(article), language) in self._rows

    def detector(
        self,
        article: str,
        title_language: str,
        language: str,
        minimum_link_probability: float = 0.0,
    ) -> MentionDetector:
        """Detector for texts in ``language`` about an article; empty when it is not in the table.

        Args:
            article: title as the data set has it, with spaces or underscores.
            title_language: language of the title.
            language: language of the texts.
            minimum_link_probability: stricter than the table's own, if wanted.
        """
        rows = self._rows.get((title_language, article_name(article), language), [])
        part = self._table.take(pa.array(rows, pa.int64()))
        if minimum_link_probability > 0:
            part = part.filter(pc.greater_equal(part["link_probability"], minimum_link_probability))
        return MentionDetector(_as_mapping(part), language)


def article_name(title: str) -> str:
    """Title of an article as data sets write it (``Super_Bowl_50``) with spaces."""
    return " ".join(unquote(title).replace("_", " ").split())


@lru_cache(maxsize=2)
def _load_articles(path: Path) -> ArticleMentions:
    return ArticleMentions(path)


def _as_mapping(table: pa.Table) -> dict[str, tuple[str, int | None]]:
    return dict(
        zip(
            table["mention"].to_pylist(),
            zip(table["title"].to_pylist(), table["entity_id"].to_pylist(), strict=True),
            strict=True,
        )
    )
