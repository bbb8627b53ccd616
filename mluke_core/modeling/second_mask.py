"""``[MASK2]``: a second mask entity, for tasks that mask two entities of one sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch

from mluke_core.errors import DataError
from mluke_core.modeling.config import ModelConfig

MASK, SECOND_MASK = "[MASK]", "[MASK2]"

# The embedding and, where the model has an entity head, its output bias.
_TABLES = ("encoder.entities.entity.weight", "entity_head.bias")


def append_second_mask(
    config: ModelConfig,
    weights: Mapping[str, torch.Tensor],
    vocabulary: Mapping[str, int],
    where: str | Path,
) -> tuple[ModelConfig, dict[str, torch.Tensor], dict[str, int]]:
    """Add ``[MASK2]`` as the last entity, a copy of ``[MASK]``; nothing when it is there.

    Args:
        weights: tensors by this project's names.
        vocabulary: ``{"[MASK]": 2, "en:Japan": 7, …}``.
        where: names the vocabulary in error messages.

    Raises:
        DataError: when there is no ``[MASK]``, or an id that is no row of the entity table.
    """
    largest = max(vocabulary.values(), default=-1)
    if MASK not in vocabulary:
        raise DataError(f"{where}: no entity {MASK}. Is this an entity vocabulary?")
    if largest >= config.entity_count or min(vocabulary.values()) < 0:
        raise DataError(
            f"{where}: entity ids up to {largest}, but the model's entity table has"
            f" {config.entity_count} rows. Vocabulary and weights do not belong together."
        )
    extended = dict(weights)
    if SECOND_MASK in vocabulary:
        return config, extended, dict(vocabulary)
    mask = vocabulary[MASK]
    for name in _TABLES:
        if name in extended:
            table = extended[name].detach()
            extended[name] = torch.cat([table, table[mask : mask + 1]])
    return (
        dataclasses.replace(config, entity_count=config.entity_count + 1),
        extended,
        {**vocabulary, SECOND_MASK: config.entity_count},
    )
