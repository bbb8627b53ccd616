"""What a table is, before it is written in any format.

A table has panels (the stacked parts of one table), a panel has columns and rows, a row has one
cell per column. Cells keep numbers unrounded; rounding, bold and footnote marks belong to the
writers (:mod:`mluke_core.reporting.write`).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

COMPARABLE_SCALES = frozenset({"base24", "paper"})
"""Scales with the paper's data and model sizes; tables of all others carry a watermark."""

LEVELS = {0.01: "‡", 0.05: "†"}
"""Level of significance → mark behind the value."""

PROVENANCE = "../provenance.json"
"""Where a table's own page finds what it was made from."""

MAXIMUM_PANEL_COLUMNS = 14
"""More columns than this do not fit a page: the next block starts a panel of its own."""


def watermark(scale: str) -> str:
    """The line that keeps a table of a small scale from being read as a result; may be empty."""
    return "" if scale in COMPARABLE_SCALES else f"scale {scale}: not comparable with the paper"


@dataclass(frozen=True)
class Contrast:
    """A measured value tested against that of another system on the same examples."""

    baseline: str
    """The other system."""
    label: str
    """What the table calls it."""
    difference: float
    """Less the other system's value, on the examples of both."""
    p: float
    low: float
    high: float
    """Limits of the 95 % bootstrap interval of the difference."""

    @property
    def mark(self) -> str:
        """``‡``, ``†`` or nothing."""
        return next((mark for level, mark in sorted(LEVELS.items()) if self.p < level), "")


@dataclass(frozen=True)
class Cell:
    """One value with everything that is known about it."""

    block: str
    """Part of the table in the csv file: ``RELX``."""
    column: str
    """Column in the csv file: ``tr``."""
    value: float | str | None = None
    """Measured value; for a score the one of the run that was best on dev. None: a dash."""
    mean: float | None = None
    """Mean over seeds; None when there is one run."""
    deviation: float | None = None
    """Sample standard deviation over seeds (n - 1); None when there is one run."""
    runs: int = 0
    """Number of runs (seeds) behind ``mean``."""
    published: float | str | None = None
    difference: float | None = None
    """``value - published``; None where the two do not measure the same thing."""
    notes: tuple[str, ...] = ()
    contrast: Contrast | None = None
    """Test against the system's baseline, where it has one."""


