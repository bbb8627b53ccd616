"""Running sums of losses and hits, over micro-batches and processes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Losses, Targets

_FIELDS = (
    "sequences",
    "loss",
    "word_loss",
    "entity_loss",
    "words",
    "words_right",
    "entities",
    "entities_right",
    "tokens",
    "flops",
)


@dataclass
class Meter:
    """Sums over batches.

    In training a micro-batch counts by its sequences, as in the gradient; in validation every
    masked word and entity does, so that the mean does not depend on how sequences fell into
    batches.
    """

    per_target: bool = False
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_FIELDS, 0.0))

    def add(self, batch: PackedBatch, targets: Targets, losses: Losses, flops: float = 0.0) -> None:
        """Count one batch, which took so many floating point operations."""
        words, entities = len(targets.word_ids_W), len(targets.entity_ids_K)
        sums = self.sums
        sums["sequences"] += batch.size
        sums["tokens"] += len(batch.word_ids_T)
        sums["flops"] += flops
        sums["loss"] += losses.total.item() * batch.size
        sums["words"] += words
        sums["words_right"] += losses.words.correct.item()
        sums["word_loss"] += losses.words.loss.item() * (words if self.per_target else batch.size)
        if losses.entities is not None:
            sums["entities"] += entities
            sums["entities_right"] += losses.entities.correct.item()
            sums["entity_loss"] += losses.entities.loss.item() * (
                entities if self.per_target else batch.size
            )

    def merge(self, other: Meter) -> None:
        """Add another meter's sums."""
        for key, value in other.sums.items():
            self.sums[key] += value

    def values(self, with_entities: bool) -> dict[str, Any]:
        """Mean losses in nats and accuracies; None where nothing was masked."""
        sums = self.sums
        word_loss = _ratio(sums["word_loss"], sums["words" if self.per_target else "sequences"])
        entity_loss = _ratio(
            sums["entity_loss"], sums["entities" if self.per_target else "sequences"]
        )
        loss = _ratio(sums["loss"], sums["sequences"])
        if self.per_target and word_loss is not None:
            loss = word_loss + (entity_loss or 0.0)
        return {
            "loss": loss,
            "mlm_loss": word_loss,
            "mep_loss": entity_loss if with_entities else None,
            "mlm_accuracy": _ratio(sums["words_right"], sums["words"]),
            "mep_accuracy": (
                _ratio(sums["entities_right"], sums["entities"]) if with_entities else None
            ),
        }

    @property
    def is_finite(self) -> bool:
        """Whether the loss is a number."""
        return math.isfinite(self.sums["loss"])


def _ratio(total: float, count: float) -> float | None:
    return total / count if count else None
