"""Encoder with its prediction heads: masked words (MLM) and masked entities (MEP).

Both heads transform the hidden state, multiply with the embedding table of their vocabulary (the
table is shared) and add a bias. They are only ever computed at the rows asked for.

Shapes: N rows, H hidden size, E entity embedding size, C candidates, L rows of the encoder,
W masked words, K masked entities.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.errors import DataError
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.cross_entropy import (
    CrossEntropy,
    chunked_cross_entropy,
    chunked_log_normalizer,
)
from mluke_core.modeling.encoder import MlukeEncoder
from mluke_core.modeling.inputs import PackedBatch, copy_to
from mluke_core.modeling.layers import LayerNorm, Linear


class Head(nn.Module):
    """Linear, gelu, LayerNorm, and a bias for every entry of the vocabulary."""

    def __init__(self, hidden_size: int, feature_size: int, vocabulary: int, eps: float) -> None:
        super().__init__()
        self.dense = Linear(hidden_size, feature_size)
        self.norm = LayerNorm(feature_size, eps)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, hidden_NH: torch.Tensor) -> torch.Tensor:
        """Features to be multiplied with the embedding table."""
        return self.norm(F.gelu(self.dense(hidden_NH)))


class Targets(NamedTuple):
    """What was masked: rows among the batch's words and entities, and their true ids."""

    words_W: torch.Tensor
    word_ids_W: torch.Tensor
    entities_K: torch.Tensor
    entity_ids_K: torch.Tensor

    def to(self, device: torch.device) -> Targets:
        """The same on a device."""
        return Targets(*(copy_to(tensor, device) for tensor in self))


class Losses(NamedTuple):
    """Mean cross-entropy over masked words and over masked entities, with the right guesses."""

    words: CrossEntropy
    entities: CrossEntropy | None

    @property
    def total(self) -> torch.Tensor:
        """The training loss: the sum of both means (mLUKE, section 2)."""
        return self.words.loss if self.entities is None else self.words.loss + self.entities.loss


class MlukeForPrediction(nn.Module):
    """:class:`MlukeEncoder` with the word head and, for a LUKE model, the entity head."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = MlukeEncoder(config)
        eps = config.layer_norm_eps
        self.word_head = Head(config.hidden_size, config.hidden_size, config.vocabulary_size, eps)
        self.entity_head = (
            Head(config.hidden_size, config.entity_embedding_size, config.entity_count, eps)
            if config.has_entities
            else None
        )
        self.on_entity_gradient: Callable[..., None] | None = None
        """Is told what the gradient of a frozen entity table and bias follows from: features,
        normalizers (:class:`CrossEntropy`) and targets of the masked entities, and the gradient
        of their mean loss."""

    @property
    def config(self) -> ModelConfig:
        """The encoder's configuration."""
        return self.encoder.config

    @property
    def has_entities(self) -> bool:
        """Whether the model takes and predicts entities."""
        return self.entity_head is not None

    def forward(self, batch: PackedBatch, targets: Targets) -> Losses:
        """Losses at the masked words and entities of a batch."""
        word_rows_W = batch.word_rows_T[targets.words_W]
        entity_rows_K = batch.entity_rows_E[targets.entities_K]
        rows_R, order_R = torch.cat([word_rows_W, entity_rows_K]).sort()
        # The heads below give both tables dense gradients.
        hidden_RH = self.encoder.encode(batch, sparse_gradients=True, rows_R=rows_R)
        words_WH, entities_KH = hidden_RH[order_R.argsort()].split(
            [len(word_rows_W), len(entity_rows_K)]
        )
        words_WH = self.word_head(words_WH)
        word_loss = chunked_cross_entropy(
            words_WH, self.encoder.words.word.weight, self.word_head.bias, targets.word_ids_W
        )
        if self.entity_head is None:
            return Losses(word_loss, None)
        entities_KE = self.entity_head(entities_KH)
        entity_loss = chunked_cross_entropy(
            entities_KE, self._entity_table(), self.entity_head.bias, targets.entity_ids_K
        )
        if self.on_entity_gradient is not None and entity_loss.loss.requires_grad:
            entity_loss.loss.register_hook(
                partial(
                    self.on_entity_gradient,
                    entities_KE.detach(),
                    entity_loss.normalizer_N,
                    targets.entity_ids_K,
                )
            )
        return Losses(word_loss, entity_loss)

    def word_features(self, hidden_NH: torch.Tensor) -> torch.Tensor:
        """Transformed hidden states of words, N x H, for the two functions below."""
        return self.word_head(hidden_NH)

    def word_logits(self, features_NH: torch.Tensor, word_ids_C: torch.Tensor) -> torch.Tensor:
        """Logits of the given words, N x C."""
        table_CH = self.encoder.words.word.weight[word_ids_C]
        return features_NH @ table_CH.t() + self.word_head.bias[word_ids_C]

    def word_log_normalizer(self, features_NH: torch.Tensor) -> torch.Tensor:
        """Log of the sum of exp(logit) over all words, N: logit - normalizer = log-probability."""
        table_VH = self.encoder.words.word.weight
        return chunked_log_normalizer(features_NH, table_VH, self.word_head.bias)

    def entity_features(self, hidden_NH: torch.Tensor) -> torch.Tensor:
        """Transformed hidden states of entities, N x E."""
        return self._entity_head()(hidden_NH)

    def entity_logits(self, features_NE: torch.Tensor, entity_ids_C: torch.Tensor) -> torch.Tensor:
        """Logits of the given entities, N x C."""
        table_CE = self._entity_table()[entity_ids_C]
        return features_NE @ table_CE.t() + self._entity_head().bias[entity_ids_C]

    def entity_log_normalizer(self, features_NE: torch.Tensor) -> torch.Tensor:
        """Log of the sum of exp(logit) over all entities, N."""
        return chunked_log_normalizer(features_NE, self._entity_table(), self._entity_head().bias)

    def _entity_head(self) -> Head:
        if self.entity_head is None:
            raise DataError(
                f"this {self.config.family} model predicts no entities. Use a LUKE model."
            )
        return self.entity_head

    def _entity_table(self) -> torch.Tensor:
        self._entity_head()
        assert self.encoder.entities is not None
        return self.encoder.entities.entity.weight
