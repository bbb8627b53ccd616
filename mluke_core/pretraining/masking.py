"""Choose and hide words and entities to be predicted, for a whole batch at once.

Of n words max(1, round(0.15 n)) are chosen; 80 % become the mask token, 10 % a random word, 10 %
stay. Of n entities max(1, round(0.15 n)) are chosen and always become ``[MASK]`` (mLUKE, section
2, and the authors' batch generator). Words under a masked entity are not hidden on purpose.

The choice depends on each sequence's own key, so it is the same in whatever batch it stands.

Shapes: T words of all sequences, B sequences, K chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mluke_core.pretraining.hashing import mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

HIDDEN_SHARE = 0.8
RANDOM_SHARE = 0.1

# Of a 64-bit number; the rest numbers the sequences of a batch.
_RANDOM_BITS = 44
# One stream of random numbers for each question asked of the same token.
_CHOICE, _ACTION, _REPLACEMENT = 0x51, 0x52, 0x53


def choose(
    lengths_B: NDArray[np.int64], share: float, tokens_T: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Indices of the chosen tokens, ascending; none of a sequence without tokens.

    Args:
        lengths_B: tokens of each sequence; the sequences stand one after the other.
        tokens_T: a random 64-bit name of each token.
    """
    wanted_B = np.where(lengths_B > 0, np.maximum(1, np.rint(share * lengths_B)), 0).astype(
        np.int64
    )
    # Sequence above, random bits below: sorted, every sequence's numbers stand in its own place,
    # and the chosen are those up to its wanted-th. numpy sorts much faster than it argsorts.
    sequences_B = np.arange(len(lengths_B), dtype=np.uint64) << np.uint64(_RANDOM_BITS)
    bits_T = mix(_CHOICE, tokens_T) >> np.uint64(64 - _RANDOM_BITS)
    bits_T |= np.repeat(sequences_B, lengths_B)
    last_B = np.cumsum(lengths_B) - lengths_B + wanted_B - 1
    filled_B = lengths_B > 0
    limits_B = np.zeros(len(lengths_B), dtype=np.uint64)
    limits_B[filled_B] = np.sort(bits_T)[last_B[filled_B]]
    return np.flatnonzero(bits_T <= np.repeat(limits_B, lengths_B))


def name_tokens(keys_B: NDArray[np.uint64], lengths_B: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A random 64-bit name of each token, from its sequence's key and its place there."""
    place_T = np.arange(lengths_B.sum()) - np.repeat(np.cumsum(lengths_B) - lengths_B, lengths_B)
    of_place = mix(0, np.arange(lengths_B.max(initial=0)))
    return np.repeat(keys_B, lengths_B) ^ of_place[place_T]


def mask_words(
    word_ids_T: NDArray[np.int64],
    lengths_B: NDArray[np.int64],
    keys_B: NDArray[np.uint64],
    share: float,
    mask_id: int,
    vocabulary_size: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hide words. Returns the word ids as the model sees them (T) and the chosen places (K)."""
    tokens_T = name_tokens(keys_B, lengths_B)
    chosen_K = choose(lengths_B, share, tokens_T)
    action_K = mix(_ACTION, tokens_T[chosen_K]) / 2.0**64
    random_K = (mix(_REPLACEMENT, tokens_T[chosen_K]) % np.uint64(vocabulary_size)).astype(np.int64)
    hidden_T = word_ids_T.copy()
    hidden_T[chosen_K] = np.select(
        [action_K < HIDDEN_SHARE, action_K < HIDDEN_SHARE + RANDOM_SHARE],
        [np.full_like(random_K, mask_id), random_K],
        word_ids_T[chosen_K],
    )
    return hidden_T, chosen_K


def mask_entities(
    entity_ids_E: NDArray[np.int64],
    lengths_B: NDArray[np.int64],
    keys_B: NDArray[np.uint64],
    share: float,
    mask_id: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hide entities. Returns the entity ids as the model sees them and the chosen places (K)."""
    # Another stream than the words of the same sequence: its key is mixed once more.
    chosen_K = choose(lengths_B, share, name_tokens(mix(1, keys_B), lengths_B))
    hidden_E = entity_ids_E.copy()
    hidden_E[chosen_K] = mask_id
    return hidden_E, chosen_K
