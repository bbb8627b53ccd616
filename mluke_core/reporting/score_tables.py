"""Tables of scores: a row per system, a column per language, beside the paper's numbers.

Serves Tables 1 to 5 and Appendix G. The table's entry in ``config.yaml`` lists blocks; each names
a test, a metric, the block of published numbers beside it, and optionally an average.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mluke_core.reporting.gxlt import DIAGONAL_TEST, PAIR_AVERAGES, pair_average
from mluke_core.reporting.published import Published
from mluke_core.reporting.scores import ScoreBook, Scores
from mluke_core.reporting.tables import (
    Cell,
    Column,
    Panel,
    Row,
    Table,
    measured_cell,
    pack_panels,
    watermark,
)

COLUMN_LABELS = {"avg": "avg", "avg42": "avg (42)", "avg49": "avg (49)"}
DEFAULT_DECIMALS = 1
Block = Mapping[str, Any]


def score_table(
    name: str,
    scale: str,
    entry: Mapping[str, Any],
    systems: Mapping[str, Mapping[str, Any]],
    columns: Mapping[str, Sequence[str]],
    book: ScoreBook,
    published: Published,
) -> Table:
    """Lay out a table of kind ``scores``.

    Args:
        name: ``table3``.
        scale: decides on the watermark.
        entry: the table's entry in the configuration.
        systems: name → entry, in the order of the rows.
        columns: test → its columns in this run.
        book: all score files; a missing one gives dashes with a reason.
        published: the paper's numbers.
    """
    blocks: Sequence[Block] = entry["blocks"]
    tests = [block["test"] for block in blocks]
    keys = [(system, variant) for system in systems for variant in book.variants(system, tests)]
    quoted: Sequence[str] = entry.get("quoted", ())
    better: Literal["higher", "lower"] = "lower" if entry.get("lower_is_better") else "higher"
    laid_out = []
    for block in blocks:
        shown = block_columns(block, columns.get(block["test"], ()), published)
        decimals = published.decimals(block["published"])
        headings = [
            Column(
                label=COLUMN_LABELS.get(column, column),
                group=block["label"],
                decimals=DEFAULT_DECIMALS if decimals is None else decimals,
                better=better,
                tooltip=_examples(book, systems, block["test"], column),
            )
            for column in shown
        ]
        rows = [
            _block_cells(
                block,
                shown,
                book.get(system, block["test"]) or book.absence(block["test"]),
                book.get(system, DIAGONAL_TEST),
                variant,
                published_row(systems[system], variant),
                published,
            )
            for system, variant in keys
        ]
        rows += [_quoted_cells(block, shown, row, published) for row in quoted]
        laid_out.append((headings, rows))
    labels = [(row_label(systems[system], variant), system, variant) for system, variant in keys]
    panels = [
        Panel(
            headings,
            [
                Row(label, cells, system=system, variant=variant)
                for (label, system, variant), cells in zip(labels, rows, strict=False)
            ]
            + [
                Row(f"{row} (quoted)", cells, system=row, quoted=True)
                for row, cells in zip(quoted, rows[len(labels) :], strict=True)
            ],
        )
        for headings, rows in pack_panels(laid_out)
    ]
    notes = [
        *(f"{row}: quoted from the paper, not run here; a dash: not reported" for row in quoted),
        *compared_rows(scale, systems),
        *file_notes(book, systems, tests),
    ]
    return Table(name, entry["title"], scale, panels, notes)


def row_label(system: Mapping[str, Any], variant: str) -> str:
    """``mLUKE-E base ([Y])``, or the label alone for the default variant."""
    return system["label"] if variant == "default" else f"{system['label']} ({variant})"


def published_row(system: Mapping[str, Any], variant: str) -> str:
    """Name of the paper's row: ``mLUKE-E_base([Y])``; empty when the system has none."""
    row = system.get("published") or ""
    return row if variant == "default" or not row else f"{row}({variant})"


