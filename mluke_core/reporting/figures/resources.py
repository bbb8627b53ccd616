"""Time and memory of every stage of the workflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mluke_core.io.files import read_json
from mluke_core.reporting.figures.style import (
    PALETTE,
    SOFT,
    duration,
    figure_style,
    finish,
    memory,
    new_figure,
    only_grid,
)
from mluke_core.reporting.scores import require_keys


def draw_resources(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw a bar per rule for time and for memory; ``inputs`` is ``reports/resources.json``."""
    resources = read_json(inputs[0])
    require_keys(
        inputs[0], resources, ["seconds", "peak_memory_mb", "rules"], "a summary of resources"
    )
    rules = resources["rules"]
    positions = list(range(len(rules)))
    with figure_style():
        figure, axes = new_figure(1, 2, height=1.3 + 0.25 * len(rules), sharey=True)
        time, space = axes[0]
        seconds = [rule["seconds"] for rule in rules]
        time.barh(positions, seconds, color=PALETTE[0], height=0.7)
        time.set_title("Time of all jobs together")
        megabytes = [rule["peak_memory_mb"] or 0 for rule in rules]
        space.barh(positions, megabytes, color=PALETTE[2], height=0.7)
        space.set_title("Peak memory of the largest job")
        for position, rule in enumerate(rules):
            jobs = f"{rule['jobs']} job{'s' if rule['jobs'] > 1 else ''}"
            _annotate(time, rule["seconds"], position, f"{duration(rule['seconds'])}, {jobs}")
            peak = rule["peak_memory_mb"]
            _annotate(space, peak or 0, position, "not measured" if peak is None else memory(peak))
        for panel in (time, space):
            panel.margins(x=0.3)
            panel.set_xticks([])
            only_grid(panel, "x")
        time.set_yticks(positions, [rule["rule"] for rule in rules])
        time.invert_yaxis()
        finish(figure, resources_finding(resources), settings["scale"], output)


def resources_finding(resources: dict[str, Any]) -> str:
    """``finetune takes 41 % of 9 min of job time; the largest job needs 1.1 GB (pretrain)``."""
    rules = resources["rules"]
    if not rules:
        return "No job of this run was measured: there are no benchmark files"
    longest = max(rules, key=lambda rule: rule["seconds"])
    share = 100 * longest["seconds"] / max(resources["seconds"], 1e-9)
    text = f"{longest['rule']} takes {share:.0f} % of {duration(resources['seconds'])} of job time"
    if resources["peak_memory_mb"] is None:
        return text
    largest = max(rules, key=lambda rule: rule["peak_memory_mb"] or 0)
    return (
        f"{text}; the largest job needs {memory(resources['peak_memory_mb'])} ({largest['rule']})"
    )


def _annotate(panel: Any, value: float, position: int, text: str) -> None:
    panel.annotate(
        text,
        (value, position),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=SOFT,
    )
