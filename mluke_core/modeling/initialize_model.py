"""A fresh random word model whose vocabulary is a tokenizer's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mluke_core.errors import ConfigError
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.folder import POOLER, model_card, write_model_folder
from mluke_core.modeling.initialization import random_model, wave_positions
from mluke_core.sequences.tokenizer import Tokenizer

_KEYS = {"layers", "hidden_size", "heads", "intermediate_size"}
_OPTIONAL = {"dropout", "initializer_range", "positions"}
_POSITIONS = ("random", "waves")
# Longest input of both families, special tokens included.
_MAXIMUM_LENGTH = 512


def initialize_model(
    architecture: Mapping[str, Any], tokenizer_folder: Path, seed: int, output: Path
) -> None:
    """Write a random model to ``output``: XLM-R-type, or BERT-type for a BERT tokenizer.

    Args:
        architecture: layers, hidden_size, heads, intermediate_size; dropout if it is not 0.1, and
            initializer_range (standard deviation of the weights) if it is not 0.02; positions:
            how position embeddings start, ``random`` or ``waves``
            (:func:`~mluke_core.modeling.initialization.wave_positions`). Entity parameters that
            pretraining adds later are drawn with the same initializer_range.

    Raises:
        ConfigError: for a key that is missing, unknown, or does not fit the others.
    """
    sizes = {key: value for key, value in architecture.items() if key not in _OPTIONAL}
    if set(sizes) != _KEYS:
        raise ConfigError(
            f"models: an architecture has the keys {', '.join(sorted(_KEYS))}; this one has"
            f" {', '.join(sorted(sizes)) or 'none'}."
        )
    if architecture["hidden_size"] % architecture["heads"]:
        raise ConfigError(
            f"models: hidden_size {architecture['hidden_size']} is not a multiple of heads"
            f" {architecture['heads']}."
        )
    positions = architecture.get("positions", "random")
    if positions not in _POSITIONS:
        raise ConfigError(
            f"models: positions of an architecture is {positions!r}; write one of"
            f" {', '.join(_POSITIONS)}."
        )
    dropout = architecture.get("dropout", 0.1)
    tokenizer = Tokenizer.load(tokenizer_folder)
    bert = tokenizer.token_of(tokenizer.mask_id) == "[MASK]"
    config = ModelConfig(
        family="bert" if bert else "xlm-roberta",
        vocabulary_size=tokenizer.vocabulary_size,
        position_count=_MAXIMUM_LENGTH if bert else _MAXIMUM_LENGTH + tokenizer.pad_id + 1,
        type_count=2 if bert else 1,
        layer_norm_eps=1e-12 if bert else 1e-5,
        pad_id=tokenizer.pad_id,
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
        hidden_dropout=dropout,
        attention_dropout=dropout,
        initializer_range=architecture.get("initializer_range", 0.02),
        **sizes,
    )
    model = random_model(config, seed)
    if positions == "waves":
        with torch.no_grad():
            table_PH = model.encoder.words.position.weight
            rows, size = table_PH.shape
            table_PH.copy_(wave_positions(rows, size, config.initializer_range))
    generator = torch.Generator().manual_seed(seed + 1)
    pooler = {
        POOLER[0]: torch.randn(2 * (config.hidden_size,), generator=generator)
        * config.initializer_range,
        POOLER[1]: torch.zeros(config.hidden_size),
    }
    facts = {"family": config.family, **architecture, "vocabulary": config.vocabulary_size}
    card = model_card(
        f"Random {config.family} model",
        facts | {"seed": seed},
        "Weights drawn at random and not trained: a starting point for pretraining.",
    )
    write_model_folder(
        output, config, dict(model.named_parameters()), tokenizer_folder, card, pooler
    )
