"""The tasks by name. A new task is a subclass of :class:`Task` and a line here."""

from __future__ import annotations

from typing import Any

from mluke_core.errors import ConfigError
from mluke_core.tasks.base import Task
from mluke_core.tasks.ner import NerTask
from mluke_core.tasks.qa import QaTask
from mluke_core.tasks.relation import RelationTask

TASKS: dict[str, type[Task[Any]]] = {task.name: task for task in (QaTask, RelationTask, NerTask)}


def task_class(name: str) -> type[Task[Any]]:
    """The class of a task; :class:`ConfigError` lists the known names.

    >>> task_class("ner").__name__
    'NerTask'
    """
    if name not in TASKS:
        raise ConfigError(f"unknown task '{name}'; known are {', '.join(sorted(TASKS))}.")
    return TASKS[name]
