"""Which inputs go together: batches of similar length, in an order that only the seed decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from mluke_core.tasks.base import IntArray

FeatureT = TypeVar("FeatureT")

# Batches that are sorted by length together: long enough for even lengths, short enough that the
# order of an epoch stays random.
POOL_BATCHES = 50


def epoch_batches(lengths: IntArray, batch_size: int, seed: int, epoch: int) -> list[IntArray]:
    """Indices of each batch of one epoch; every input occurs once.

    A seeded shuffle, cut into pools; each pool is sorted by length and cut into batches, whose
    order is shuffled again.

    >>> batches = epoch_batches(np.array([5, 1, 4, 2]), batch_size=2, seed=0, epoch=0)
    >>> sorted(sorted(batch.tolist()) for batch in batches)
    [[0, 2], [1, 3]]
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(lengths))
    pool = batch_size * POOL_BATCHES
    batches = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[first : first + batch_size] for first in range(0, len(part), batch_size)]
    return [batches[index] for index in generator.permutation(len(batches))]


def inference_batches(lengths: IntArray, maximum_rows: int) -> list[IntArray]:
    """Indices sorted by length, cut so that a batch has at most ``maximum_rows`` rows in all.

    >>> [batch.tolist() for batch in inference_batches(np.array([5, 1, 4, 2]), 7)]
    [[1, 3, 2], [0]]
    """
    order = np.argsort(lengths, kind="stable")
    batches: list[IntArray] = []
    first = rows = 0
    for position, length in enumerate(lengths[order].tolist()):
        if rows and rows + length > maximum_rows:
            batches.append(order[first:position])
            first, rows = position, 0
        rows += length
    if rows:
        batches.append(order[first:])
    return batches


def micro_batches(features: Sequence[FeatureT], size: int) -> list[list[FeatureT]]:
    """Cut a batch into the fewest parts of at most ``size`` inputs, every part of every length.

    >>> micro_batches(["a", "b", "c", "d", "e"], 2)
    [['a', 'd'], ['b', 'e'], ['c']]
    """
    count = math.ceil(len(features) / size)
    return [list(features[number::count]) for number in range(count)]
