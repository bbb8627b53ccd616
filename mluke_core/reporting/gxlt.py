"""Appendix F: G-XLT, question and context in different languages, and its averages.

Equal languages are MLQA itself, so the diagonal comes from the MLQA scores.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mluke_core.reporting.published import Published
from mluke_core.reporting.scores import ScoreBook, Scores
from mluke_core.reporting.tables import Column, Panel, Row, Table, measured_cell

TEST = "gxlt"
DIAGONAL_TEST = "mlqa"
METRIC = "f1"
PAIR_AVERAGES = {"avg42": False, "avg49": True}
"""Averages over context-question pairs → whether equal languages count."""
PAIR_LANGUAGES = 7
"""Languages of MLQA in the paper: 42 pairs of different languages, 49 in all."""
PUBLISHED_BLOCK, PUBLISHED_COLUMN = "1-MLQA", "G-XLT_avg"
PUBLISHED_AVERAGE = "avg42"
"""The paper does not say which average it prints; 42 is the protocol's choice."""


def pair_values(
    scores: Scores, diagonal: Scores | None, variant: str, metric: str
) -> dict[str, list[float]]:
    """``context-question`` → one value per run, for every pair that was scored.

    Args:
        scores: the G-XLT scores.
        diagonal: the MLQA scores, used for the pairs of equal languages that ``scores`` lacks.
        variant: key of the results.
        metric: ``f1`` or ``em``.
    """
    found = {}
    for column in scores.results.get(variant, {}):
        values = scores.values(variant, column, metric)
        if "-" in column and values:
            found[column] = values
    for column in diagonal.results.get(variant, {}) if diagonal else ():
        values = diagonal.values(variant, column, metric) if diagonal else None
        if column != "avg" and values and len(values) == len(scores.runs):
            found.setdefault(f"{column}-{column}", values)
    return found


def pair_average(
    scores: Scores, diagonal: Scores | None, variant: str, average: str, metric: str
) -> tuple[list[float] | None, list[str]]:
    """``avg42`` or ``avg49``, run by run, and a note when pairs are missing."""
    with_equal = PAIR_AVERAGES[average]
    pairs = {
        pair: values
        for pair, values in pair_values(scores, diagonal, variant, metric).items()
        if with_equal or len(set(pair.split("-"))) == 2
    }
    if not pairs:
        return None, ["no pair of languages was scored in this run"]
    expected = PAIR_LANGUAGES * (PAIR_LANGUAGES - (0 if with_equal else 1))
    means = [statistics.fmean(run) for run in zip(*pairs.values(), strict=True)]
    if len(pairs) == expected:
        return means, []
    return means, [f"average over {len(pairs)} of {expected} pairs of languages"]


def gxlt_table(
    name: str,
    scale: str,
    entry: Mapping[str, Any],
    systems: Mapping[str, Mapping[str, Any]],
    columns: Mapping[str, Sequence[str]],
    book: ScoreBook,
    published: Published,
) -> Table:
    """Lay out the averages of all systems, then one matrix of languages per system."""
    languages = columns[TEST]
    panels = [_summary(systems, book, published)]
    for system, system_entry in systems.items():
        scores = book.get(system, TEST)
        if scores is None:
            continue
        pairs = pair_values(scores, book.get(system, DIAGONAL_TEST), "default", METRIC)
        rows = []
        for context in languages:
            cells = []
            for question in languages:
                pair = f"{context}-{question}"
                notes = [] if pair in pairs else _pair_reasons(scores, pairs, context, question)
                cells.append(measured_cell("G-XLT", pair, pairs.get(pair), None, notes))
            rows.append(Row(context, cells, system=system, variant="default"))
        panels.append(
            Panel(
                [Column(question, group="question in") for question in languages],
                rows,
                title=system_entry["label"],
                row_heading="context in",
            )
        )
    return Table(name, entry["title"], scale, panels, gxlt_notes())


def _pair_reasons(scores: Scores, pairs: Iterable[str], context: str, question: str) -> list[str]:
    """Why a pair has no value: its languages are in no scored pair, or its own reason."""
    scored = {language for pair in pairs for language in pair.split("-")}
    absent = dict.fromkeys(language for language in (context, question) if language not in scored)
    if absent:
        return [f"no data for {language} in this run" for language in absent]
    return [scores.reason(f"{context}-{question}")]


def gxlt_notes() -> list[str]:
    """What the two averages are."""
    return [
        "avg (42): mean F1 over the pairs of different languages; avg (49): over all pairs, the "
        "equal ones being MLQA itself. The paper does not say which of the two it prints; its "
        "number stands beside avg (42).",
    ]


def _summary(
    systems: Mapping[str, Mapping[str, Any]], book: ScoreBook, published: Published
) -> Panel:
    rows = []
    for system, entry in systems.items():
        printed = published.get(PUBLISHED_BLOCK, entry.get("published") or "", PUBLISHED_COLUMN)
        scores = book.get(system, TEST)
        cells = []
        for average in PAIR_AVERAGES:
            number = printed.number if printed and average == PUBLISHED_AVERAGE else None
            values, notes = (
                pair_average(scores, book.get(system, DIAGONAL_TEST), "default", average, METRIC)
                if scores
                else (None, [book.absence(TEST)])
            )
            cells.append(measured_cell("G-XLT", average, values, number, notes, not notes))
        rows.append(Row(entry["label"], cells, system=system, variant="default"))
    labels = {"avg42": "avg (42)", "avg49": "avg (49)"}
    columns = [Column(labels[average], group="G-XLT F1", better="higher") for average in labels]
    return Panel(columns, rows, title="Averages")
