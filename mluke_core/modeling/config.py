"""Sizes and switches of a model, and their form in a Hugging Face ``config.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mluke_core.errors import DataError
from mluke_core.io.files import read_json

# Positions of RoBERTa-type encoders start after the padding id; BERT counts from 0.
OFFSET_FAMILIES = ("xlm-roberta", "roberta", "luke")
FAMILIES = (*OFFSET_FAMILIES, "bert")

# `transformers` leaves out of config.json what equals its own default.
_HUB_DEFAULTS: dict[str, Any] = {
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
}


@dataclass(frozen=True)
class ModelConfig:
    """An encoder of the BERT family, with or without entity embeddings."""

    family: str
    """``model_type`` of the Hugging Face configuration: xlm-roberta, roberta, bert or luke."""
    vocabulary_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    position_count: int
    """Rows of the position table, including the offset of RoBERTa-type encoders."""
    type_count: int = 1
    layer_norm_eps: float = 1e-5
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    initializer_range: float = 0.02
    pad_id: int = 1
    bos_id: int = 0
    eos_id: int = 2
    entity_count: int = 0
    """Rows of the entity embedding table; 0 for a word-only model."""
    entity_embedding_size: int = 0

    @property
    def has_entities(self) -> bool:
        """Whether the model takes entities."""
        return self.family == "luke"

    @property
    def position_offset(self) -> int:
        """Row of the position table that the first token of a sequence uses."""
        return self.pad_id + 1 if self.family in OFFSET_FAMILIES else 0

    @property
    def maximum_length(self) -> int:
        """Longest sequence in tokens, special tokens included."""
        return self.position_count - self.position_offset


@dataclass(frozen=True)
class WordModelConfig:
    """What a task or probe has to know of an encoder of another family: words in, vectors out."""

    family: str
    """``model_type`` of the Hugging Face configuration."""
    vocabulary_size: int
    hidden_size: int
    maximum_length: int
    """Longest sequence in tokens, special tokens included."""
    hidden_dropout: float
    pad_id: int
    has_entities: ClassVar[bool] = False


def config_from_hub(hub: dict[str, Any], where: str | Path) -> ModelConfig:
    """Read a Hugging Face configuration; ``where`` names the file in error messages.

    Raises:
        DataError: for another architecture, or a setting this encoder does not have.
    """
    hub = {**_HUB_DEFAULTS, **hub}
    family = hub.get("model_type")
    if family not in FAMILIES:
        raise DataError(
            f"{where}: model_type is {family!r}; pretraining and mLAMA take one of "
            f"{', '.join(FAMILIES)}. Another encoder can be fine-tuned, and probed by its word "
            "vectors (CWR, modularity), with inputs: word."
        )
    for key, wanted in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if hub.get(key, wanted) != wanted:
            raise DataError(f"{where}: {key} is {hub[key]!r}; only {wanted!r} is known.")
    bert = family == "bert"
    try:
        config = ModelConfig(
            family=family,
            vocabulary_size=hub["vocab_size"],
            hidden_size=hub["hidden_size"],
            layers=hub["num_hidden_layers"],
            heads=hub["num_attention_heads"],
            intermediate_size=hub["intermediate_size"],
            position_count=hub["max_position_embeddings"],
            type_count=hub["type_vocab_size"],
            layer_norm_eps=hub["layer_norm_eps"],
            hidden_dropout=hub["hidden_dropout_prob"],
            attention_dropout=hub["attention_probs_dropout_prob"],
            initializer_range=hub["initializer_range"],
            pad_id=hub.get("pad_token_id", 0 if bert else 1),
            bos_id=hub.get("bos_token_id", 101 if bert else 0),
            eos_id=hub.get("eos_token_id", 102 if bert else 2),
            entity_count=hub["entity_vocab_size"] if family == "luke" else 0,
            entity_embedding_size=hub["entity_emb_size"] if family == "luke" else 0,
        )
    except KeyError as error:
        raise DataError(f"{where}: no {error.args[0]!r} in this configuration.") from None
    if config.hidden_size % config.heads:
        raise DataError(
            f"{where}: hidden_size {config.hidden_size} is not a multiple of"
            f" num_attention_heads {config.heads}."
        )
    return config


def config_to_hub(config: ModelConfig) -> dict[str, Any]:
    """The Hugging Face configuration that ``transformers`` builds the same model from."""
    classes = {
        "luke": "LukeForMaskedLM",
        "bert": "BertForMaskedLM",
        "roberta": "RobertaForMaskedLM",
        "xlm-roberta": "XLMRobertaForMaskedLM",
    }
    hub: dict[str, Any] = {
        "architectures": [classes[config.family]],
        "model_type": config.family,
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.intermediate_size,
        "hidden_act": "gelu",
        "max_position_embeddings": config.position_count,
        "type_vocab_size": config.type_count,
        "layer_norm_eps": config.layer_norm_eps,
        "hidden_dropout_prob": config.hidden_dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "initializer_range": config.initializer_range,
        "pad_token_id": config.pad_id,
        "bos_token_id": config.bos_id,
        "eos_token_id": config.eos_id,
    }
    if config.has_entities:
        hub |= {
            "entity_vocab_size": config.entity_count,
            "entity_emb_size": config.entity_embedding_size,
            "use_entity_aware_attention": False,
            "cls_token_id": config.bos_id,
        }
    return hub


def read_config(folder: str | Path) -> ModelConfig:
    """The configuration of a folder of one of the :data:`FAMILIES`."""
    path = Path(folder) / "config.json"
    return config_from_hub(read_json(path), path)


def read_encoder_config(folder: str | Path) -> ModelConfig | WordModelConfig:
    """The configuration of the folder of any encoder.

    Raises:
        DataError: no encoder, or one that cannot be used here.
    """
    path = Path(folder) / "config.json"
    if is_own_family(read_json(path)):
        return read_config(folder)
    from mluke_core.modeling.auto_encoder import read_word_config  # brings transformers with it

    return read_word_config(folder)


def is_own_family(hub: dict[str, Any]) -> bool:
    """Whether a Hugging Face configuration is of one of the :data:`FAMILIES`.

    The others are left to ``transformers``: :mod:`mluke_core.modeling.auto_encoder`.
    """
    return hub.get("model_type") in FAMILIES
