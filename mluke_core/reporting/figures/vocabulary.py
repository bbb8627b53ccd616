"""Size of the entity vocabulary by what is asked of an entity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.reporting.figures.style import (
    INK,
    PALETTE,
    figure_style,
    finish,
    new_figure,
    short_number,
)

LABELLED_BARS = 30


def draw_vocabulary(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw entities by least number of languages, and the share of links the top N cover.

    ``inputs`` is ``entities/vocabulary.parquet``.

    Raises:
        DataError: the file has no entities besides the special tokens.
    """
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(inputs[0], columns=["qid", "count", "languages"])
    table = table.filter(table["qid"].is_valid())
    languages = table["languages"].to_numpy()
    counts = np.sort(table["count"].to_numpy())[::-1]
    if not len(counts):
        raise DataError(f"{inputs[0]}: no entity in the vocabulary, so there is nothing to draw.")
    thresholds = np.arange(languages.min(), languages.max() + 1)
    sizes = [int((languages >= threshold).sum()) for threshold in thresholds]
    covered = 100 * np.cumsum(counts) / counts.sum()
    # A million points would make a file of megabytes; a hundred on a log axis look the same.
    ranks = np.unique(np.geomspace(1, len(counts), num=100).astype(np.int64))
    half = int(np.searchsorted(covered, 50)) + 1
    with figure_style():
        figure, axes = new_figure(1, 2, height=3.4)
        bars, curve = axes[0]
        bars.bar(thresholds, sizes, color=PALETTE[0], width=0.75)
        if len(sizes) <= LABELLED_BARS:
            bars.bar_label(
                bars.containers[0], [short_number(size) for size in sizes], fontsize=7, padding=2
            )
        bars.set_title("Entities by least number of languages")
        bars.set_xlabel("linked in at least … languages")
        bars.set_xticks(thresholds)
        bars.set_yticks([])
        bars.grid(False)
        bars.margins(y=0.12)
        curve.plot(ranks, covered[ranks - 1], color=PALETTE[0])
        curve.plot([half], [covered[half - 1]], "o", color=PALETTE[1])
        curve.annotate(
            f"half of the links: {half:,}",
            (half, covered[half - 1]),
            xytext=(8, -4),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
        curve.set_xscale("log")
        curve.set_ylim(0, 103)
        curve.set_title("Links covered by the most frequent entities, %")
        curve.set_xlabel("entities, most linked first (log scale)")
        title = (
            f"{len(counts):,} entities are linked in at least {thresholds[0]} languages, "
            f"{sizes[-1]:,} in {thresholds[-1]}; {half:,} of them make up half of all links"
        )
        finish(figure, title, settings["scale"], output)
