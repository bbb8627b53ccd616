"""Appendix A: what the extraction, the alignment and the sequences found, language by language.

Every number that ``reports/corpus.json`` holds per language becomes a column, so a new statistic
needs no change here; ``LABELS`` only gives some of them a shorter heading.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.reporting.scores import require_keys
from mluke_core.reporting.tables import Cell, Column, Panel, Row, Table, pack_panels

LABELS = {
    "linked_titles": "titles linked",
    "links_with_item": "links with item",
    "links_in_vocabulary": "links in vocab.",
    "broken_pages": "broken",
    "weight": "sampling %",
    "share": "share %",
    "validation_sequences": "held out",
}
PERCENTAGES = frozenset({"share", "weight"})
"""Fractions in the file, shown as percentages."""
TOTAL = "total"
PRINTED_TOTALS = {"languages": 24, "entities": 1_200_000}
"""Facts of the paper, section 3: 24 languages, 1.2 M entities in the vocabulary."""


def read_corpus(path: str | Path) -> dict[str, Any]:
    """Read ``reports/corpus.json``.

    Raises:
        DataError: it has no ``languages``, or languages with different statistics.
    """
    corpus = read_json(path)
    require_keys(path, corpus, ["languages"], "a report of corpus statistics")
    for language, statistics in corpus["languages"].items():
        first = next(iter(corpus["languages"].values()))
        if statistics.keys() != first.keys():
            differing = sorted(statistics.keys() ^ first.keys())
            raise DataError(
                f"{path}: '{language}' has other statistics than the first language "
                f"({', '.join(differing)}). Delete the file so that it is made again."
            )
    return dict(corpus)


def corpus_fields(corpus: Mapping[str, Any]) -> list[str]:
    """Names of the numeric statistics, in the order of the file."""
    first: Mapping[str, Any] = next(iter(corpus["languages"].values()), {})
    return [
        name
        for name, value in first.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]


def corpus_table(
    name: str, scale: str, entry: Mapping[str, Any], corpus: Mapping[str, Any]
) -> Table:
    """One row per language and one for their total."""
    languages: Mapping[str, Mapping[str, Any]] = corpus["languages"]
    fields = corpus_fields(corpus)
    columns = [
        Column(
            LABELS.get(field, field.replace("_", " ")), decimals=1 if field in PERCENTAGES else 0
        )
        for field in fields
    ]
    rows = [
        [_cell(language, field, statistics[field]) for field in fields]
        for language, statistics in languages.items()
    ]
    rows.append(
        [_cell(TOTAL, field, sum(s[field] for s in languages.values())) for field in fields]
    )
    labels = [*languages, TOTAL]
    panels = [
        Panel(
            headings,
            [Row(label, row) for label, row in zip(labels, cells, strict=True)],
            row_heading="Language",
        )
        for headings, cells in pack_panels(
            [([column], [[row[index]] for row in rows]) for index, column in enumerate(columns)]
        )
    ]
    return Table(name, entry["title"], scale, panels, corpus_notes(corpus))


def corpus_notes(corpus: Mapping[str, Any]) -> list[str]:
    """The vocabulary's size beside the paper's, and the notes of the report."""
    notes = [
        f"The paper: {PRINTED_TOTALS['languages']} languages, December 2020 dumps, "
        f"{PRINTED_TOTALS['entities']:,} entities in the vocabulary; it prints no counts per "
        "language."
    ]
    size = corpus.get("vocabulary", {}).get("size") if corpus.get("vocabulary") else None
    if size is not None:
        notes.append(f"Entity vocabulary of this run: {size:,} entries.")
    return notes + list(corpus.get("notes", []))


def _cell(language: str, field: str, value: float) -> Cell:
    return Cell(language, field, value=100 * value if field in PERCENTAGES else value)