def compared_rows(scale: str, systems: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which row of the paper stands under which system, where the two are not the same model."""
    pairs = [
        f"{system['published']} under {system['label']}"
        for system in systems.values()
        if system.get("published")
    ]
    return [f"Rows of the paper: {', '.join(pairs)}."] if watermark(scale) and pairs else []


def block_columns(block: Block, configured: Sequence[str], published: Published) -> list[str]:
    """Columns of a block: the configured ones, the paper's that are missing, and the average.

    A column of the paper that is not configured stands where the paper has it, so that its dash
    shows what is not in this run.
    """
    if "columns" in block:
        columns = list(block["columns"])
    else:
        columns = list(configured)
        average_names = {block.get("average"), *block.get("rename", {}).values()}
        printed = [
            column
            for column in published.columns(block["published"])
            if column not in average_names and not column.endswith("_avg")
        ]
        for position, column in enumerate(printed):
            if column not in columns:
                follower = next((c for c in printed[position + 1 :] if c in columns), None)
                columns.insert(columns.index(follower) if follower else len(columns), column)
    if block.get("average"):
        columns.append(block["average"])
    return columns


def _block_cells(
    block: Block,
    columns: Sequence[str],
    scores: Scores | str,
    diagonal: Scores | None,
    variant: str,
    row: str,
    published: Published,
) -> list[Cell]:
    cells = []
    plain = [column for column in columns if column != block.get("average")]
    for column in columns:
        printed = published.get(
            block["published"], row, block.get("rename", {}).get(column, column)
        )
        number = printed.number if printed else None
        values: list[float] | None
        notes: list[str]
        if isinstance(scores, str):
            values, notes = None, [scores]
        elif column == block.get("average"):
            values, notes = average_over(scores, variant, plain, block["metric"])
        elif column in PAIR_AVERAGES:
            values, notes = pair_average(scores, diagonal, variant, column, block["metric"])
        else:
            values = scores.values(variant, column, block["metric"])
            notes = [] if values else [scores.reason(column)]
        comparable = not notes
        if printed and printed.note:
            notes = [*notes, f"published value: {printed.note}"]
        cells.append(measured_cell(block["label"], column, values, number, notes, comparable))
    return cells


def average_over(
    scores: Scores, variant: str, columns: Sequence[str], metric: str
) -> tuple[list[float] | None, list[str]]:
    """Mean over columns, run by run, and a note when columns are missing.

    Averaging within a run first is what makes the deviation over runs that of the average.
    """
    found = {
        column: values
        for column in columns
        if (values := scores.values(variant, column, metric)) is not None
    }
    if not found:
        return None, ["no column to average"]
    means = [statistics.fmean(run) for run in zip(*found.values(), strict=True)]
    if len(found) == len(columns):
        return means, []
    return means, [f"average over {len(found)} of {len(columns)} columns: {', '.join(found)}"]


def _quoted_cells(
    block: Block, columns: Sequence[str], row: str, published: Published
) -> list[Cell]:
    cells = []
    for column in columns:
        printed = published.get(
            block["published"], row, block.get("rename", {}).get(column, column)
        )
        notes = (f"published value: {printed.note}",) if printed and printed.note else ()
        cells.append(
            Cell(
                block["label"],
                column,
                published=printed.number if printed else None,
                notes=notes,
            )
        )
    return cells


def _examples(book: ScoreBook, systems: Mapping[str, Any], test: str, column: str) -> str:
    counts = {
        scores.counts[column]
        for system in systems
        if (scores := book.get(system, test)) and column in scores.counts
    }
    return f"{min(counts):,} examples" if len(counts) == 1 else ""


def file_notes(
    book: ScoreBook, systems: Mapping[str, Mapping[str, Any]], tests: Sequence[str]
) -> list[str]:
    """Notes of the score files, each once, with the systems it holds for."""
    holders: dict[str, list[str]] = {}
    present = []
    for system, entry in systems.items():
        files = [scores for test in dict.fromkeys(tests) if (scores := book.get(system, test))]
        if files:
            present.append(entry["label"])
        for scores in files:
            for note in scores.notes:
                labels = holders.setdefault(f"{scores.test}: {note}", [])
                if entry["label"] not in labels:
                    labels.append(entry["label"])
    return [
        note if labels == present else f"{', '.join(labels)}: {note}"
        for note, labels in holders.items()
    ]
