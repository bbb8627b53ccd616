"""A table as Markdown that reads well both raw and rendered."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from mluke_core.reporting.tables import PROVENANCE, Footnotes, Panel, Table, best_rows
from mluke_core.reporting.text import Line, row_lines

CONTINUATION = "· "
"""Before the label of a row's second and later lines; GitHub drops leading spaces."""


def to_markdown(table: Table) -> str:
    """Title, watermark, one grid per panel, notes."""
    table = table.shown()
    notes = Footnotes(table)
    parts = [f"# {table.title}"]
    if table.watermark:
        parts.append(f"> **{table.watermark}**")
    for number, panel in enumerate(table.panels):
        if panel.title:
            parts.append(f"## {panel.title}")
        parts.append(_grid(panel, number, notes))
    lines = [f"[{number}] {text}" for number, text in enumerate(notes.texts, start=1)]
    lines += list(table.notes)
    listed = [f"- {_escape(line)}" for line in lines]
    parts.append("\n".join([*listed, f"- made from: [provenance]({PROVENANCE})"]))
    return "\n\n".join(parts) + "\n"


def _grid(panel: Panel, number: int, notes: Footnotes) -> str:
    several_groups = len({column.group for column in panel.columns}) > 1
    headings = [panel.row_heading]
    for index, column in enumerate(panel.columns):
        label = f"{column.group} {column.label}" if several_groups else column.label
        headings.append(_escape(label) + _marks(notes.of_column(number, index)))
    if not several_groups and panel.columns[0].group:
        headings[0] += f" ({panel.columns[0].group})"
    best = [best_rows(panel, index) for index in range(len(panel.columns))]
    grid = [headings]
    for r, row in enumerate(panel.rows):
        for line in row_lines(panel, row):
            grid.append(_cells(line, r, best, notes, number))
    widths = [max(3, *(_width(row[index]) for row in grid)) for index in range(len(headings))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_join(row, widths) for row in [grid[0], rule, *grid[1:]])


def _cells(
    line: Line, row: int, best: Sequence[set[int]], notes: Footnotes, panel: int
) -> list[str]:
    main = line.kind in ("measured", "quoted")
    label = _escape(line.label)
    cells = [label + _marks(notes.of_row(panel, row)) if main else CONTINUATION + label]
    for index, text in enumerate(line.texts):
        text = _escape(text)
        if line.kind == "measured" and row in best[index]:
            text = f"**{text}**"
        elif line.kind == "quoted":
            text = f"*{text}*"
        cells.append(text + (_marks(notes.of_cell(panel, row, index)) if main else ""))
    return cells


def _marks(numbers: Sequence[int]) -> str:
    return f" [{','.join(str(number) for number in numbers)}]" if numbers else ""


def _escape(text: str) -> str:
    for character in "\\|*_<>`":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def _width(text: str) -> int:
    """Columns that a text takes in a terminal: 2 for East Asian wide characters, 0 for marks."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _join(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = [
        (text, " " * (width - _width(text))) for text, width in zip(cells, widths, strict=True)
    ]
    return "| " + " | ".join([first[0] + first[1], *(pad + text for text, pad in others)]) + " |"
