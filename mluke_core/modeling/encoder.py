"""The encoder: word and entity embeddings and transformer layers over packed sequences.

Post-norm layers as in BERT and RoBERTa; entities are further rows of the same sequence, with an
embedding table of their own, projected to the hidden size, and the mean of the position
embeddings of their mention (mLUKE, section 2; the paper says sum, every released checkpoint
expects the mean). There is no entity-aware attention.

Shapes: T words, E entities, L = T + E rows, M (entity, position) pairs, H hidden size, N rows of
a table, R rows that are read.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.errors import DataError
from mluke_core.modeling.attention import SelfAttention
from mluke_core.modeling.config import ModelConfig, WordModelConfig
from mluke_core.modeling.dropout import Dropout
from mluke_core.modeling.feed_forward import gelu_linear
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.layers import Embedding, LayerNorm, Linear


class EncoderOutput(NamedTuple):
    """Final hidden states, in the order of the batch's words and entities."""

    words_TH: torch.Tensor
    entities_EH: torch.Tensor


class WordEmbeddings(nn.Module):
    """Sum of word, position and type embeddings, normalised."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.word = Embedding(config.vocabulary_size, config.hidden_size)
        self.position = Embedding(config.position_count, config.hidden_size)
        self.token_type = Embedding(config.type_count, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.position_offset = config.position_offset

    def forward(
        self, ids_T: torch.Tensor, positions_T: torch.Tensor, sparse_gradient: bool = False
    ) -> torch.Tensor:
        """Embed words at positions that count from 0. Returns T x H."""
        word_TH = self.word.look_up(ids_T, sparse_gradient)
        position_TH = self.position(positions_T + self.position_offset)
        return self.norm(word_TH + position_TH + self.token_type.weight[0])


class EntityEmbeddings(nn.Module):
    """Sum of projected entity, mean position and type embeddings, normalised."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.entity = Embedding(config.entity_count, config.entity_embedding_size)
        self.projection = (
            Linear(config.entity_embedding_size, config.hidden_size, bias=False)
            if config.entity_embedding_size != config.hidden_size
            else None
        )
        self.position = Embedding(config.position_count, config.hidden_size)
        self.token_type = Embedding(config.type_count, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(
        self,
        ids_E: torch.Tensor,
        positions_M: torch.Tensor,
        starts_E: torch.Tensor,
        sparse_gradient: bool = False,
    ) -> torch.Tensor:
        """Embed entities; those of an empty mention get no position. Returns E x H."""
        entity_EH = self.entity.look_up(ids_E, sparse_gradient)
        if self.projection is not None:
            entity_EH = self.projection(entity_EH)
        position_EH = F.embedding_bag(positions_M, self.position.weight, starts_E, mode="mean")
        return self.norm(entity_EH + position_EH + self.token_type.weight[0])


class Layer(nn.Module):
    """Attention and feed-forward network, each added to its input and normalised."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.hidden_size, config.heads, config.attention_dropout)
        self.attention_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.expand = Linear(config.hidden_size, config.intermediate_size)
        self.contract = Linear(config.intermediate_size, config.hidden_size)
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout)

    def forward(
        self,
        hidden_LH: torch.Tensor,
        blocks: tuple[tuple[int, int], ...],
        rows_R: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """One layer over packed sequences. Returns L x H, or R x H for ``rows_R`` (ascending)."""
        mixed = self.dropout(self.attention(hidden_LH, blocks, rows_R))
        hidden = hidden_LH if rows_R is None else hidden_LH[rows_R]
        hidden = self.attention_norm(mixed + hidden)
        contract = self.contract
        changed = gelu_linear(self.expand(hidden), contract.weight, contract.bias)
        return self.norm(self.dropout(changed) + hidden)


class WordTable(Protocol):
    """Whatever holds the word embedding table as ``word``."""

    word: Embedding


class Encoder(nn.Module, ABC):
    """What tasks and probes ask of an encoder.

    Attributes:
        config: its sizes.
        words: holds the word embedding table, which may be cut or get further rows.
    """

    config: ModelConfig | WordModelConfig
    words: WordTable

    @abstractmethod
    def forward(self, batch: PackedBatch) -> EncoderOutput:
        """Encode a batch, float32 also under autocast.

        Raises:
            DataError: a sequence is longer than the model can read, or it is given entities that
                it has no table for.
        """

    def check(self, batch: PackedBatch) -> None:
        """Raise the errors of :meth:`forward`."""
        if batch.maximum_length > self.config.maximum_length:
            raise DataError(
                f"a sequence of {batch.maximum_length} tokens is longer than the"
                f" {self.config.maximum_length} positions of the model. Cut the input into windows."
            )
        if len(batch.entity_ids_E) and not self.config.has_entities:
            raise DataError(
                f"this {self.config.family} model has no entity embeddings but was given"
                f" {len(batch.entity_ids_E)} entities. Leave out entity_ids, or use a LUKE"
                " model."
            )

    @torch.no_grad()
    def add_words(self, initial_NH: torch.Tensor) -> list[int]:
        """Append rows to the word embedding table, for marker tokens say. Returns their ids.

        Call it before an optimizer is made: the table becomes a new parameter.
        """
        table_VH = self.words.word.weight
        first = len(table_VH)
        initial_NH = initial_NH.to(table_VH)
        self.words.word = Embedding.from_pretrained(
            torch.cat([table_VH, initial_NH]), freeze=not table_VH.requires_grad
        )
        self.config = dataclasses.replace(self.config, vocabulary_size=first + len(initial_NH))
        return list(range(first, first + len(initial_NH)))


class MlukeEncoder(Encoder):
    """XLM-R, RoBERTa or BERT, with entity embeddings when the configuration has them."""

    config: ModelConfig
    words: WordEmbeddings

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.words = WordEmbeddings(config)
        self.entities = EntityEmbeddings(config) if config.has_entities else None
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.dropout = Dropout(config.hidden_dropout)

    def forward(self, batch: PackedBatch) -> EncoderOutput:
        """Encode a batch."""
        hidden_LH = self.encode(batch).float()
        return EncoderOutput(hidden_LH[batch.word_rows_T], hidden_LH[batch.entity_rows_E])

    def encode(
        self,
        batch: PackedBatch,
        sparse_gradients: bool = False,
        rows_R: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Final hidden states in the batch's inner order, L x H, under autocast in its type: pick
        rows from it by ``batch.word_rows_T`` and ``batch.entity_rows_E``.

        Args:
            rows_R: the only rows that are read, ascending: the last layer is computed for no
                others, and R x H returned.
            sparse_gradients: the word and entity tables get sparse gradients: for a loss that
                gives them dense ones as well, through heads that share the tables.

        Raises:
            DataError: see :meth:`Encoder.forward`.
        """
        self.check(batch)
        rows_LH = self.dropout(
            self.words(batch.word_ids_T, batch.word_positions_T, sparse_gradients)
        )
        if self.entities is not None and len(batch.entity_ids_E):
            entities_EH = self.entities(
                batch.entity_ids_E,
                batch.mention_positions_M,
                batch.mention_starts_E,
                sparse_gradients,
            )
            rows_LH = torch.cat([rows_LH, self.dropout(entities_EH)])
        device = rows_LH.device.type
        if torch.is_autocast_enabled(device):
            # Once, instead of before every matrix product.
            rows_LH = rows_LH.to(torch.get_autocast_dtype(device))
        hidden_LH = rows_LH[batch.layout_L]
        for layer in self.layers[:-1]:
            hidden_LH = layer(hidden_LH, batch.blocks)
        hidden: torch.Tensor = self.layers[-1](hidden_LH, batch.blocks, rows_R)
        return hidden
