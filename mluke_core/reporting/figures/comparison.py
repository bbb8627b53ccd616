"""A table as dots: what was measured and what the paper prints, joined by a line."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.cli import required_settings
from mluke_core.reporting.csv_format import FIELDS
from mluke_core.reporting.figures.style import (
    INK,
    PALETTE,
    SOFT,
    broken,
    figure_style,
    finish,
    new_figure,
    only_grid,
)
from mluke_core.reporting.score_tables import COLUMN_LABELS, row_label

PANEL_HEIGHT_PER_COLUMN = 0.21
BLOCK_LABELS = {"ratio_percent": "share, %"}


@dataclass(frozen=True)
class Dot:
    """One cell of the csv file."""

    block: str
    row: tuple[str, str]
    """System and variant."""
    column: str
    measured: float | None
    mean: float | None
    deviation: float | None
    published: float | None
    difference: float | None


def read_dots(path: str | Path) -> list[Dot]:
    """Cells of a table's csv file, quoted systems left out.

    Raises:
        DataError: it is not a table of this project.
    """
    with Path(path).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != FIELDS:
            raise DataError(f"{path}: not a table in csv (its columns are {reader.fieldnames}).")
        return [
            Dot(
                block=record["block"],
                row=(record["system"], record["variant"]),
                column=record["column"],
                measured=_number(record["measured"]),
                mean=_number(record["mean"]),
                deviation=_number(record["sd"]),
                published=_number(record["published"]),
                difference=_number(record["difference"]),
            )
            for record in reader
            if record["variant"]
        ]


def only_measure(dots: Sequence[Dot], measure: str) -> list[Dot]:
    """Dots of one measure of a table whose columns are ``group:measure``, with a column per group.

    >>> dot = Dot("en", ("a", "default"), "en:ratio_percent", 50.0, None, None, 41.0, 9.0)
    >>> [(dot.block, dot.column) for dot in only_measure([dot], "ratio_percent")]
    [('ratio_percent', 'en')]
    """
    split = [(dot, *dot.column.rpartition(":")[::2]) for dot in dots]
    return [
        replace(dot, block=measure, column=group) for dot, group, name in split if name == measure
    ]


def draw_comparison(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw a row of panels per block of the table, a panel per system.

    Args:
        inputs: the table's csv file.
        settings: ``scale``, ``title`` (the table's), ``systems`` (name → entry) and, for a table
            with several measures in a column group, ``measure`` (the one to draw).
        output: svg file.
    """
    title, systems = required_settings(settings, "title", "systems")
    dots = read_dots(inputs[0])
    if "measure" in settings:
        dots = only_measure(dots, settings["measure"])
    blocks = list(dict.fromkeys(dot.block for dot in dots))
    rows = list(dict.fromkeys(dot.row for dot in dots))
    if not dots:
        raise DataError(f"{inputs[0]}: no system was measured, so there is nothing to draw.")
    columns = {b: list(dict.fromkeys(d.column for d in dots if d.block == b)) for b in blocks}
    heights = [max(len(columns[block]), 2) for block in blocks]
    with figure_style():
        figure, axes = new_figure(
            len(blocks),
            len(rows),
            height=1.5 + 0.45 * len(blocks) + PANEL_HEIGHT_PER_COLUMN * sum(heights),
            width=max(6.0, 1.2 + 1.9 * len(rows)),
            sharex="row",
            sharey="row",
            height_ratios=heights,
        )
        for b, block in enumerate(blocks):
            for r, row in enumerate(rows):
                panel = axes[b][r]
                _draw_panel(
                    panel, [d for d in dots if d.block == block and d.row == row], columns[block]
                )
                if b == 0:
                    panel.set_title(_label(systems, row))
            first = axes[b][0]
            first.set_yticks(
                range(len(columns[block])),
                [COLUMN_LABELS.get(column, column) for column in columns[block]],
            )
            first.invert_yaxis()
            first.set_ylabel(BLOCK_LABELS.get(block, block), fontweight="bold", color=INK)
        _legend(figure, dots)
        finish(figure, comparison_finding(title, dots), settings["scale"], output)


def comparison_finding(title: str, dots: Sequence[Dot]) -> str:
    """The table's name, and how far measured and published are apart on average."""
    name = title.split(":", 1)[0]
    differences = [dot.difference for dot in dots if dot.difference is not None]
    if all(dot.measured is None for dot in dots):
        return f"{name}: nothing was measured in this run"
    if not differences:
        return f"{name}: measured values; the paper has none to set beside them"
    mean, size = fmean(differences), fmean(abs(value) for value in differences)
    digits = 1 if size >= 1 else 2
    side = "above" if mean >= 0 else "below"
    return (
        f"{name}: measured is {abs(mean):.{digits}f} {side} the paper on average "
        f"({len(differences)} cells, mean absolute difference {size:.{digits}f})"
    )


def _draw_panel(panel: Any, dots: Sequence[Dot], columns: Sequence[str]) -> None:
    for dot in dots:
        position = columns.index(dot.column)
        if dot.measured is not None and dot.published is not None:
            panel.plot(
                [dot.measured, dot.published], [position] * 2, color=SOFT, linewidth=0.9, zorder=1
            )
        if dot.published is not None:
            panel.plot(
                dot.published,
                position,
                "o",
                markersize=5,
                markerfacecolor="white",
                markeredgecolor=PALETTE[1],
                zorder=2,
            )
        if dot.mean is not None and dot.deviation is not None:
            panel.plot(
                [dot.mean - dot.deviation, dot.mean + dot.deviation],
                [position] * 2,
                color=PALETTE[0],
                linewidth=3.2,
                alpha=0.35,
                solid_capstyle="butt",
                zorder=2,
            )
        if dot.measured is not None:
            panel.plot(dot.measured, position, "o", markersize=5, color=PALETTE[0], zorder=3)
    panel.set_ylim(-0.6, len(columns) - 0.4)
    only_grid(panel, "x")


def _legend(figure: Any, dots: Sequence[Dot]) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], marker="o", linestyle="", color=PALETTE[0], label="measured")]
    if any(dot.mean is not None for dot in dots):
        entries.append(
            Line2D(
                [], [], color=PALETTE[0], alpha=0.35, linewidth=3.2, label="mean ± sd over seeds"
            )
        )
    if any(dot.published is not None for dot in dots):
        entries.append(
            Line2D(
                [],
                [],
                marker="o",
                linestyle="",
                markerfacecolor="white",
                markeredgecolor=PALETTE[1],
                label="paper",
            )
        )
    figure.legend(handles=entries, loc="outside lower left", ncols=len(entries), fontsize=8)


def _label(systems: Mapping[str, Mapping[str, Any]], row: tuple[str, str]) -> str:
    system, variant = row
    return broken(row_label(systems[system], variant))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
