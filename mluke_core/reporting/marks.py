"""Marks of significance in a table: what `significance` found, put beside the cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mluke_core.io.files import read_json
from mluke_core.reporting.scores import require_keys
from mluke_core.reporting.tables import LEVELS, Cell, Contrast, Row, Table

CellKey = tuple[str, str, str, str]
"""System, variant, block, column."""


def read_contrasts(path: str | Path, labels: Mapping[str, str]) -> dict[CellKey, Contrast]:
    """Contrasts by cell, from ``results/<scale>/significance/{table}.json``.

    Args:
        path: the file.
        labels: system → what the table calls it.

    Raises:
        DataError: the file has another layout.
    """
    content = read_json(path)
    require_keys(path, content, ["cells", "draws"], "what `significance` found")
    found: dict[CellKey, Contrast] = {}
    for entry in content["cells"]:
        require_keys(path, entry, ["baseline", "system", "variant", "block", "column", "p"], "one")
        key = entry["system"], entry["variant"], entry["block"], entry["column"]
        found[key] = Contrast(
            baseline=entry["baseline"],
            label=labels.get(entry["baseline"], entry["baseline"]),
            difference=entry["difference"],
            p=entry["p"],
            low=entry["low"],
            high=entry["high"],
        )
    return found


def with_contrasts(table: Table, contrasts: Mapping[CellKey, Contrast], draws: int) -> Table:
    """The table with a contrast at every cell that has one, and a remark on the marks."""
    if not contrasts:
        return table

    def cell_of(row: Row, cell: Cell) -> Cell:
        contrast = contrasts.get((row.system, row.variant, cell.block, cell.column))
        return replace(cell, contrast=contrast) if contrast and cell.value is not None else cell

    panels = [
        replace(
            panel,
            rows=[
                replace(row, cells=[cell_of(row, cell) for cell in row.cells]) for row in panel.rows
            ],
        )
        for panel in table.panels
    ]
    baselines = dict.fromkeys(contrast.label for contrast in contrasts.values())
    levels = ", ".join(f"{mark} p < {level:g}" for level, mark in sorted(LEVELS.items())[::-1])
    note = (
        f"{levels}: differs from {' or '.join(baselines)} of the same model (approximate "
        f"randomisation over the examples of the best runs, {draws:,} samples, two-sided, not "
        "corrected for the number of cells)."
    )
    return replace(table, panels=panels, notes=[*table.notes, note])


def mark_table(table: Table, path: Path | None, systems: Mapping[str, Any]) -> Table:
    """:func:`with_contrasts` of a file, or the table as it is without one."""
    if path is None:
        return table
    labels = {name: entry["label"] for name, entry in systems.items()}
    return with_contrasts(table, read_contrasts(path, labels), read_json(path)["draws"])