def measured_cell(
    block: str,
    column: str,
    values: Sequence[float] | None,
    published: float | None,
    notes: Sequence[str] = (),
    comparable: bool = True,
) -> Cell:
    """Cell of one value per run, the first of which is the best run's.

    ``comparable=False`` leaves out the difference, and keeps the published value.
    """
    if not values:
        return Cell(block, column, published=published, notes=tuple(notes))
    several = len(values) > 1
    return Cell(
        block,
        column,
        value=values[0],
        mean=statistics.fmean(values) if several else None,
        deviation=statistics.stdev(values) if several else None,
        runs=len(values),
        published=published,
        difference=values[0] - published if published is not None and comparable else None,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class Column:
    """Heading and format of a column."""

    label: str
    group: str = ""
    """Heading above this column and its neighbours of the same group."""
    decimals: int = 1
    better: Literal["higher", "lower", ""] = ""
    """Which end is set in bold; empty: none."""
    tooltip: str = ""
    place: Literal["everywhere", "csv", "pages"] = "everywhere"
    """In which files the column stands; pages: all but the csv file."""


@dataclass(frozen=True)
class Row:
    """One system, language or setting; ``cells`` in the order of the panel's columns."""

    label: str
    cells: Sequence[Cell]
    system: str = ""
    variant: str = ""
    quoted: bool = False
    """Published values only: the system is not run here."""


@dataclass(frozen=True)
class Panel:
    """One grid of a table."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    title: str = ""
    row_heading: str = "System"

    def shown(self) -> Panel:
        """The panel without the columns that are for the csv file alone."""
        kept = [index for index, column in enumerate(self.columns) if column.place != "csv"]
        return replace(
            self,
            columns=[self.columns[index] for index in kept],
            rows=[replace(row, cells=[row.cells[index] for index in kept]) for row in self.rows],
        )


@dataclass(frozen=True)
class Table:
    """A whole table with its notes."""

    name: str
    title: str
    scale: str
    panels: Sequence[Panel]
    notes: Sequence[str] = field(default_factory=tuple)
    """Remarks on the whole table, below the numbered notes."""

    @property
    def watermark(self) -> str:
        """See :func:`watermark`."""
        return watermark(self.scale)

    def shown(self) -> Table:
        """The table as readers see it: without the columns for the csv file alone."""
        return replace(self, panels=[panel.shown() for panel in self.panels])


def best_rows(panel: Panel, index: int) -> set[int]:
    """Rows that hold the best measured value of column ``index``, as printed, ties included.

    Empty when the column has no better end or fewer than two measured values: the best of one is
    no finding.
    """
    column = panel.columns[index]
    values = {
        number: round(float(cell.value), column.decimals)
        for number, row in enumerate(panel.rows)
        if not row.quoted and isinstance((cell := row.cells[index]).value, (int, float))
    }
    if not column.better or len(values) < 2:
        return set()
    best = max(values.values()) if column.better == "higher" else min(values.values())
    return {number for number, value in values.items() if value == best}


class Footnotes:
    """Numbers the notes of a table and says where each mark stands.

    A note that every measured cell of a column has stands once, at the heading of the column; one
    that every other cell of a row has stands once, at the label of the row.
    """

    def __init__(self, table: Table) -> None:
        self.texts: list[str] = []
        self._columns: dict[tuple[int, int], list[int]] = {}
        self._rows: dict[tuple[int, int], list[int]] = {}
        self._cells: dict[tuple[int, int, int], list[int]] = {}
        for p, panel in enumerate(table.panels):
            columns = [set(_shared_by_column(panel, c)) for c in range(len(panel.columns))]
            for c, shared in enumerate(columns):
                self._columns[p, c] = self._numbers(n for n in _notes_of(panel, c) if n in shared)
            for r, row in enumerate(panel.rows):
                common = _shared_by_row(row)
                self._rows[p, r] = self._numbers(
                    note for note in common if not all(note in shared for shared in columns)
                )
                for c, cell in enumerate(row.cells):
                    self._cells[p, r, c] = self._numbers(
                        n for n in cell.notes if n not in columns[c] and n not in common
                    )

    def _numbers(self, notes: Iterable[str]) -> list[int]:
        numbers = []
        for note in notes:
            if note not in self.texts:
                self.texts.append(note)
            numbers.append(self.texts.index(note) + 1)
        return numbers

    def of_column(self, panel: int, column: int) -> list[int]:
        """Numbers of the notes at a column's heading, from 1."""
        return self._columns[panel, column]

    def of_row(self, panel: int, row: int) -> list[int]:
        """Numbers of the notes at a row's label, from 1."""
        return self._rows[panel, row]

    def of_cell(self, panel: int, row: int, column: int) -> list[int]:
        """Numbers of the notes at a cell, from 1."""
        return self._cells[panel, row, column]


def _notes_of(panel: Panel, column: int) -> list[str]:
    return list(dict.fromkeys(note for row in panel.rows for note in row.cells[column].notes))


def _shared_by_column(panel: Panel, column: int) -> list[str]:
    rows = [row for row in panel.rows if not row.quoted]
    if len(rows) < 2:
        return []
    return [n for n in rows[0].cells[column].notes if all(n in r.cells[column].notes for r in rows)]


def _shared_by_row(row: Row) -> list[str]:
    if len(row.cells) < 2:
        return []
    return [n for n in row.cells[0].notes if all(n in cell.notes for cell in row.cells)]


def pack_panels(
    blocks: Sequence[tuple[Sequence[Column], Sequence[Sequence[Cell]]]],
) -> list[tuple[list[Column], list[list[Cell]]]]:
    """Set blocks side by side while they fit a page, else below each other.

    Args:
        blocks: columns of a block, and its cells by row; all blocks have the same rows.
    """
    panels: list[tuple[list[Column], list[list[Cell]]]] = []
    for columns, cells in blocks:
        if panels and len(panels[-1][0]) + len(columns) <= MAXIMUM_PANEL_COLUMNS:
            panels[-1][0].extend(columns)
            for row, more in zip(panels[-1][1], cells, strict=True):
                row.extend(more)
        else:
            panels.append((list(columns), [list(row) for row in cells]))
    return panels
