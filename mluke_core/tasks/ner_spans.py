"""Candidate spans of a sentence, and the stretch of its document that the model sees with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mluke_core.tasks.base import IntArray


@dataclass(frozen=True)
class Piece:
    """A stretch of a sentence's words that fits into one input; most sentences are one piece.

    Attributes:
        first, last: its words, ``last`` exclusive.
        owned: only spans that start before this word are the piece's own; later ones belong to
            the next piece, which overlaps this one.
    """

    first: int
    last: int
    owned: int


def pieces(starts: IntArray, maximum: int, longest_span: int) -> list[Piece]:
    """Cut a sentence so that every span of ≤ ``longest_span`` tokens lies within one piece.

    Args:
        starts: first token of each word, and the number of tokens at the end.
        maximum: tokens that fit into one input.
        longest_span: tokens of the longest candidate.

    >>> pieces(np.array([0, 4, 8, 12]), maximum=8, longest_span=4)
    [Piece(first=0, last=2, owned=2), Piece(first=2, last=3, owned=3)]
    >>> pieces(np.array([0, 4, 8, 12]), maximum=8, longest_span=8)
    [Piece(first=0, last=2, owned=1), Piece(first=1, last=3, owned=3)]
    """
    words = len(starts) - 1
    found = []
    first = 0
    while first < words:
        last = int(np.searchsorted(starts, starts[first] + maximum, side="right")) - 1
        last = max(last, first + 1)
        if last >= words:
            found.append(Piece(first, words, words))
            break
        owned = int(np.searchsorted(starts, starts[last] - longest_span, side="right"))
        owned = min(max(owned, first + 1), last)
        found.append(Piece(first, last, owned))
        first = owned
    return found


def candidate_spans(starts: IntArray, piece: Piece, longest_span: int) -> IntArray:
    """All (first word, word after the last) of ≤ ``longest_span`` tokens that a piece owns, N x 2.

    >>> candidate_spans(np.array([0, 1, 3, 4]), Piece(0, 3, 3), 3).tolist()
    [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    """
    first = np.arange(piece.first, piece.owned)
    ends = np.searchsorted(starts[: piece.last + 1], starts[first] + longest_span, side="right") - 1
    counts = np.maximum(ends - first, 0)
    begins = np.repeat(first, counts)
    steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([begins, begins + steps + 1], axis=1)


def context_limits(start: int, end: int, total: int, maximum: int) -> tuple[int, int]:
    """Tokens of the document to show with the sentence ``start:end``: as evenly as possible.

    The side with less text gives at most half of the room, the other fills what is left.

    >>> context_limits(10, 20, 100, 30), context_limits(2, 12, 100, 30)
    ((0, 30), (0, 30))
    >>> context_limits(50, 60, 100, 30), context_limits(95, 100, 100, 30)
    ((40, 70), (70, 100))
    """
    left, right = start, total - end
    room = max(maximum - (end - start), 0)
    if left < right:
        left = min(left, room // 2)
        right = min(right, room - left)
    else:
        right = min(right, room // 2)
        left = min(left, room - right)
    return start - left, end + right


def chunks(spans: IntArray, maximum: int) -> Iterator[IntArray]:
    """Cut a list of spans into parts of nearly equal size, at most ``maximum`` each.

    >>> [len(part) for part in chunks(np.zeros((300, 2)), 128)]
    [100, 100, 100]
    """
    parts = math.ceil(len(spans) / maximum)
    if parts:
        size = math.ceil(len(spans) / parts)
        for start in range(0, len(spans), size):
            yield spans[start : start + size]


def greedy(spans: IntArray, labels: IntArray, scores: NDArray[np.float32]) -> list[int]:
    """Indices of the spans that are kept: best score first, none that overlaps a better one.

    Args:
        spans: N x 2, first word and word after the last.
        labels: the best label of each, 0 for none.
        scores: the logit of that label.

    >>> spans = np.array([[0, 1], [0, 2], [2, 3]])
    >>> greedy(spans, np.array([1, 2, 0]), np.array([3.0, 4.0, 9.0], dtype=np.float32))
    [1]
    """
    candidates = np.flatnonzero(labels)
    order = candidates[
        np.lexsort((spans[candidates, 1], spans[candidates, 0], -scores[candidates]))
    ]
    taken: set[int] = set()
    kept = []
    for index in order.tolist():
        words = range(int(spans[index, 0]), int(spans[index, 1]))
        if taken.isdisjoint(words):
            taken.update(words)
            kept.append(index)
    return kept


def token_starts(lengths: Sequence[int]) -> IntArray:
    """Cumulative token counts of words, with a leading 0."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
