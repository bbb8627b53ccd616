"""Fresh weights: a random model, and the entity parameters added to a word model."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import nn

from mluke_core.modeling.config import OFFSET_FAMILIES, ModelConfig
from mluke_core.modeling.prediction import MlukeForPrediction

ENTITY_PARAMETERS = ("encoder.entities.", "entity_head.")
"""Prefixes of the parameters that pretraining adds to the base model ("new" in the config)."""

_SLOWEST_WAVE = 1000
"""Positions per radian of the slowest wave: sequences have up to 512."""


def random_model(config: ModelConfig, seed: int) -> MlukeForPrediction:
    """A model with weights N(0, initializer_range), biases 0, and padding rows 0.

    The weights depend on the configuration and the seed alone.
    """
    with torch.device("meta"):
        model = MlukeForPrediction(config)
    model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        _initialize(module, config.initializer_range, generator)
    with torch.no_grad():
        model.word_head.bias.zero_()
        model.encoder.words.word.weight[config.pad_id] = 0
        if model.entity_head is not None and model.encoder.entities is not None:
            model.entity_head.bias.zero_()
            model.encoder.entities.entity.weight[0] = 0
    return model


def wave_positions(count: int, size: int, deviation: float) -> torch.Tensor:
    """Position embeddings of sines and cosines (Vaswani et al. 2017, 3.5), P x H.

    Neighbours resemble each other from the first step, so that few steps suffice to learn what a
    neighbour is. A row's entries have the mean square ``deviation`` ** 2.
    """
    position_P1 = torch.arange(count, dtype=torch.float32)[:, None]
    even_W = torch.arange(0, size, 2, dtype=torch.float32)
    angles_PW = position_P1 * torch.exp(-even_W / size * math.log(_SLOWEST_WAVE))
    waves_PH = torch.stack([angles_PW.sin(), angles_PW.cos()], dim=2).flatten(1)[:, :size]
    return deviation * math.sqrt(2) * waves_PH


def _initialize(module: nn.Module, deviation: float, generator: torch.Generator) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=deviation, generator=generator)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
    if isinstance(module, nn.Linear | nn.LayerNorm) and module.bias is not None:
        nn.init.zeros_(module.bias)


def luke_config(base: ModelConfig, entity_count: int, entity_embedding_size: int) -> ModelConfig:
    """The configuration of ``base`` with entities.

    LUKE positions start after the padding id; a BERT base gets empty rows before its first one.
    """
    shift = 0 if base.family in OFFSET_FAMILIES else base.pad_id + 1
    return dataclasses.replace(
        base,
        family="luke",
        position_count=base.position_count + shift,
        entity_count=entity_count,
        entity_embedding_size=entity_embedding_size,
    )


@torch.no_grad()
def add_entities(
    base: MlukeForPrediction,
    entity_count: int,
    entity_embedding_size: int,
    seed: int,
    copy_positions: bool = False,
) -> MlukeForPrediction:
    """A LUKE model with the words of ``base`` and fresh entity parameters, drawn as the base
    was (N(0, 0.02) for a published one).

    ``base`` must not be used afterwards: the models share their weights.

    Args:
        copy_positions: the position embeddings of entities start as those of words, so that an
            entity resembles the words of its mention from the first step.
    """
    config = luke_config(base.config, entity_count, entity_embedding_size)
    model = random_model(config, seed)
    kept = dict(base.named_parameters())
    positions = kept["encoder.words.position.weight"]
    shift = config.position_count - len(positions)
    if shift:
        kept["encoder.words.position.weight"] = nn.Parameter(
            torch.cat([positions.new_zeros(shift, positions.shape[1]), positions])
        )
    model.load_state_dict(kept, strict=False, assign=True)
    if copy_positions:
        assert model.encoder.entities is not None  # luke_config gives every model entities
        # Entity positions count from the first row on, word positions from the offset.
        words_PH = model.encoder.words.position.weight[config.position_offset :]
        model.encoder.entities.position.weight[: len(words_PH)] = words_PH
    return model
