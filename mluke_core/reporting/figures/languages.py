"""Corpus statistics of every language, and how the sampling smooths their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.reporting.corpus_table import LABELS, PERCENTAGES, corpus_fields, read_corpus
from mluke_core.reporting.figures.style import (
    PALETTE,
    SOFT,
    figure_style,
    finish,
    label_bars,
    new_figure,
    only_grid,
    short_number,
)

PREFERRED = ["articles", "words", "links", "links_in_vocabulary", "sequences"]
"""Statistics drawn when the report has them; otherwise its first ones."""
MAXIMUM_PANELS = 5
LOG_SCALE_RATIO = 100
"""From this ratio of the largest to the smallest language on, bars would hide the small ones."""


def draw_corpus(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw a panel of bars per statistic; ``inputs`` is the one corpus report."""
    corpus = read_corpus(inputs[0])
    counted = [field for field in corpus_fields(corpus) if field not in PERCENTAGES]
    fields = [field for field in PREFERRED if field in counted] or counted[:MAXIMUM_PANELS]
    if not fields:
        raise DataError(f"{inputs[0]}: no statistic to draw.")
    languages = sorted(
        corpus["languages"], key=lambda name: (-corpus["languages"][name][fields[-1]], name)
    )
    positions = list(range(len(languages)))
    with figure_style():
        figure, axes = new_figure(
            1, len(fields), height=1.2 + 0.22 * len(languages), width=11.0, sharey=True
        )
        for panel, field in zip(axes[0], fields, strict=True):
            values = [corpus["languages"][language][field] for language in languages]
            panel.barh(positions, values, color=PALETTE[0], height=0.72)
            label_bars(panel, values, positions)
            smallest = min((value for value in values if value > 0), default=1)
            if max(values, default=0) >= LOG_SCALE_RATIO * smallest:
                panel.set_xscale("log")
                panel.set_xlabel("log scale")
            panel.set_title(LABELS.get(field, field.replace("_", " ")))
            panel.margins(x=0.24)
            panel.set_xticks([])
            only_grid(panel, "x")
        axes[0][0].set_yticks(positions, languages)
        axes[0][0].invert_yaxis()
        total = sum(corpus["languages"][language][fields[-1]] for language in languages)
        finish(
            figure, corpus_finding(corpus, languages, fields[-1], total), settings["scale"], output
        )


def corpus_finding(
    corpus: dict[str, Any], languages: Sequence[str], field: str, total: float
) -> str:
    """``en has 40 % of all 1.3 M tokens; zh, the smallest of 9 languages, 6 %``."""
    largest, smallest = languages[0], languages[-1]
    if not total:
        return f"No {field} in {len(languages)} languages"
    shares = [100 * corpus["languages"][name][field] / total for name in (largest, smallest)]
    name = field.replace("_", " ")
    return (
        f"{largest} has {shares[0]:.0f} % of all {short_number(total)} {name}; {smallest}, the "
        f"smallest of {len(languages)} languages, {shares[1]:.1f} %"
    )


def draw_sampling(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw each language's share of the sequences and of the training draws, joined by a line.

    ``inputs`` is the one sequence manifest.
    """
    manifest = read_json(inputs[0])
    entries = manifest.get("languages") if isinstance(manifest, dict) else None
    if not entries:
        raise DataError(f"{inputs[0]}: not a sequence manifest with languages.")
    languages = sorted(entries, key=lambda name: (-entries[name]["share"], name))
    positions = list(range(len(languages)))
    shares = [100 * entries[language]["share"] for language in languages]
    weights = [100 * entries[language]["weight"] for language in languages]
    with figure_style():
        figure, axes = new_figure(height=1.5 + 0.24 * len(languages))
        panel = axes[0][0]
        panel.hlines(positions, shares, weights, color=SOFT, linewidth=1.2, zorder=1)
        panel.scatter(
            shares,
            positions,
            s=34,
            facecolor="white",
            edgecolor=PALETTE[1],
            linewidth=1.4,
            zorder=2,
            label="share of the sequences",
        )
        panel.scatter(
            weights, positions, s=34, color=PALETTE[0], zorder=3, label="share of what is drawn"
        )
        panel.set_yticks(positions, languages)
        panel.invert_yaxis()
        panel.set_xlim(left=0)
        panel.set_xlabel(f"% (sampling by size to the power of {manifest['alpha']:g})")
        figure.legend(loc="outside lower left", ncols=2)
        only_grid(panel, "x")
        first, last = 0, len(languages) - 1
        title = (
            f"Sampling takes {languages[first]} from {shares[first]:.1f} to {weights[first]:.1f} % "
            f"and {languages[last]} from {shares[last]:.1f} to {weights[last]:.1f} %"
        )
        finish(figure, title, settings["scale"], output)
