"""Modularity of the cross-lingual neighbour graph (Table 4): do vectors cluster by language?

The measure of Fujinuma, Boyd-Graber and Paul (ACL 2019), as their program computes it: nodes are
the vectors of two languages, i and j are joined when one is among the k nearest neighbours of the
other by cosine, with weight A_ij = max(cosine, 0) and no loops. With 2m the number of non-zero
entries of A,

    e_l = sum of A_ij over i, j in language l, by 2m
    a_l = sum of A_ij over i in language l and every j, by 2m
    Q = sum over l of (e_l - a_l^2)
    Q_max = sum over l of (e^max_l - a_l^2),

where e^max_l counts every non-zero entry in the rows of language l with weight 1, by 2m; as every
entry stands in the row of some language, Q_max = 1 - sum of a_l^2. The score is Q / Q_max: near 0
when language plays no part, towards 1 when neighbours share it.

Shapes: N nodes, H features, L languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mluke_core.metrics.ranking import normalised


@dataclass(frozen=True)
class Modularity:
    """The parts of the measure."""

    q: float
    q_max: float
    edges: int
    """Joined pairs with a positive weight (m)."""

    @property
    def normalised(self) -> float:
        """Q / Q_max; 0 for a graph without edges."""
        return self.q / self.q_max if self.q_max else 0.0


def neighbour_graph(vectors_NH: np.ndarray, neighbours: int) -> npt.NDArray[np.float64]:
    """Adjacency matrix A of the k-nearest-neighbour graph, N x N, symmetric, zero diagonal.

    Of equally near neighbours those that come first are taken.

    Raises:
        ValueError: there are not more than ``neighbours`` nodes.

    >>> neighbour_graph(np.array([[1.0, 0], [1, 0], [0, 1]]), 1).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    nodes = len(vectors_NH)
    if not 0 < neighbours < nodes:
        raise ValueError(f"{neighbours} neighbours of each of {nodes} vectors")
    unit_NH = normalised(vectors_NH)
    cosines_NN = unit_NH @ unit_NH.T
    np.fill_diagonal(cosines_NN, -np.inf)
    nearest = np.argsort(-cosines_NN, axis=1, kind="stable")[:, :neighbours]
    joined_NN = np.zeros((nodes, nodes), dtype=bool)
    np.put_along_axis(joined_NN, nearest, True, axis=1)
    joined_NN |= joined_NN.T
    weights_NN = np.where(joined_NN, np.maximum(cosines_NN, 0.0), 0.0)
    # Products of rounded rows need not be symmetric to the last bit.
    return (weights_NN + weights_NN.T) / 2


def modularity(weights_NN: npt.ArrayLike, languages_N: Sequence[int] | np.ndarray) -> Modularity:
    """Modularity of a weighted graph whose nodes belong to languages 0 ... L-1.

    >>> pairs = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    >>> modularity(pairs, [0, 0, 1, 1]).normalised, modularity(pairs, [0, 1, 0, 1]).normalised
    (1.0, -1.0)
    """
    weights = np.asarray(weights_NN, dtype=np.float64)
    languages = np.asarray(languages_N)
    two_m = int(np.count_nonzero(weights))
    if two_m == 0:
        return Modularity(0.0, 0.0, 0)
    member_NL = (languages[:, None] == np.unique(languages)).astype(np.float64)
    within_L = np.einsum("nl,nm,ml->l", member_NL, weights, member_NL, optimize=True) / two_m
    share_L = member_NL.T @ weights.sum(1) / two_m
    most_L = member_NL.T @ np.count_nonzero(weights, axis=1) / two_m
    q = float((within_L - share_L**2).sum())
    q_max = float((most_L - share_L**2).sum())
    return Modularity(q, q_max, two_m // 2)


def normalised_modularity(
    first_NH: np.ndarray, second_NH: np.ndarray, neighbours: int
) -> Modularity:
    """Modularity of the neighbour graph of two languages' vectors."""
    graph = neighbour_graph(np.concatenate([first_NH, second_NH]), neighbours)
    return modularity(graph, np.repeat([0, 1], [len(first_NH), len(second_NH)]))
