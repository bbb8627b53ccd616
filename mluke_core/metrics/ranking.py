"""Reciprocal ranks by cosine, with ties handled (contextualized word retrieval, Table 2).

Shapes: Q queries, P pool, N vectors, H features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
# Cosines closer than this are a tie: it is a hundred times the rounding error of float32 vectors
# and far below any difference that means something.
TIE = 1e-6


def reciprocal_ranks(
    queries_QH: Vectors, pool_PH: Vectors, right_Q: Sequence[int]
) -> NDArray[np.float64]:
    """Reciprocal rank (Q) of each query's right pool vector by cosine, from 0 to 1.

    Pool vectors whose cosines differ by at most :data:`TIE` are tied; each order of tied vectors
    is equally likely, and the expected reciprocal rank counts: with b vectors ahead and t tied
    (the right one included) it is the mean of 1/(b+1) ... 1/(b+t).

    >>> pool = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    >>> reciprocal_ranks(pool[:2], pool, [0, 1]).tolist()
    [1.0, 0.75]
    """
    cosines_QP = normalised(queries_QH) @ normalised(pool_PH).T
    right_cosine_Q = cosines_QP[np.arange(len(right_Q)), right_Q]
    ahead_Q = (cosines_QP > right_cosine_Q[:, None] + TIE).sum(1)
    tied_Q = (np.abs(cosines_QP - right_cosine_Q[:, None]) <= TIE).sum(1)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, len(pool_PH) + 1))])
    return (harmonic[ahead_Q + tied_Q] - harmonic[ahead_Q]) / tied_Q


def mean_reciprocal_rank(queries_QH: Vectors, pool_PH: Vectors, right_Q: Sequence[int]) -> float:
    """Mean of :func:`reciprocal_ranks`, from 0 to 1."""
    return float(reciprocal_ranks(queries_QH, pool_PH, right_Q).mean())


def normalised(vectors_NH: Vectors) -> NDArray[np.float64]:
    """Rows of length 1, in float64; a zero row stays zero."""
    lengths_N = np.linalg.norm(vectors_NH.astype(np.float64), axis=1, keepdims=True)
    return vectors_NH / np.where(lengths_N > 0, lengths_N, 1.0)
