"""The authors' batch generator written again: one sequence at a time, one token at a time.

What it does is known from their code (``luke/pretraining/batch_generator.py``): every sequence gets
arrays of the greatest length; ids become token strings, which would tell subwords apart for
whole-word masking (mLUKE leaves it off); each token becomes a group of its own; groups that overlap
a masked entity are sorted out where such words are hidden on purpose (mLUKE: none, but every group
is looked at); groups are walked in random order with one draw each. Arrays are cut to the longest
of the batch, stacked, and go through a queue to the process that trains.

Left out, in the peer's favour: reading TFRecords, shuffling, the queue's pickle and its pipe.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from mluke_core.pretraining.shards import Row

IGNORED, PAD, FIRST, LAST, ENTITY_MASK = -1, 1, 0, 2, 2
SHARE, HIDDEN, REPLACED = 0.15, 0.8, 0.9
LONGEST, MOST_ENTITIES = 512, 128


class Item(NamedTuple):
    """A sequence as their reader gives it."""

    word_ids: np.ndarray
    entity_ids: np.ndarray
    positions: np.ndarray
    """Entities x words of a mention, filled up with -1."""


class Words(NamedTuple):
    """What their tokenizer knows."""

    token_of: Callable[[int], str | None]
    vocabulary: int
    mask_id: int


def item_of(row: Row, longest_mention: int) -> Item:
    """The same sequence as :class:`mluke_core.pretraining.shards.Row` and as theirs."""
    places = row.starts.astype(np.int64)[:, None] + np.arange(longest_mention)
    positions = np.where(places < row.ends[:, None], places, -1)
    return Item(row.input_ids.astype(np.int64), row.entity_ids.astype(np.int64), positions)


def word_features(item: Item, words: Words) -> dict[str, np.ndarray]:
    """Arrays of the words of one sequence, masked token by token."""
    count = item.word_ids.size
    ids = np.full(LONGEST, PAD)
    ids[: count + 2] = np.concatenate([[FIRST], item.word_ids, [LAST]])
    kept = np.zeros(LONGEST, dtype=np.int64)
    kept[: count + 2] = 1
    labels = np.full(LONGEST, IGNORED)

    def hide(group: list[int]) -> None:
        draw = random.random()
        for place in group:
            labels[place] = ids[place]
            if draw < HIDDEN:
                ids[place] = words.mask_id
            elif draw < REPLACED:
                ids[place] = random.randint(PAD + 1, words.vocabulary - 1)

    groups: list[list[int]] = []
    for place, _ in enumerate([words.token_of(int(number)) for number in item.word_ids], 1):
        groups.append([place])
    hidden_on_purpose: frozenset[int] = frozenset()
    groups = [g for g in groups if all(place not in hidden_on_purpose for place in g)]
    wanted, done = max(1, round(count * SHARE)), 0
    for number in np.random.permutation(len(groups)):
        group = groups[number]
        if len(group) > wanted - done:
            continue
        hide(group)
        done += len(group)
        if done == wanted:
            break
    return {
        "word_ids": ids,
        "word_attention_mask": kept,
        "word_segment_ids": np.zeros(LONGEST, dtype=np.int64),
        "masked_lm_labels": labels,
    }


def entity_features(item: Item) -> dict[str, np.ndarray]:
    """Arrays of the entities of one sequence, masked."""
    count = item.entity_ids.size
    ids = np.zeros(MOST_ENTITIES, dtype=np.int64)
    ids[:count] = item.entity_ids
    kept = np.zeros(MOST_ENTITIES, dtype=np.int64)
    kept[:count] = 1
    positions = np.full((MOST_ENTITIES, item.positions.shape[1]), -1)
    positions[:count] = item.positions + (item.positions != -1)
    labels = np.full(MOST_ENTITIES, IGNORED)
    masked_places = []
    for number in np.random.permutation(range(count))[: max(1, round(count * SHARE))]:
        labels[number] = item.entity_ids[number]
        ids[number] = ENTITY_MASK
        masked_places.append([int(place) for place in positions[number] if place != -1])
    return {
        "entity_ids": ids,
        "entity_position_ids": positions,
        "entity_attention_mask": kept,
        "entity_segment_ids": np.zeros(MOST_ENTITIES, dtype=np.int64),
        "masked_entity_labels": labels,
    }


def batch(items: Sequence[Item], words: Words) -> dict[str, torch.Tensor]:
    """A padded batch of tensors, as their training step takes it."""
    of_entities = [entity_features(item) for item in items]
    of_words = [word_features(item, words) for item in items]
    longest = max(item.word_ids.size for item in items) + 2
    most = max(1, *(item.entity_ids.size for item in items))
    arrays = {
        name: np.stack([features[name][:length] for features in rows])
        for rows, length in ((of_words, longest), (of_entities, most))
        for name in rows[0]
    }
    # A queue between two processes copies what is sent twice: into a message and out of it.
    sent = {name: (array.tobytes(), array.dtype, array.shape) for name, array in arrays.items()}
    return {
        name: torch.from_numpy(np.frombuffer(message, dtype).reshape(shape).copy())
        for name, (message, dtype, shape) in sent.items()
    }
