"""A small run in the formats of docs/design.md, for the tests of tables and figures.

The files stand in tests/data/reporting: scores of four systems of scale mini (two seeds for tasks),
selections and results of their runs, logs of two models, corpus statistics, a manifest, benchmarks.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from mluke_core.config import load_config
from mluke_core.reporting import plan
from mluke_core.reporting.build import build_table
from mluke_core.reporting.tables import Cell, Panel, Row, Table

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data" / "reporting"
SCORES = sorted(DATA.glob("scores/*/*.json"))
SELECTIONS = sorted(DATA.glob("finetuned/*/*/selection.json"))
CORPUS = DATA / "corpus.json"


@cache
def config() -> dict[str, Any]:
    return load_config(ROOT / "config.yaml", {})


def systems(table: str = "") -> dict[str, Any]:
    entries = {name: config()["systems"][name] for name in config()["run"]["systems"]}
    if table and config()["tables"][table].get("models") == "luke":
        return {name: entry for name, entry in entries.items() if name.startswith("mluke")}
    return entries


def settings(table: str, scale: str = "mini") -> dict[str, Any]:
    """The settings that the rule gives to the step."""
    columns = {
        test: entry["columns"]
        for task in config()["tasks"].values()
        for test, entry in task["tests"].items()
    }
    columns |= {probe: entry["languages"] for probe, entry in config()["probes"].items()}
    return {
        "scale": scale,
        "name": table,
        "table": plan.table_layout(config(), table),
        "notes": plan.table_notes(config(), table),
        "systems": systems(table),
        "order": list(systems(table)),
        "columns": columns,
    }


def build(table: str, scale: str = "mini") -> Table:
    return build_table(settings(table, scale), SCORES, SELECTIONS, CORPUS)


def row(panel: Panel, label: str) -> Row:
    return next(row for row in panel.rows if row.label == label)


def cell(table: Table, label: str, block: str, column: str) -> Cell:
    return next(
        cell
        for panel in table.panels
        for row in panel.rows
        for cell in row.cells
        if row.label == label and cell.block == block and cell.column == column
    )
