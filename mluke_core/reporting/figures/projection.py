"""Vectors of parallel texts in two dimensions, coloured by language: words beside entities.

The projection is a principal component analysis of each system's vectors, all languages together:
linear, without a free parameter, the same every time.

Shapes: N vectors, H features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mluke_core.errors import DataError
from mluke_core.io.cli import required_settings
from mluke_core.io.features import Features, read_features
from mluke_core.reporting.figures.style import PALETTE, figure_style, finish, new_figure

MARKERS = "osD^vPX"
"""One form for each language, so that colour is not all that tells them apart."""
SHOWN_PER_LANGUAGE = 150
"""Points drawn of each language; the analysis has all."""
WHAT = {"cwr": "answer spans", "modularity": "mention pairs"}


def draw_projection(inputs: Sequence[Path], settings: dict[str, Any], output: Path) -> None:
    """Draw a panel per system.

    Args:
        inputs: a file of vectors per system.
        settings: ``scale``, ``probe`` (``cwr`` or ``modularity``), ``systems`` (name → entry) and
            ``order`` (the systems, as ``inputs``).
        output: svg file.

    Raises:
        DataError: a file has vectors of fewer than two languages.
    """
    probe, systems, order = required_settings(settings, "probe", "systems", "order")
    features = {name: read_features(path) for name, path in zip(order, inputs, strict=True)}
    shares = {}
    with figure_style():
        figure, axes = new_figure(1, len(features), height=4.4, width=max(7.0, 4.2 * len(features)))
        for panel, (system, vectors) in zip(axes[0], features.items(), strict=True):
            if len(vectors) < 2:
                raise DataError(f"{system}: vectors of {len(vectors)} languages cannot be compared")
            shares[system] = 100 * language_share(vectors)
            explained = _draw_panel(panel, vectors)
            label = systems[system]["label"]
            panel.set_title(f"{label}: language explains {shares[system]:.0f} %")
            panel.set_xlabel(f"component 1 ({explained[0]:.0f} % of the variance)")
            panel.set_ylabel(f"component 2 ({explained[1]:.0f} %)")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower left",
            ncols=len(labels),
            fontsize=8,
            markerscale=1.5,
        )
        title = projection_finding(probe, shares, systems)
        finish(figure, title, settings["scale"], output)


def language_share(vectors: Mapping[str, Features]) -> float:
    """Share of the vectors' variance that lies between languages: 0 neutral, 1 told apart.

    >>> one, other = np.zeros((3, 2)), np.array([[1.0, 0]] * 3)
    >>> language_share({"en": ([], one), "de": ([], other)})
    1.0
    """
    stacked_NH = np.concatenate([rows for _, rows in vectors.values()]).astype(np.float64)
    centre_H = stacked_NH.mean(0)
    total = float(((stacked_NH - centre_H) ** 2).sum())
    between = sum(
        len(rows) * float(((rows.astype(np.float64).mean(0) - centre_H) ** 2).sum())
        for _, rows in vectors.values()
    )
    return between / total if total else 0.0


def components(
    vectors_NH: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates (N x 2) on the first two principal components, and their shares of variance.

    The sign of a component is free; it is chosen so that its largest loading is positive.
    """
    centred_NH = vectors_NH.astype(np.float64) - vectors_NH.mean(0, dtype=np.float64)
    covariance_HH = centred_NH.T @ centred_NH
    values, directions_HH = np.linalg.eigh(covariance_HH)
    first_H2 = directions_HH[:, ::-1][:, :2]
    largest = np.abs(first_H2).argmax(0)
    first_H2 = first_H2 * np.sign(first_H2[largest, [0, 1]])
    total = max(float(values.sum()), np.finfo(np.float64).tiny)
    return centred_NH @ first_H2, np.maximum(values[::-1][:2], 0) / total


def projection_finding(
    probe: str, shares: Mapping[str, float], systems: Mapping[str, Mapping[str, Any]]
) -> str:
    """Where language matters least."""
    what = WHAT.get(probe, probe)
    if len(shares) < 2:
        [(system, share)] = shares.items()
        return (
            f"{systems[system]['label']}: language explains {share:.0f} % of its {what}' variance"
        )
    least, most = (choose(shares, key=shares.__getitem__) for choose in (min, max))
    return (
        f"Vectors of {what}: language explains {shares[least]:.0f} % of the variance in "
        f"{systems[least]['label']}, {shares[most]:.0f} % in {systems[most]['label']}"
    )


def _draw_panel(panel: Any, vectors: Mapping[str, Features]) -> NDArray[np.float64]:
    stacked = np.concatenate([rows for _, rows in vectors.values()])
    points_N2, explained = components(stacked)
    start = 0
    for number, (language, (ids, rows)) in enumerate(vectors.items()):
        shown = [start + row for row in _chosen(ids)]
        panel.plot(
            *points_N2[shown].T,
            MARKERS[number % len(MARKERS)],
            markersize=4,
            markeredgewidth=0,
            alpha=0.65,
            color=PALETTE[number % len(PALETTE)],
            label=language,
        )
        start += len(rows)
    panel.set_xticks([])
    panel.set_yticks([])
    return 100 * explained


def _chosen(ids: Sequence[str]) -> list[int]:
    """The same examples in every language and system: the first by a hash of their ids."""

    def draw(row: int) -> bytes:
        return hashlib.blake2b(ids[row].encode(), digest_size=8).digest()

    return sorted(sorted(range(len(ids)), key=draw)[:SHOWN_PER_LANGUAGE])
