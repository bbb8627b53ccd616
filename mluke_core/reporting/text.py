"""Cells as text, the same for every format: rounding, signs, dashes, lines of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mluke_core.reporting.tables import Cell, Column, Contrast, Panel, Row

DASH = "–"
MINUS = "−"
LineKind = Literal["measured", "quoted", "mean", "published", "difference"]


def format_number(value: float, decimals: int) -> str:
    """``1234.56`` → ``1,234.6`` with one decimal; a true minus sign."""
    text = f"{value:,.{decimals}f}"
    negative_zero = text.startswith("-") and not text.strip("-0.,")
    return text.lstrip("-") if negative_zero else text.replace("-", MINUS)


def format_value(value: float | str | None, decimals: int) -> str:
    """A number rounded, a text as it is, a dash for nothing."""
    if value is None:
        return DASH
    return value if isinstance(value, str) else format_number(value, decimals)


def format_difference(value: float, decimals: int) -> str:
    """With a sign: ``+1.9``, ``−0.4``; ``0.0`` has none."""
    text = format_number(value, decimals)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def format_deviation(cell: Cell, decimals: int) -> str:
    """``70.8 ± 0.5``, or nothing when there is one run."""
    if cell.mean is None or cell.deviation is None:
        return ""
    return f"{format_number(cell.mean, decimals)} ± {format_number(cell.deviation, decimals)}"


def contrast_mark(cell: Cell) -> str:
    """``†`` or ``‡`` where the value differs significantly from its baseline's."""
    return cell.contrast.mark if cell.contrast else ""


def describe_contrast(contrast: Contrast, decimals: int) -> str:
    """``+1.2 against mLUKE-W (95 %: +0.3 to +2.1, p = 0.012)``."""
    low, high = (format_difference(limit, decimals) for limit in (contrast.low, contrast.high))
    p = "p < 0.001" if contrast.p < 0.001 else f"p = {contrast.p:.3f}"
    difference = format_difference(contrast.difference, decimals)
    return f"{difference} against {contrast.label} (95 %: {low} to {high}, {p})"


def shown_value(row: Row, cell: Cell) -> float | str | None:
    """What stands largest in a cell: the published value in a quoted row, else the measured."""
    return cell.published if row.quoted else cell.value


@dataclass(frozen=True)
class Line:
    """One printed line of a row; ``texts`` has an entry per column, empty ones for nothing."""

    kind: LineKind
    label: str
    texts: Sequence[str]


def row_lines(panel: Panel, row: Row) -> list[Line]:
    """The lines of a row: the value, then mean ± sd, published and difference where there are any.

    >>> cell = Cell("RELX", "tr", value=70.0, published=68.7, difference=1.3)
    >>> panel = Panel([Column("tr")], [Row("mLUKE-E", [cell])])
    >>> [line.texts[0] for line in row_lines(panel, panel.rows[0])]
    ['70.0', '68.7', '+1.3']
    """
    pairs: list[tuple[Cell, Column]] = list(zip(row.cells, panel.columns, strict=True))
    values = [
        format_value(shown_value(row, cell), column.decimals) + contrast_mark(cell)
        for cell, column in pairs
    ]
    if row.quoted:
        return [Line("quoted", row.label, values)]
    lines = [Line("measured", row.label, values)]
    runs = max((cell.runs for cell in row.cells), default=0)
    means = [format_deviation(cell, column.decimals) for cell, column in pairs]
    if any(means):
        lines.append(Line("mean", f"mean ± sd (n = {runs})", means))
    published = [
        "" if cell.published is None else format_value(cell.published, column.decimals)
        for cell, column in pairs
    ]
    if any(published):
        lines.append(Line("published", "paper", published))
    differences = [
        "" if cell.difference is None else format_difference(cell.difference, column.decimals)
        for cell, column in pairs
    ]
    if any(differences):
        lines.append(Line("difference", "difference", differences))
    return lines


def column_groups(panel: Panel) -> list[tuple[str, int]]:
    """Neighbouring columns of one group: its heading and how many they are."""
    groups: list[tuple[str, int]] = []
    for column in panel.columns:
        if groups and groups[-1][0] == column.group:
            groups[-1] = (column.group, groups[-1][1] + 1)
        else:
            groups.append((column.group, 1))
    return groups
