"""All kinds of figures by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.cli import required_settings
from mluke_core.reporting.figures.comparison import draw_comparison
from mluke_core.reporting.figures.finetuning import draw_finetuning
from mluke_core.reporting.figures.languages import draw_corpus, draw_sampling
from mluke_core.reporting.figures.loss import draw_loss
from mluke_core.reporting.figures.pairs import draw_pairs
from mluke_core.reporting.figures.projection import draw_projection
from mluke_core.reporting.figures.resources import draw_resources
from mluke_core.reporting.figures.sweep import draw_sweep
from mluke_core.reporting.figures.vocabulary import draw_vocabulary

Draw = Callable[[Sequence[Path], dict[str, Any], Path], None]
FIGURES: dict[str, Draw] = {
    "loss": draw_loss,
    "corpus": draw_corpus,
    "sampling": draw_sampling,
    "vocabulary": draw_vocabulary,
    "resources": draw_resources,
    "finetuning": draw_finetuning,
    "comparison": draw_comparison,
    "pairs": draw_pairs,
    "projection": draw_projection,
    "sweep": draw_sweep,
}


def draw_figure(kind: str, inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw one figure as svg; ``settings`` always has the scale.

    Raises:
        DataError: the kind is unknown, a file is missing or has another format.
    """
    if kind not in FIGURES:
        raise DataError(f"there is no figure '{kind}'; there are {', '.join(FIGURES)}.")
    required_settings(settings, "scale")
    for path in inputs:
        if not path.exists():
            raise DataError(f"{path}: no such file to draw from.")
    FIGURES[kind](inputs, settings, output)
