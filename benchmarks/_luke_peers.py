"""What the training step is held against, with the weights of a :class:`MlukeForPrediction`.

(a) ``transformers.LukeForMaskedLM`` with its word decoder tied again.
(b) A re-statement of the authors' step from what is known of it (docs/protocol.md): every batch
padded to its longest row, attention written out, the position embeddings of all words of all
mentions held before they are averaged, a full softmax at masked positions only, and the right
guesses counted (``luke/pretraining/model.py``).

Shapes: B sequences, S words, E entities, R = S + E rows, M words of a mention, H hidden size, N
heads, V vocabulary, K masked.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.modeling.config import config_to_hub
from mluke_core.modeling.hub_names import hub_names, tied_names
from mluke_core.modeling.prediction import Head, MlukeForPrediction

IGNORED = -100


def transformers_luke(model: MlukeForPrediction) -> nn.Module:
    """The reference class, sharing the weights of ``model``."""
    from transformers import LukeConfig, LukeForMaskedLM

    with torch.device("meta"):
        reference = LukeForMaskedLM(LukeConfig(**config_to_hub(model.config)))
    parameters = dict(model.named_parameters())
    state = {hub: parameters[own] for own, hub in hub_names(model.config).items()}
    for copy, original in tied_names(model.config).items():
        state[copy] = state[original]
    state["entity_predictions.decoder.weight"] = state[
        "luke.entity_embeddings.entity_embeddings.weight"
    ]
    reference.load_state_dict(state, strict=False, assign=True)
    # Loading gives every name a parameter of its own.
    reference.lm_head.decoder.weight = reference.luke.embeddings.word_embeddings.weight
    reference.lm_head.bias = reference.lm_head.decoder.bias
    reference.entity_predictions.decoder.weight = (
        reference.luke.entity_embeddings.entity_embeddings.weight
    )
    for name, value in list(reference.named_buffers()):
        if value.is_meta:
            owner = reference.get_submodule(name.rpartition(".")[0])
            counted = torch.arange(value.shape[-1]).expand(value.shape)
            setattr(owner, name.rpartition(".")[2], counted if "position" in name else counted * 0)
    for name, value in list(reference.named_parameters()):
        if value.is_meta:  # the pooler, which no loss depends on
            owner = reference.get_submodule(name.rpartition(".")[0])
            setattr(owner, name.rpartition(".")[2], nn.Parameter(torch.zeros(value.shape)))
    return reference


class AuthorsStep(nn.Module):
    """(b), computed with the parameters of ``model``."""

    def __init__(self, model: MlukeForPrediction) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The training loss of a padded batch."""
        encoder: Any = self.model.encoder
        word_BSH = self._words(inputs["input_ids"])
        entity_BEH = self._entities(inputs["entity_ids"], inputs["entity_position_ids"])
        hidden_BRH = torch.cat([word_BSH, entity_BEH], dim=1)
        kept_BR = torch.cat([inputs["attention_mask"], inputs["entity_attention_mask"]], dim=1)
        bias_B11R = (1.0 - kept_BR[:, None, None, :].to(hidden_BRH.dtype)) * -10000.0
        for layer in encoder.layers:
            mixed_BRH = self._attention(layer.attention, hidden_BRH, bias_B11R)
            hidden_BRH = layer.attention_norm(self._drop(mixed_BRH) + hidden_BRH)
            changed_BRH = layer.contract(F.gelu(layer.expand(hidden_BRH)))
            hidden_BRH = layer.norm(self._drop(changed_BRH) + hidden_BRH)
        words = inputs["input_ids"].shape[1]
        head, entity_head = self.model.word_head, self.model.entity_head
        assert entity_head is not None
        table_VH = encoder.words.word.weight
        loss = _masked_loss(hidden_BRH[:, :words], inputs["labels"], head, table_VH)
        entity_table_VD = encoder.entities.entity.weight
        return loss + _masked_loss(
            hidden_BRH[:, words:], inputs["entity_labels"], entity_head, entity_table_VD
        )

    def _drop(self, values: torch.Tensor) -> torch.Tensor:
        return F.dropout(values, self.model.config.hidden_dropout, self.training)

    def _words(self, ids_BS: torch.Tensor) -> torch.Tensor:
        table = self.model.encoder.words
        positions_S = torch.arange(ids_BS.shape[1]) + self.model.config.position_offset
        summed_BSH = table.word(ids_BS) + table.position(positions_S)
        return self._drop(table.norm(summed_BSH + table.token_type(torch.zeros_like(ids_BS))))

    def _entities(self, ids_BE: torch.Tensor, positions_BEM: torch.Tensor) -> torch.Tensor:
        table: Any = self.model.encoder.entities
        entity_BEH = table.entity(ids_BE)
        if table.projection is not None:
            entity_BEH = table.projection(entity_BEH)
        present_BEM1 = (positions_BEM >= 0).to(entity_BEH.dtype)[..., None]
        position_BEMH = table.position(positions_BEM.clamp(min=0)) * present_BEM1
        position_BEH = position_BEMH.sum(-2) / present_BEM1.sum(-2).clamp(min=1e-7)
        summed_BEH = entity_BEH + position_BEH + table.token_type(torch.zeros_like(ids_BE))
        return self._drop(table.norm(summed_BEH))

    def _attention(
        self, layer: Any, hidden_BRH: torch.Tensor, bias_B11R: torch.Tensor
    ) -> torch.Tensor:
        batch, rows, size = hidden_BRH.shape
        query, key, value = (
            part(hidden_BRH).view(batch, rows, layer.heads, -1).transpose(1, 2)
            for part in (layer.query, layer.key, layer.value)
        )
        scores_BNRR = query @ key.transpose(-1, -2) / (size // layer.heads) ** 0.5
        weights_BNRR = F.softmax(scores_BNRR + bias_B11R, dim=-1)
        weights_BNRR = F.dropout(weights_BNRR, layer.dropout, self.training)
        return layer.output((weights_BNRR @ value).transpose(1, 2).reshape(batch, rows, size))


def _masked_loss(
    hidden_BRH: torch.Tensor, labels_BR: torch.Tensor, head: Head, table_VD: torch.Tensor
) -> torch.Tensor:
    masked_BR = labels_BR != IGNORED
    features_KD = head(hidden_BRH[masked_BR])
    labels_K = labels_BR[masked_BR]
    scores_KV = F.linear(features_KD, table_VD, head.bias)
    loss = F.cross_entropy(scores_KV, labels_K)
    # They count the right guesses of every step, as ours does.
    (scores_KV.detach().argmax(1) == labels_K).sum().item()
    return loss
