"""A table as tidy csv: one line per cell, numbers unrounded; then one per remark on the table."""

from __future__ import annotations

import csv
import io

from mluke_core.reporting.tables import Table

FIELDS = [
    "table",
    "block",
    "system",
    "variant",
    "column",
    "measured",
    "mean",
    "sd",
    "n",
    "published",
    "difference",
    "baseline",
    "baseline_difference",
    "p",
    "note",
    "watermark",
]
DIGITS = 6
"""Digits behind the point: beyond any score's meaning, short of floating-point noise."""


def to_csv(table: Table) -> str:
    """All cells of all panels in reading order.

    A remark on the whole table is a line with nothing but `table`, `note` and `watermark`.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(FIELDS)
    for panel in table.panels:
        for row in panel.rows:
            for cell, column in zip(row.cells, panel.columns, strict=True):
                if column.place == "pages":
                    continue
                writer.writerow(
                    [
                        table.name,
                        cell.block,
                        row.system,
                        row.variant,
                        cell.column,
                        _plain(cell.value),
                        _plain(cell.mean),
                        _plain(cell.deviation),
                        cell.runs or "",
                        _plain(cell.published),
                        _plain(cell.difference),
                        cell.contrast.baseline if cell.contrast else "",
                        _plain(cell.contrast.difference if cell.contrast else None),
                        _plain(cell.contrast.p if cell.contrast else None),
                        "; ".join(cell.notes),
                        table.watermark,
                    ]
                )
    empty = [""] * (len(FIELDS) - 3)
    writer.writerows([table.name, *empty, note, table.watermark] for note in table.notes)
    return stream.getvalue()


def _plain(value: float | str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:.{DIGITS}f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
