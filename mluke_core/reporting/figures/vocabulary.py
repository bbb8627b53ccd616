"""Size of the entity vocabulary by the languages it asks for, and the links it covers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mluke_core.io.files import read_json
from mluke_core.reporting.figures.style import (
    PALETTE,
    SOFT,
    figure_style,
    finish,
    new_figure,
    short_number,
)
from mluke_core.reporting.scores import require_keys

KEYS = ["entities", "minimum_languages", "size_by_minimum_languages", "languages"]
MANY = 12
"""From here on numbers and names are set smaller."""


def draw_vocabulary(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw items by least number of languages, and each language's share of links covered.

    ``inputs`` is ``reports/vocabulary.json``.
    """
    report = read_json(inputs[0])
    require_keys(inputs[0], report, KEYS, "a report of `build_vocabulary`")
    sizes = {int(minimum): size for minimum, size in report["size_by_minimum_languages"].items()}
    chosen = report["minimum_languages"]
    covered = {name: 100 * entry["share"] for name, entry in report["languages"].items()}
    languages = sorted(covered, key=lambda name: (-covered[name], name))
    with figure_style():
        figure, axes = new_figure(1, 2, height=3.4)
        by_threshold, by_language = axes[0]
        bars = by_threshold.bar(
            list(sizes),
            list(sizes.values()),
            width=0.75,
            color=[PALETTE[0] if minimum == chosen else PALETTE[4] for minimum in sizes],
        )
        many = len(sizes) > MANY
        by_threshold.bar_label(
            bars,
            [short_number(size) for size in sizes.values()],
            fontsize=6 if many else 7.5,
            padding=2,
            rotation=90 if many else 0,
            color=SOFT,
        )
        by_threshold.set_title("Items by least number of languages")
        by_threshold.set_xlabel(f"linked in at least … languages (here: {chosen})")
        by_threshold.set_xticks(list(sizes))
        by_threshold.tick_params(axis="x", labelsize=7 if many else 9)
        by_threshold.set_yticks([])
        by_threshold.margins(y=0.2 if many else 0.12)
        by_threshold.grid(False)
        by_language.bar(languages, [covered[name] for name in languages], color=PALETTE[2])
        by_language.set_ylim(0, 100)
        by_language.set_title("Links that point into the vocabulary, %")
        by_language.tick_params(axis="x", labelsize=7 if many else 9)
        by_language.grid(False, axis="x")
        finish(figure, vocabulary_finding(report), settings["scale"], output)


def vocabulary_finding(report: dict[str, Any]) -> str:
    """How many entities were chosen, and between which shares of links they cover."""
    covered = {name: 100 * entry["share"] for name, entry in report["languages"].items()}
    text = f"{report['entities']:,} entities of at least {report['minimum_languages']} languages"
    if not covered:
        return text
    least, most = (choose(covered, key=covered.__getitem__) for choose in (min, max))
    shares = f"{covered[least]:.0f} % ({least}) to {covered[most]:.0f} % ({most})"
    return f"{text} take in {shares} of the links"
