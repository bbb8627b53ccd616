"""Modularity by the number of neighbours of the graph, which the paper does not state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mluke_core.errors import DataError
from mluke_core.io.cli import required_settings
from mluke_core.reporting.figures.style import PALETTE, figure_style, finish, new_figure
from mluke_core.reporting.scores import Scores
from mluke_core.tasks.score import VARIANT

PREFIX = "modularity_k"
Curve = dict[int, float]
MARKERS = "osD^vPX"


def read_curves(path: Path) -> tuple[str, dict[str, Curve]]:
    """The system of a score file, and modularity by neighbours for each language."""
    scores = Scores.load(path)
    curves: dict[str, Curve] = {}
    for language, metrics in scores.results.get(VARIANT, {}).items():
        points = {
            int(name.removeprefix(PREFIX)): values[0]
            for name, values in metrics.items()
            if name.startswith(PREFIX) and values[0] is not None
        }
        curves[language] = dict(sorted(points.items()))
    return scores.system, curves


def draw_sweep(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw a panel per language, a line per system.

    Args:
        inputs: score files of the modularity probe.
        settings: ``scale`` and ``systems`` (name → entry).
        output: svg file.

    Raises:
        DataError: no file has a sweep.
    """
    [systems] = required_settings(settings, "systems")
    curves = dict(read_curves(path) for path in inputs)
    languages = list(dict.fromkeys(name for entry in curves.values() for name in entry))
    if not any(curve for entry in curves.values() for curve in entry.values()):
        raise DataError(f"{inputs[0]}: no modularity for several numbers of neighbours to draw.")
    with figure_style():
        figure, axes = new_figure(
            1, len(languages), height=3.1, width=max(6.0, 2.3 * len(languages)), sharey=True
        )
        for panel, language in zip(axes[0], languages, strict=True):
            for number, (system, entry) in enumerate(curves.items()):
                curve = entry.get(language, {})
                panel.plot(
                    list(curve),
                    list(curve.values()),
                    marker=MARKERS[number % len(MARKERS)],
                    markersize=4,
                    color=PALETTE[number % len(PALETTE)],
                    label=systems[system]["label"],
                )
            ticks = sorted({k for entry in curves.values() for k in entry.get(language, {})})
            panel.set_xscale("log")
            panel.set_xticks(ticks, [str(k) for k in ticks])
            panel.minorticks_off()
            panel.set_title(f"en with {language}")
            panel.set_xlabel("neighbours k")
        axes[0][0].set_ylabel("modularity Q / Q_max")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), fontsize=8)
        finish(figure, sweep_finding(curves, systems), settings["scale"], output)


def sweep_finding(
    curves: Mapping[str, Mapping[str, Curve]], systems: Mapping[str, Mapping[str, Any]]
) -> str:
    """How often the system with the lowest modularity has it."""
    points = {
        (language, k) for entry in curves.values() for language in entry for k in entry[language]
    }
    wins = dict.fromkeys(curves, 0)
    for language, k in points:
        values = {s: e[language][k] for s, e in curves.items() if k in e.get(language, {})}
        wins[min(values, key=lambda system: values[system])] += 1
    best = max(wins, key=lambda system: wins[system])
    return (
        f"Modularity is lowest in {systems[best]['label']} for {wins[best]} of {len(points)} "
        "choices of language and number of neighbours"
    )
