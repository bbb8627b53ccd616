"""Random numbers that depend on their place alone: no state to save, none to replay.

A 64-bit mix (the finaliser of SplitMix64) of a key and an index is as good as random, costs a few
array operations, and gives the same number whoever asks for it, in whatever order.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def key_of(*parts: str | int) -> int:
    """A 64-bit key from names and numbers."""
    text = "\0".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def mix(key: int, values: NDArray[np.integer] | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """64 random bits for every value, under ``key``.

    >>> first, again = mix(1, np.arange(3)), mix(1, np.arange(3))
    >>> bool((first == again).all()), len(set(first.tolist()))
    (True, 3)
    """
    bits = values.astype(np.uint64, copy=False) * _GOLDEN
    bits += np.uint64(key)
    shifted = np.empty_like(bits)
    for factor, shift in ((_FIRST, 30), (_SECOND, 27)):
        bits ^= np.right_shift(bits, np.uint64(shift), out=shifted)
        bits *= factor
    bits ^= np.right_shift(bits, np.uint64(31), out=shifted)
    return bits


def permuted(key: int, values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Where a pseudo-random permutation of 0 … size - 1 sends each value.

    A Feistel network over the next larger power of four; results outside the range are sent on
    until they fall inside (cycle walking), which keeps it a permutation. Needs no memory.

    >>> sorted(permuted(7, np.arange(5), 5).tolist())
    [0, 1, 2, 3, 4]
    """
    half = max(1, (int(size - 1).bit_length() + 1) // 2)
    mask = np.uint64((1 << half) - 1)
    result = values.astype(np.uint64)
    pending = np.arange(len(result))
    while len(pending):
        left, right = result[pending] >> np.uint64(half), result[pending] & mask
        for number in range(4):
            left, right = right, left ^ (mix((key + number) % (1 << 64), right) & mask)
        result[pending] = (left << np.uint64(half)) | right
        pending = pending[result[pending] >= size]
    return result.astype(np.int64)
