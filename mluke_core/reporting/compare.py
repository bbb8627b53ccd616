"""Which cells moved between two runs, by how much, and whether by more than chance.

Cells are matched by table, block, system, variant and column. Where both runs keep what a system
answered to each example, the difference is tested by approximate randomisation on the examples that
both have; a difference without a test is shown without a p.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.metrics.significance import SAMPLES, Significance
from mluke_core.reporting.csv_format import FIELDS
from mluke_core.reporting.gxlt import METRIC as GXLT_METRIC
from mluke_core.reporting.gxlt import TEST as GXLT_TEST
from mluke_core.reporting.html_format import asset, environment
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.reporting.significance import averaged_columns, block_examples, tested_columns
from mluke_core.reporting.tables import Contrast
from mluke_core.reporting.text import DASH, format_difference, format_number

SMALLEST = 1e-6
"""Differences below this are rounding of the csv files, not a move."""
SHOWN_SETTINGS = 12
"""In a terminal; the page has all."""
CellKey = tuple[str, str, str, str, str]
"""Table, block, system, variant, column."""
HEADINGS = ("table", "block", "system", "column", "first", "second", "difference", "p", "95 %")


@dataclass(frozen=True)
class Move:
    """A cell that both runs have, and what became of it."""

    table: str
    block: str
    system: str
    variant: str
    column: str
    first: float
    second: float
    tested: Significance | None

    @property
    def difference(self) -> float:
        """The second run's value less the first's."""
        return self.second - self.first

    @property
    def mark(self) -> str:
        """``†`` or ``‡`` where the difference is significant."""
        if self.tested is None:
            return ""
        return Contrast("", "", 0.0, self.tested.p, 0.0, 0.0).mark


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side."""

    first: RunFolder
    second: RunFolder
    moves: Sequence[Move]
    """Cells that differ, in the order of the first run's tables."""
    equal: int
    """Cells of both that do not differ."""
    only_first: Sequence[CellKey]
    only_second: Sequence[CellKey]


