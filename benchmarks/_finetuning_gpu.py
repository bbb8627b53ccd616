"""``benchmarks/finetuning.py --gpu``: fine-tuning of base size for some minutes, as a user runs it.

The project's own trainer on relations and names with entity inputs, in bf16: words and entities per
second from its log, and how busy the device was meanwhile.

So far this has been run on a CPU at a tiny size alone, which tests it and measures nothing.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import orjson
import torch
from _bench import Row
from _task_inputs import conll_file, model_folder, relation_file

from mluke_core.pretraining.journal import LOG_FILE
from mluke_core.tasks.base import Feature, Task
from mluke_core.tasks.model import TaskModel, load_backbone
from mluke_core.tasks.tables import Tables
from mluke_core.tasks.trainer import LOG_FOLDER, TrainerSettings, train

BASE, TINY = (12, 768, 12), (1, 64, 2)
"""Layers, hidden size, heads."""
BATCH, QUICK_BATCH = 32, 4
WARM_UP_STEPS = 20
"""Steps whose time says how many fill the minutes."""
SAMPLE_SECONDS = 1.0
NER_OPTIONS = {
    "maximum_length": 510,
    "maximum_mention_tokens": 16,
    "maximum_spans": 128,
    "entity_features": "entity",
}

MakeTask: TypeAlias = Callable[[str, Path, dict[str, Any]], Task[Any]]


@dataclass(frozen=True)
class Measured:
    """What a training of some minutes showed."""

    steps: int
    tokens_per_second: float
    """Words and entities: the median of the points in the trainer's log."""
    utilisation: float | None
    """Percent of the time in which the device computed; None where it cannot be asked."""
    memory_gb: float
    """Largest memory of the device, in 2^30 bytes; 0 on a CPU."""


def gpu_rows(make_task: MakeTask, minutes: float, quick: bool) -> list[Row]:
    """A row for each figure of each task.

    Args:
        make_task: from name, model folder and options to a task with entity inputs.
        minutes: of training for each task.
        quick: few sentences; on a CPU the model is tiny as well.
    """
    return [
        row
        for name, (path, options) in files_of(quick).items()
        for row in task_rows(make_task, name, path, options, minutes, quick)
    ]


def files_of(quick: bool) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Training data and options of each task."""
    return {
        "relation": (relation_file(250 if quick else 1_500), {"maximum_length": 510}),
        "ner": (conll_file(60 if quick else 2_000), NER_OPTIONS),
    }


def task_rows(
    make_task: MakeTask,
    name: str,
    path: Path,
    options: dict[str, Any],
    minutes: float,
    quick: bool,
) -> list[Row]:
    """The figures of one task."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size = BASE if device.type == "cuda" else TINY
    batch_size = QUICK_BATCH if quick else BATCH
    folder = model_folder(*size)
    task = make_task(name, folder, options)
    dataset = task.read(path)
    task.learn_labels(dataset)
    features = task.encode(dataset, training=True)
    found = measure(task, folder, features, minutes * 60, batch_size, device)
    what = f"{name}, {size[0]} x {size[1]}, batch {batch_size}, bf16"
    busy = "unknown" if found.utilisation is None else f"{found.utilisation:.0f} %"
    figures = {
        f"words and entities per second ({found.steps} steps)": f"{found.tokens_per_second:,.0f}",
        "utilisation of the device": busy,
        "memory of the device": f"{found.memory_gb:.1f} GB",
    }
    return [Row(f"{what}: {figure}", value, "", None, "") for figure, value in figures.items()]


def measure(
    task: Task[Any],
    folder: Path,
    features: Sequence[Feature],
    seconds: float,
    batch_size: int,
    device: torch.device,
) -> Measured:
    """Train for about ``seconds``; a few steps before say how many steps that is."""
    tables = Tables.of(features)
    model = TaskModel(task, load_backbone(folder, task, tables), tables).to(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with tempfile.TemporaryDirectory() as work:
        started = time.monotonic()
        _train(model, features, batch_size, WARM_UP_STEPS, Path(work) / "warm-up")
        per_step = (time.monotonic() - started) / WARM_UP_STEPS
        steps = max(WARM_UP_STEPS, round(seconds / per_step))
        with Utilisation(device) as busy:
            _train(model, features, batch_size, steps, Path(work) / "run")
        log = Path(work) / "run" / LOG_FOLDER / LOG_FILE
        entries = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    speeds = [entry["tokens_per_second"] for entry in entries if entry["split"] == "train"]
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    return Measured(steps, statistics.median(speeds), busy.mean, memory / 2**30)


def _train(
    model: TaskModel, features: Sequence[Feature], batch_size: int, steps: int, work: Path
) -> None:
    settings = TrainerSettings(
        learning_rate=1e-5,
        batch_size=batch_size,
        epochs=math.ceil(steps * batch_size / len(features)),
        seed=1,
        maximum_steps=steps,
        precision="bf16",
        evaluation_interval=steps,
    )
    train(model, features, settings, work, "benchmark", dict)


class Utilisation:
    """Asks once a second how busy the device is, as `nvidia-smi` shows it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._samples: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    @property
    def mean(self) -> float | None:
        """Percent; None without a sample."""
        return statistics.mean(self._samples) if self._samples else None

    def _ask(self) -> None:
        try:
            while not self._over.wait(SAMPLE_SECONDS):
                self._samples.append(torch.cuda.utilization(self._device))
        except ModuleNotFoundError:
            print("utilisation is unknown: torch asks nvidia-ml-py for it, which is not installed")

    def __enter__(self) -> Utilisation:
        if self._device.type == "cuda":
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
