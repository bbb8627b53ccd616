"""Appendix B: the run that each system's search chose on the dev set, task by task."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mluke_core.errors import DataError
from mluke_core.reporting.scores import Selection
from mluke_core.reporting.tables import Cell, Column, Panel, Row, Table

TASK_LABELS = {"qa": "QA", "relation": "Relation classification", "ner": "NER"}
SETTINGS = {
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "seed": "best seed",
    "runs": "runs tried",
}


def hyperparameter_table(
    name: str,
    scale: str,
    entry: Mapping[str, Any],
    systems: Mapping[str, Mapping[str, Any]],
    selections: Sequence[Selection],
) -> Table:
    """One panel per task, one row per system.

    Raises:
        DataError: two selections are of the same system and task.
    """
    by_key: dict[tuple[str, str], Selection] = {}
    for selection in selections:
        key = selection.system, selection.task
        if key in by_key:
            raise DataError(
                f"{selection.path} and {by_key[key].path} are both the selection of system "
                f"'{selection.system}' for task '{selection.task}'; give one of them."
            )
        by_key[key] = selection
    found = {task for _, task in by_key}
    tasks = [task for task in TASK_LABELS if task in found] + sorted(found.difference(TASK_LABELS))
    panels = []
    for task in tasks:
        metric = next(s.metric for (_, t), s in by_key.items() if t == task)
        columns = [Column(label, decimals=0) for label in SETTINGS.values()]
        columns.append(Column(f"dev {metric}", decimals=1, better="higher"))
        rows = [
            Row(system_entry["label"], _cells(task, by_key.get((system, task))), system)
            for system, system_entry in systems.items()
        ]
        panels.append(Panel(columns, rows, title=TASK_LABELS.get(task, task)))
    notes = [
        "Every system searches the same grid; the run with the best dev score is chosen. "
        "Mean and deviation are over the seeds of the chosen learning rate and batch size.",
        "The paper does not publish its grid, so nothing stands beside these numbers.",
    ]
    return Table(name, entry["title"], scale, panels, notes)


def _cells(task: str, selection: Selection | None) -> list[Cell]:
    if selection is None:
        notes = ("not fine-tuned in this run",)
        return [Cell(task, column, notes=notes) for column in (*SETTINGS, "dev")]
    chosen = selection.best_settings
    dev = selection.selected_dev
    several = len(dev) > 1
    return [
        Cell(task, "learning_rate", value=chosen["learning_rate"]),
        Cell(task, "batch_size", value=int(chosen["batch_size"])),
        Cell(task, "seed", value=int(chosen["seed"])),
        Cell(task, "runs", value=len(selection.runs)),
        Cell(
            task,
            "dev",
            value=selection.best_dev,
            mean=statistics.fmean(dev) if several else None,
            deviation=statistics.stdev(dev) if several else None,
            runs=len(dev),
        ),
    ]
