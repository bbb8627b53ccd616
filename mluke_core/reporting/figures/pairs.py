"""G-XLT as matrices: F1 for every language of the context and of the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mluke_core.errors import DataError
from mluke_core.io.cli import required_settings
from mluke_core.reporting.figures.comparison import Dot, read_dots
from mluke_core.reporting.figures.style import SOFT, broken, figure_style, finish, new_figure
from mluke_core.reporting.gxlt import PUBLISHED_AVERAGE

PANELS_PER_ROW = 3
PANEL_INCHES = 2.9
COLOURS = "Blues"
DARK_ABOVE = 0.6
"""Share of the colour range from which a number is written in light."""
# On the page INK and white follow its light and dark colours; the cells stay as they are.
ON_LIGHT, ON_DARK = "#14181d", "#fdfdfd"


def draw_pairs(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw a matrix per system, all on one colour scale, its average beside the paper's above it.

    Args:
        inputs: the csv file of the table of kind ``gxlt``.
        settings: ``scale``, ``title`` (the table's) and ``systems`` (name → entry).
        output: svg file.
    """
    title, systems = required_settings(settings, "title", "systems")
    dots = read_dots(inputs[0])
    if not dots:
        raise DataError(f"{inputs[0]}: no system was measured, so there is nothing to draw.")
    matrices = {
        system: pair_matrix([dot for dot in dots if dot.row[0] == system])
        for system in dict.fromkeys(dot.row[0] for dot in dots)
    }
    averages = {dot.row[0]: dot for dot in dots if dot.column == PUBLISHED_AVERAGE}
    scored = [dot.measured for dot in dots if "-" in dot.column and dot.measured is not None]
    bounds = (min(scored, default=0.0), max(scored, default=0.0))
    rows = -(-len(matrices) // PANELS_PER_ROW)
    columns = min(len(matrices), PANELS_PER_ROW)
    with figure_style():
        figure, axes = new_figure(
            rows, columns, height=0.8 + PANEL_INCHES * rows, width=0.4 + PANEL_INCHES * columns
        )
        for panel, (system, (languages, matrix_CQ)) in zip(
            axes.flat, matrices.items(), strict=False
        ):
            _draw_matrix(panel, languages, matrix_CQ, bounds)
            label = broken(systems[system]["label"])
            panel.set_title(f"{label}\n{_average(averages.get(system))}")
        for panel in axes.flat[len(matrices) :]:
            panel.set_visible(False)
        finish(figure, pairs_finding(title, matrices), settings["scale"], output)


def pair_matrix(dots: Sequence[Dot]) -> tuple[list[str], NDArray[np.float64]]:
    """One system's languages, and F1 by context (rows) and question (columns); NaN where unscored.

    >>> dot = Dot("G-XLT", ("a", "default"), "en-de", 7.0, None, None, None, None)
    >>> pair_matrix([dot])
    (['en', 'de'], array([[nan,  7.],
           [nan, nan]]))
    """
    pairs = {tuple(dot.column.split("-")): dot.measured for dot in dots if "-" in dot.column}
    languages = list(dict.fromkeys(language for pair in pairs for language in pair))
    matrix_CQ = np.full((len(languages), len(languages)), np.nan)
    for (context, question), value in pairs.items():
        if value is not None:
            matrix_CQ[languages.index(context), languages.index(question)] = value
    return languages, matrix_CQ


def pairs_finding(
    title: str, matrices: Mapping[str, tuple[Sequence[str], NDArray[np.float64]]]
) -> str:
    """How much is lost where the question is in another language than its context."""
    name = title.split(":", 1)[0]
    losses = []
    for _, matrix_CQ in matrices.values():
        same = np.eye(len(matrix_CQ), dtype=bool)
        equal, other = (matrix_CQ[mask & ~np.isnan(matrix_CQ)] for mask in (same, ~same))
        if equal.size and other.size:
            losses.append(float(equal.mean() - other.mean()))
    if not losses:
        return f"{name}: no pair of different languages was scored beside equal ones"
    loss = fmean(losses)
    side = "lower" if loss >= 0 else "higher"
    return (
        f"{name}: with a question in another language than its context, F1 is {abs(loss):.1f} "
        f"{side} (mean of {len(losses)} systems)"
    )


def _draw_matrix(
    panel: Any,
    languages: Sequence[str],
    matrix_CQ: NDArray[np.float64],
    bounds: tuple[float, float],
) -> None:
    low, high = bounds
    # Not an image: figures are vectors throughout.
    panel.pcolormesh(np.ma.masked_invalid(matrix_CQ), cmap=COLOURS, vmin=low, vmax=high)
    panel.grid(False)
    panel.set_aspect("equal")
    panel.invert_yaxis()
    middles = np.arange(len(languages)) + 0.5
    panel.set_xticks(middles, languages)
    panel.set_yticks(middles, languages)
    panel.set_xlabel("question in")
    panel.set_ylabel("context in")
    span = high - low
    for (row, column), value in np.ndenumerate(matrix_CQ):
        if np.isnan(value):
            continue
        dark = span > 0 and (value - low) / span > DARK_ABOVE
        panel.text(
            column + 0.5,
            row + 0.5,
            f"{value:.1f}",
            ha="center",
            va="center",
            fontsize=6.5,
            color=ON_DARK if dark else ON_LIGHT,
        )
    panel.tick_params(colors=SOFT)


def _average(dot: Dot | None) -> str:
    """``avg (42): 40.1, paper 40.9``."""
    if dot is None or dot.measured is None:
        return "no average"
    printed = "" if dot.published is None else f", paper {dot.published:.1f}"
    return f"avg (42): {dot.measured:.1f}{printed}"