def compare_runs(
    first: RunFolder,
    second: RunFolder,
    systems: Mapping[str, str] | None = None,
    tables: Sequence[str] | None = None,
    draws: int = SAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare all measured cells of two runs.

    Args:
        first: the run to compare with.
        second: the run whose changes are shown.
        systems: name in the first run → name in the second, for systems of other names.
        tables: only these; None for all that both have.
        draws: random exchanges for each cell.
        seed: of the random numbers.

    Raises:
        DataError: the runs have no cell in common, or ``systems`` or ``tables`` name none.
    """
    renamed = dict(systems or {})
    _check_names(first, second, renamed, tables)
    back = {second_name: first_name for first_name, second_name in renamed.items()}
    mine, other = _cells(first, {}, tables), _cells(second, back, tables)
    both = [key for key in mine if key in other]
    if not both:
        raise DataError(
            f"{first.path} and {second.path} have no cell in common: their systems are "
            f"{', '.join(first.systems)} and {', '.join(second.systems)}. Match systems with "
            "--systems FIRST=SECOND."
        )
    moved = [key for key in both if abs(other[key] - mine[key]) > SMALLEST]
    moves = [
        Move(*key, mine[key], other[key], _test(first, second, renamed, key, draws, seed))
        for key in moved
    ]
    return Comparison(
        first,
        second,
        moves,
        len(both) - len(moved),
        [key for key in mine if key not in other],
        [key for key in other if key not in mine],
    )


def _check_names(
    first: RunFolder, second: RunFolder, systems: Mapping[str, str], tables: Sequence[str] | None
) -> None:
    for run, names in ((first, systems), (second, systems.values())):
        for name in names:
            if name not in run.systems:
                raise DataError(
                    f"{run.path} has no system '{name}'; it has {', '.join(run.systems)}."
                )
    for name in tables or ():
        if name not in first.tables or name not in second.tables:
            both = [table for table in first.tables if table in second.tables]
            raise DataError(f"'{name}' is no table of both runs; these are: {', '.join(both)}.")


def _cells(
    run: RunFolder, renamed: Mapping[str, str], tables: Sequence[str] | None
) -> dict[CellKey, float]:
    """Measured numbers of a run's tables; ``renamed`` gives a system the other run's name."""
    found: dict[CellKey, float] = {}
    for table in run.tables:
        path = run.file("tables", f"{table}.csv")
        if path is None or (tables is not None and table not in tables):
            continue
        for record in _records(path):
            try:
                value = float(record["measured"])
            except ValueError:
                continue
            system = renamed.get(record["system"], record["system"])
            key = table, record["block"], system, record["variant"], record["column"]
            found[key] = value
    return found


def _records(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in FIELDS[:6] if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{path}: not a table in csv (it lacks {', '.join(missing)}).")
        yield from reader


def _test(
    first: RunFolder,
    second: RunFolder,
    renamed: Mapping[str, str],
    key: CellKey,
    draws: int,
    seed: int,
) -> Significance | None:
    table, block, system, variant, column = key
    entry = first.config["tables"][table]
    if entry["kind"] == "gxlt":
        plain: dict[str, Any] = {"test": GXLT_TEST, "metric": GXLT_METRIC, "label": block}
    elif entry["kind"] == "scores":
        plain = next((b for b in entry["blocks"] if b["label"] == block), {})
    else:
        plain = {}
    if not plain:
        return None
    one = block_examples(first.examples, system, plain)
    two = block_examples(second.examples, renamed.get(system, system), plain)
    if not one or not two:
        return None
    columns = averaged_columns(plain, column, one)
    return tested_columns(one, two, variant, columns, plain["metric"], seed, draws)


def comparison_rows(comparison: Comparison) -> list[list[str]]:
    """The moved cells as texts, in the order of :data:`HEADINGS`."""
    rows = []
    for move in comparison.moves:
        decimals = 2 if max(abs(move.first), abs(move.second)) < 1.5 else 1
        tested = move.tested
        system = move.system if move.variant in ("", "default") else f"{move.system} {move.variant}"
        rows.append(
            [
                move.table,
                move.block,
                system,
                move.column,
                format_number(move.first, decimals),
                format_number(move.second, decimals),
                format_difference(move.difference, decimals) + move.mark,
                f"{tested.p:.4f}" if tested else DASH,
                f"{format_difference(tested.low, decimals)} to "
                f"{format_difference(tested.high, decimals)}"
                if tested
                else DASH,
            ]
        )
    return rows


def summary_line(comparison: Comparison) -> str:
    """How many cells moved, and how many of them by more than chance."""
    tested = [move for move in comparison.moves if move.tested]
    significant = sum(bool(move.mark) for move in tested)
    text = (
        f"{len(comparison.moves)} cells moved, {comparison.equal} did not; of {len(tested)} that "
        f"could be tested {significant} differ at p < 0.05"
    )
    if comparison.only_first or comparison.only_second:
        text += (
            f"; {len(comparison.only_first)} cells are in the first run alone, "
            f"{len(comparison.only_second)} in the second"
        )
    return text + "."


def to_text(comparison: Comparison) -> str:
    """The comparison for a terminal, as Markdown."""
    from tabulate import tabulate

    lines = [f"{comparison.first.path} -> {comparison.second.path}", summary_line(comparison)]
    differing = changed_settings(comparison)
    if differing:
        lines.append(f"{len(differing)} settings differ:")
        lines += [f"  {line}" for line in differing[:SHOWN_SETTINGS]]
        if len(differing) > SHOWN_SETTINGS:
            lines.append("  … (all of them: --html)")
    rows = comparison_rows(comparison)
    if rows:
        right = ("left",) * 4 + ("right",) * 5
        lines += [
            "",
            tabulate(rows, HEADINGS, "pipe", colalign=right, disable_numparse=True),
            "",
            "† p < 0.05, ‡ p < 0.01, two-sided, not corrected for the number of cells.",
        ]
    return "\n".join(lines) + "\n"


def to_page(comparison: Comparison) -> str:
    """The comparison as a page that needs no network."""
    page: str = (
        environment()
        .get_template("compare.html.j2")
        .render(
            first=comparison.first,
            second=comparison.second,
            summary=summary_line(comparison),
            settings=changed_settings(comparison),
            headings=HEADINGS,
            rows=list(zip(comparison.moves, comparison_rows(comparison), strict=True)),
            style=asset("table.css") + asset("report.css"),
            script=asset("table.js"),
        )
    )
    return page


def changed_settings(comparison: Comparison) -> list[str]:
    """Keys of the configuration that the two runs do not share, as ``tasks.qa.epochs: 2 -> 3``."""
    one, two = dict(_leaves(comparison.first.config)), dict(_leaves(comparison.second.config))
    keys = sorted(one.keys() | two.keys())
    return [
        f"{key}: {one.get(key, DASH)} -> {two.get(key, DASH)}"
        for key in keys
        if one.get(key) != two.get(key)
    ]


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from _leaves(member, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
