"""A table as one HTML page that needs no network: style and script are inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from mluke_core.reporting.tables import PROVENANCE, Footnotes, Panel, Row, Table, best_rows
from mluke_core.reporting.text import (
    column_groups,
    contrast_mark,
    describe_contrast,
    format_deviation,
    format_difference,
    format_value,
    shown_value,
)

TEMPLATES = Path(__file__).with_name("templates")


def environment() -> jinja2.Environment:
    """Templates of this package, escaping everything that is put into them."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


LINES = ("mean", "paper", "difference")
"""What a reader can hide in the cells."""


def asset(name: str) -> str:
    """A style sheet or script of this package, to stand inside a page."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def table_parts(table: Table) -> dict[str, Any]:
    """What the macro ``show_panels`` needs of a table, and the lines that its cells have."""
    table = table.shown()
    notes = Footnotes(table)
    panels = [_panel(panel, number, notes) for number, panel in enumerate(table.panels)]
    found = {line for panel in panels for line in panel["lines"]}
    return {
        "table": table,
        "panels": panels,
        "notes": notes.texts,
        "lines": [line for line in LINES if line in found],
    }


def to_html(table: Table) -> str:
    """The whole page."""
    page: str = (
        environment()
        .get_template("table.html.j2")
        .render(
            **table_parts(table),
            provenance=PROVENANCE,
            style=asset("table.css"),
            script=asset("table.js"),
        )
    )
    return page


def _panel(panel: Panel, number: int, notes: Footnotes) -> dict[str, Any]:
    best = [best_rows(panel, index) for index in range(len(panel.columns))]
    rows = [
        {
            "label": row.label,
            "marks": notes.of_row(number, r),
            "quoted": row.quoted,
            "cells": [
                _cell(panel, row, index, r in best[index], notes.of_cell(number, r, index))
                for index in range(len(panel.columns))
            ],
        }
        for r, row in enumerate(panel.rows)
    ]
    groups = column_groups(panel)
    starts = {sum(width for _, width in groups[:index]) for index in range(1, len(groups))}
    cells = [cell for row in rows for cell in row["cells"]]  # type: ignore[attr-defined]
    return {
        "title": panel.title,
        "row_heading": panel.row_heading,
        "groups": groups if any(heading for heading, _ in groups) else [],
        "starts": starts,
        "columns": [
            {
                "label": column.label,
                "tooltip": column.tooltip,
                "marks": notes.of_column(number, index),
            }
            for index, column in enumerate(panel.columns)
        ],
        "rows": rows,
        "lines": {line for line in LINES if any(c[line] for c in cells)},
    }


def _cell(panel: Panel, row: Row, index: int, best: bool, marks: list[int]) -> dict[str, Any]:
    cell, decimals = row.cells[index], panel.columns[index].decimals
    value = shown_value(row, cell)
    published = None if row.quoted else cell.published
    remarks = list(cell.notes)
    if cell.contrast:
        remarks.append(describe_contrast(cell.contrast, decimals))
    return {
        "value": format_value(value, decimals),
        "sort": "" if value is None else value,
        "text": isinstance(value, str),
        "missing": value is None,
        "best": best,
        "mean": format_deviation(cell, decimals),
        "runs": cell.runs,
        "paper": "" if published is None else format_value(published, decimals),
        "difference": ""
        if cell.difference is None
        else format_difference(cell.difference, decimals),
        "marks": marks,
        "contrast": contrast_mark(cell),
        "tooltip": "; ".join(remarks),
    }
