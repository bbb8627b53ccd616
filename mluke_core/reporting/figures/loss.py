"""Pretraining of one model: loss and accuracy of words and entities, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.reporting.figures.style import INK, PALETTE, SOFT, figure_style, finish, new_figure

LOSSES = ("mlm_loss", "mep_loss")
MEASURES = {
    "mlm_loss": "Masked words (MLM)",
    "mlm_accuracy": "Masked words, first guess",
    "mep_loss": "Masked entities (MEP)",
    "mep_accuracy": "Masked entities, first guess",
}
UNITS = {"loss": "cross-entropy (nats)", "accuracy": "share right"}
Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Stage:
    """The log of one stage of pretraining."""

    model: str
    name: str
    curves: dict[tuple[str, str], Points]
    """(split, measure) → step and value; validation over all languages."""
    unigram: dict[str, float]
    """measure → what guessing by frequency alone gives."""


def read_stage(folder: str | Path) -> Stage:
    """Read ``log.jsonl`` and ``summary.json`` of ``results/<scale>/pretraining/{model}/{stage}``.

    Raises:
        DataError: a file is missing, or a line of the log is no JSON object with step and split.
    """
    folder = Path(folder)
    summary = read_json(folder / "summary.json")
    path = folder / "log.jsonl"
    if not path.exists():
        raise DataError(f"{path}: no such file; {folder} is not the folder of a finished stage.")
    curves: dict[tuple[str, str], Points] = {}
    by_language: dict[tuple[str, str], dict[int, list[float]]] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            entry: dict[str, Any] = orjson.loads(line)
            step, split = int(entry["step"]), entry["split"]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise DataError(
                f"{path}, line {number}: not an entry of a training log (step, split, losses)."
            ) from None
        for measure in MEASURES:
            value = entry.get(measure)
            if value is None:
                continue
            if entry.get("language"):
                by_language.setdefault((split, measure), {}).setdefault(step, []).append(value)
            else:
                curves.setdefault((split, measure), []).append((step, value))
    for key, steps in by_language.items():
        # A log that has validation by language alone: the mean of the languages.
        curves.setdefault(key, [(step, sum(v) / len(v)) for step, v in steps.items()])
    unigram = {
        measure: float(value)
        for measure, value in (summary.get("unigram") or {}).items()
        if value is not None
    }
    return Stage(summary["model"], summary["stage"], curves, unigram)


def finding(stages: Sequence[Stage]) -> str:
    """The figure's title: where the validation loss of words (or entities) went."""
    model, last = stages[-1].model, stages[-1]
    for loss in LOSSES:
        first = next((p for s in stages if (p := s.curves.get(("validation", loss)))), None)
        points = last.curves.get(("validation", loss))
        if not first or not points:
            continue
        name = "MLM" if loss == "mlm_loss" else "MEP"
        text = f"{model}: validation {name} loss goes from {first[0][1]:.2f} to {points[-1][1]:.2f}"
        if loss in last.unigram:
            margin = last.unigram[loss] - points[-1][1]
            side = "below" if margin >= 0 else "above"
            text += f", {abs(margin):.2f} {side} the unigram baseline"
        return text
    return f"{model}: training loss"


def draw_loss(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw a grid of measures (rows) and stages (columns); ``inputs`` are folders of stages."""
    stages = [read_stage(folder) for folder in inputs]
    drawn = {key[1] for stage in stages for key in stage.curves}
    measures = [measure for measure in MEASURES if measure in drawn]
    with figure_style():
        figure, axes = new_figure(
            len(measures), len(stages), height=0.9 + 1.9 * len(measures), sharey="row"
        )
        for column, stage in enumerate(stages):
            for row, measure in enumerate(measures):
                panel = axes[row][column]
                _draw_panel(panel, stage, measure)
                panel.set_title(f"{MEASURES[measure]}, {stage.name}")
                if row == len(measures) - 1:
                    panel.set_xlabel("step")
                if column == 0:
                    panel.set_ylabel(UNITS[measure.rpartition("_")[2]])
        axes[0][-1].legend(loc="upper right", fontsize=8)
        finish(figure, finding(stages), settings["scale"], output)


def _draw_panel(panel: Any, stage: Stage, measure: str) -> None:
    train = stage.curves.get(("train", measure), [])
    validation = stage.curves.get(("validation", measure), [])
    if train:
        panel.plot(*zip(*train, strict=True), color=PALETTE[4], linewidth=1.0, label="train")
    if validation:
        panel.plot(
            *zip(*validation, strict=True),
            color=PALETTE[0],
            marker="o",
            markersize=3.5,
            label="validation",
        )
        step, value = validation[-1]
        panel.annotate(
            f"{value:.2f}",
            (step, value),
            xytext=(0, 6),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=INK,
        )
    if measure in stage.unigram:
        guess = stage.unigram[measure]
        panel.axhline(guess, color=PALETTE[1], linestyle=(0, (4, 3)), label="unigram baseline")
    if not train and not validation:
        panel.text(0.5, 0.5, "not trained here", color=SOFT, ha="center", transform=panel.transAxes)
