"""A LUKE checkpoint as the start of further pretraining, with another entity vocabulary.

Rows of the entity table are carried over by name; an entity that the checkpoint does not know is
drawn anew, as in a fresh model.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.initialization import ENTITY_PARAMETERS, add_entities
from mluke_core.modeling.loading import build_model, load_for_prediction
from mluke_core.modeling.prediction import MlukeForPrediction
from mluke_core.modeling.words_only import words_only

log = logging.getLogger("mluke")

ENTITY_VOCABULARY = "entity_vocab.json"
_TABLES = ("encoder.entities.entity.weight", "entity_head.bias")


def words_of(base: Path) -> MlukeForPrediction:
    """The word model inside the LUKE model of folder ``base``."""
    config, weights = words_only(*_config_and_weights(base))
    return build_model(config, weights, base)


def luke_with_vocabulary(base: Path, vocabulary: Path, seed: int) -> MlukeForPrediction:
    """The LUKE model of folder ``base`` with the entities of ``vocabulary``.

    Args:
        vocabulary: Parquet file of the entity vocabulary.
        seed: of the rows that are new.

    Raises:
        DataError: when the model shares no entity with the vocabulary.
    """
    config, old = _config_and_weights(base)
    names = read_json(base / ENTITY_VOCABULARY)
    rows, found = _rows_by_name(vocabulary, names)
    if not found:
        raise DataError(
            f"{base}: none of its entities is in {vocabulary}. Is {ENTITY_VOCABULARY} this model's?"
        )
    log.info("%s: %d of %d entities are carried over", base, found, len(rows))
    model = add_entities(words_of(base), len(rows), config.entity_embedding_size, seed)
    known_K = (rows >= 0).nonzero()[:, 0]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in _TABLES:
                parameter[known_K] = old[name][rows[known_K]]
            elif name.startswith(ENTITY_PARAMETERS):
                parameter.copy_(old[name])
    return model


def _config_and_weights(base: Path) -> tuple[ModelConfig, dict[str, torch.Tensor]]:
    model = load_for_prediction(base)
    return model.config, {name: value.detach() for name, value in model.named_parameters()}


def _rows_by_name(vocabulary: Path, names: Mapping[str, int]) -> tuple[torch.Tensor, int]:
    """Row of the checkpoint for every entity of the vocabulary, -1 for one that it does not know;
    and how many, special ones apart, it knows."""
    try:
        titles = pq.read_table(vocabulary, columns=["titles"])["titles"].to_pylist()
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise DataError(f"{vocabulary}: not an entity vocabulary ({error}).") from None
    rows, found = [], 0
    for entity in titles:
        row, language = -1, ""
        for title in entity:
            language = title["language"]
            name = f"{language}:{title['title']}" if language else title["title"]
            row = names.get(name, -1)
            if row >= 0:
                break
        rows.append(row)
        found += row >= 0 and bool(language)
    return torch.tensor(rows), found
