"""Fine-tuning of one task: training loss and dev score of every run, beside guessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mluke_core.io.cli import required_settings
from mluke_core.io.files import read_json
from mluke_core.reporting.figures.style import (
    PALETTE,
    SOFT,
    broken,
    figure_style,
    finish,
    new_figure,
)
from mluke_core.reporting.hyperparameter_table import TASK_LABELS
from mluke_core.reporting.scores import require_keys

Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Run:
    """What ``result.json`` says about one run."""

    system: str
    name: str
    dev: float
    loss_curve: Points
    dev_curve: Points
    guessing: float | None
    """Score of a guess that has learnt nothing from the text; None when the file has none."""


def read_run(path: Path, metric: str) -> Run:
    """Read ``results/<scale>/finetuned/{system}/{task}/{run}/result.json``.

    Raises:
        DataError: keys are missing, the metric among them.
    """
    result = read_json(path)
    require_keys(path, result, ["system", "run", "dev", "history"], "the result of a run")
    require_keys(path, result["dev"], [metric], "the result of a run with this task's metric")
    history = result["history"]
    dev_curve = [
        (entry["step"], float(entry["dev"][metric]))
        for entry in history
        if metric in entry.get("dev", {})
    ]
    guessing = (result.get("baseline") or {}).get(metric)
    steps = result.get("steps") or max((entry["step"] for entry in history), default=0)
    return Run(
        system=result["system"],
        name=result["run"],
        dev=float(result["dev"][metric]),
        loss_curve=[(entry["step"], entry["loss"]) for entry in history if "loss" in entry],
        dev_curve=dev_curve or [(steps, float(result["dev"][metric]))],
        guessing=None if guessing is None else float(guessing),
    )


def draw_finetuning(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw a column per system: loss above, dev score below; the best run stands out.

    Args:
        inputs: ``result.json`` of every run of a task.
        settings: ``scale``, ``task``, ``metric``, ``systems`` (name → entry) in the order to draw.
        output: svg file.
    """
    task, metric, systems = required_settings(settings, "task", "metric", "systems")
    runs = [read_run(path, metric) for path in inputs]
    drawn = [
        system
        for system in settings.get("order", systems)
        if any(run.system == system for run in runs)
    ]
    best = {
        s: max((r for r in runs if r.system == s), key=lambda r: (r.dev, r.name)) for s in drawn
    }
    with figure_style():
        figure, axes = new_figure(
            2, len(drawn), height=4.6, width=max(6.0, 2.3 * len(drawn)), sharey="row", sharex="col"
        )
        for column, system in enumerate(drawn):
            above, below = axes[0][column], axes[1][column]
            above.set_title(broken(systems[system]["label"]))
            for run in (run for run in runs if run.system == system):
                chosen = run is best[system]
                look = {
                    "color": PALETTE[0] if chosen else PALETTE[4],
                    "linewidth": 1.8 if chosen else 0.9,
                    "zorder": 3 if chosen else 2,
                }
                above.plot(*zip(*run.loss_curve, strict=True), **look)
                below.plot(*zip(*run.dev_curve, strict=True), marker="o", markersize=3, **look)
            guessing = best[system].guessing
            if guessing is not None:
                _draw_guessing(below, guessing)
            below.annotate(
                f"{best[system].dev:.1f}",
                best[system].dev_curve[-1],
                xytext=(0, 5),
                textcoords="offset points",
                ha="right",
                fontsize=8,
            )
            below.set_xlabel("step")
        axes[0][0].set_ylabel("training loss")
        axes[1][0].set_ylabel(f"dev {metric.replace('_', ' ')}")
        axes[1][0].set_ylim(bottom=0)
        axes[1][0].margins(y=0.15)
        finish(figure, finetuning_finding(task, metric, systems, best), settings["scale"], output)


def finetuning_finding(
    task: str, metric: str, systems: dict[str, Any], best: dict[str, Run]
) -> str:
    """Which system leads on dev, and whether all beat a guess."""
    leader = max(best.values(), key=lambda run: run.dev)
    name = metric.replace("_", " ")
    task = TASK_LABELS.get(task, task)
    text = f"{task}: {systems[leader.system]['label']} leads on dev ({leader.dev:.1f} {name})"
    margins = [run.dev - run.guessing for run in best.values() if run.guessing is not None]
    if not margins:
        return text
    failed = sum(margin <= 0 for margin in margins)
    if failed:
        return f"{text}; {failed} of {len(margins)} systems do not beat guessing"
    return f"{text}; all are at least {min(margins):.1f} above guessing"


def _draw_guessing(panel: Any, value: float) -> None:
    panel.axhline(value, color=PALETTE[1], linestyle=(0, (4, 3)), linewidth=1.1)
    panel.annotate(
        f"guessing {value:.1f}",
        (0.02, value),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=7,
        color=SOFT,
    )
