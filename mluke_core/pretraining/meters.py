"""Running sums of losses and hits, over micro-batches and processes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Losses, Targets
from mluke_core.pretraining.distributed import World

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
    """Complete after :meth:`gather`."""
    _unread: list[tuple[str, torch.Tensor, float]] = field(default_factory=list)
    """Field, number on the device, and what to multiply it with."""

    def add(self, batch: PackedBatch, targets: Targets, losses: Losses, flops: float = 0.0) -> None:
        """Count one batch, which took so many floating point operations.

        Its losses are left on the device: reading them would wait for the step.
        """
        words, entities = len(targets.word_ids_W), len(targets.entity_ids_K)
        sums = self.sums
        sums["sequences"] += batch.size
        sums["tokens"] += len(batch.word_ids_T)
        sums["flops"] += flops
        sums["words"] += words
        self._add_later("loss", losses.total, batch.size)
        self._add_later("words_right", losses.words.correct)
        self._add_later("word_loss", losses.words.loss, words if self.per_target else batch.size)
        if losses.entities is not None:
            sums["entities"] += entities
            self._add_later("entities_right", losses.entities.correct)
            self._add_later(
                "entity_loss", losses.entities.loss, entities if self.per_target else batch.size
            )

    def _add_later(self, key: str, value: torch.Tensor, weight: float = 1) -> None:
        self._unread.append((key, value.detach(), weight))

    def gather(self, world: World) -> None:
        """Read what is still on the device, all at once, and sum over all processes."""
        if self._unread:
            values = torch.stack([value.double() for _, value, _ in self._unread])
            for (key, _, weight), value in zip(self._unread, values.tolist(), strict=True):
                self.sums[key] += value * weight
            self._unread.clear()
        totals = world.sum(list(self.sums.values()))
        self.sums = dict(zip(self.sums, totals, strict=True))

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
