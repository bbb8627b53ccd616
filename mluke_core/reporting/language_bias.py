"""Table 6: the wrong answer that a system gives most often to one cloze template.

The mLAMA scores hold, under ``details["language_bias"][variant][language]``, the most frequent
wrong prediction (``entity``, its title in English where there is a sitelink), how often it was
given (``top1_false``) and how many predictions were wrong (``total_false``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mluke_core.errors import DataError
from mluke_core.reporting.published import Published, PublishedValue
from mluke_core.reporting.score_tables import file_notes, published_row, row_label
from mluke_core.reporting.scores import ScoreBook, Scores
from mluke_core.reporting.tables import Cell, Column, Panel, Row, Table

TEST = "mlama"
DETAILS = "language_bias"
FIELDS = {
    "entity": "prediction",
    "ratio_percent": "share %",
    "count": "times / wrong",
    "top1_false": "times",
    "total_false": "wrong",
}
"""Column of the csv file (and, but for ``count``, of the published numbers) → heading."""
PLACES: dict[str, Literal["csv", "pages"]] = {
    "count": "pages",
    "top1_false": "csv",
    "total_false": "csv",
}
"""Readers see two counts in one column, programs get them apart."""


def language_bias_table(
    name: str,
    scale: str,
    entry: Mapping[str, Any],
    systems: Mapping[str, Mapping[str, Any]],
    book: ScoreBook,
    published: Published,
) -> Table:
    """Lay out Table 6: a group of four columns per language.

    Raises:
        DataError: a score file has another layout than the one above.
    """
    languages = entry["languages"]
    columns = [
        Column(heading, group=language, decimals=0, place=PLACES.get(field, "everywhere"))
        for language in languages
        for field, heading in FIELDS.items()
    ]
    rows = []
    for system, system_entry in systems.items():
        scores = book.get(system, TEST)
        for variant in book.variants(system, [TEST]):
            printed_row = published_row(system_entry, variant)
            cells = [
                cell
                for language in languages
                for cell in _cells(
                    scores or book.absence(TEST),
                    variant,
                    language,
                    entry["published"],
                    printed_row,
                    published,
                )
            ]
            rows.append(Row(row_label(system_entry, variant), cells, system, variant))
    notes = [
        "share: how many of all wrong first answers are the one shown; the difference is in "
        "percentage points.",
        *file_notes(book, systems, [TEST]),
    ]
    return Table(name, entry["title"], scale, [Panel(columns, rows)], notes)


def _cells(
    scores: Scores | str,
    variant: str,
    language: str,
    block: str,
    row: str,
    published: Published,
) -> list[Cell]:
    bias, notes = _bias(scores, variant, language)
    cells = []
    for field in FIELDS:
        printed = _printed(block, row, language, field, published)
        value = bias.get(field)
        number = printed.number if printed else None
        cells.append(
            Cell(
                language,
                f"{language}:{field}",
                value=value,
                runs=1 if value is not None else 0,
                published=(printed.text if number is None else number) if printed else None,
                difference=value - number
                if field == "ratio_percent"
                and isinstance(value, (int, float))
                and number is not None
                else None,
                notes=notes,
            )
        )
    return cells


def _bias(
    scores: Scores | str, variant: str, language: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The entry of the score file and notes; ``scores`` is the reason where there is no file."""
    if isinstance(scores, str):
        return {}, (scores,)
    found = scores.details.get(DETAILS, {}).get(variant, {}).get(language)
    if found is None:
        return {}, (scores.reason(language),)
    missing = [field for field in ("entity", "top1_false", "total_false") if field not in found]
    if missing:
        raise DataError(
            f"{scores.path}: details/{DETAILS}/{variant}/{language} lacks {', '.join(missing)}. "
            "Delete the file so that it is made again."
        )
    if not found["total_false"]:
        return {**found, "entity": None}, ("no wrong answer to count",)
    times, wrong = found["top1_false"], found["total_false"]
    return {**found, "ratio_percent": 100 * times / wrong, "count": f"{times}/{wrong}"}, ()


def _printed(
    block: str, row: str, language: str, field: str, published: Published
) -> PublishedValue | None:
    if field != "count":
        return published.get(block, row, f"{language}:{field}")
    times = published.get(block, row, f"{language}:top1_false")
    wrong = published.get(block, row, f"{language}:total_false")
    return PublishedValue(f"{times.text}/{wrong.text}") if times and wrong else None
