"""The baseline that learning must beat: predicting every word and entity by its frequency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining.shards import UnpackedRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of each language; counts from more change the entropy in the fourth digit.
COUNTED_SEQUENCES = 20_000


def unigram_log_probabilities(
    training: Mapping[str, UnpackedRows],
    shares: Mapping[str, float],
    word_count: int,
    entity_count: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-probabilities (nats) of words and entities in the training data.

    Languages are mixed as training mixes them; one is added to every count, so that what was
    never seen has a probability too.
    """
    mixed = [np.zeros(word_count), np.zeros(entity_count)]
    totals = [0.0, 0.0]
    for language, rows in training.items():
        counts = _count(rows, word_count, entity_count)
        for kind, count in enumerate(counts):
            total = count.sum()
            totals[kind] += total
            if total:
                mixed[kind] += shares[language] * count / total
    words, entities = (
        np.log((share * total + 1) / (share.sum() * total + len(share)))
        for share, total in zip(mixed, totals, strict=True)
    )
    return words, entities


def _count(
    rows: UnpackedRows, word_count: int, entity_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    words = np.zeros(word_count, dtype=np.int64)
    entities = np.zeros(entity_count, dtype=np.int64)
    for number in range(min(len(rows), COUNTED_SEQUENCES)):
        row = rows.row(number)
        np.add.at(words, row.input_ids, 1)
        if entity_count:
            np.add.at(entities, row.entity_ids, 1)
    return words, entities


def unigram_scores(
    targets: Iterable[Targets], words: NDArray[np.float64], entities: NDArray[np.float64]
) -> dict[str, float | None]:
    """Mean loss in nats at the masked words and entities of validation batches, and the share that
    guessing the most frequent word or entity always gets right."""
    everything = list(targets)
    word_ids = np.concatenate([[], *(target.word_ids_W.cpu().numpy() for target in everything)])
    entity_ids = np.concatenate([[], *(target.entity_ids_K.cpu().numpy() for target in everything)])
    scores: dict[str, float | None] = {}
    for name, ids, log_probabilities in (("mlm", word_ids, words), ("mep", entity_ids, entities)):
        ids = ids.astype(np.int64)
        known = len(ids) > 0
        scores[f"{name}_loss"] = float(-log_probabilities[ids].mean()) if known else None
        scores[f"{name}_accuracy"] = (
            float((ids == log_probabilities.argmax()).mean()) if known else None
        )
    return scores
