"""Self-attention over packed sequences.

Shapes: L rows of all sequences, N heads, D size of a head, H = N * D, B sequences of a block,
S rows of each.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.modeling.dropout import dropout
from mluke_core.modeling.layers import Linear

# On a GPU one padded call beats many small ones; on a CPU padding costs what it wastes.
_PADDED_DEVICES = ("cuda",)


class SelfAttention(nn.Module):
    """Multi-head attention in which every sequence sees itself alone."""

    def __init__(self, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = Linear(hidden_size, hidden_size)
        self.key = Linear(hidden_size, hidden_size)
        self.value = Linear(hidden_size, hidden_size)
        self.output = Linear(hidden_size, hidden_size)

    def forward(self, hidden_LH: torch.Tensor, blocks: Sequence[tuple[int, int]]) -> torch.Tensor:
        """Attend; ``blocks`` lists (number of sequences, rows of each) in the order of the rows."""
        rows, hidden_size = hidden_LH.shape
        shape = (rows, self.heads, hidden_size // self.heads)
        query_LND = self.query(hidden_LH).view(shape)
        key_LND = self.key(hidden_LH).view(shape)
        value_LND = self.value(hidden_LH).view(shape)
        probability = self.dropout if self.training else 0.0
        attend = attend_padded if hidden_LH.device.type in _PADDED_DEVICES else attend_blocks
        mixed_LND = attend(query_LND, key_LND, value_LND, blocks, probability)
        return self.output(mixed_LND.reshape(rows, hidden_size))


def attend_blocks(
    query_LND: torch.Tensor,
    key_LND: torch.Tensor,
    value_LND: torch.Tensor,
    blocks: Sequence[tuple[int, int]],
    probability: float = 0.0,
) -> torch.Tensor:
    """One attention call for each block of sequences of equal length. Returns L x N x D."""
    sizes = [count * length for count, length in blocks]
    mixed = []
    for (count, length), *rows in zip(
        blocks, query_LND.split(sizes), key_LND.split(sizes), value_LND.split(sizes), strict=True
    ):
        query, key, value = (
            part.view(count, length, *part.shape[1:]).transpose(1, 2) for part in rows
        )
        if probability:
            mixed_BNSD = _attend_with_dropout(query, key, value, probability)
        else:
            mixed_BNSD = F.scaled_dot_product_attention(query, key, value)
        mixed.append(mixed_BNSD.transpose(1, 2).flatten(0, 1))
    return torch.cat(mixed) if mixed else query_LND


def _attend_with_dropout(
    query_BNSD: torch.Tensor, key_BNSD: torch.Tensor, value_BNSD: torch.Tensor, probability: float
) -> torch.Tensor:
    """Attention written out: torch's own is no better on a CPU once it has to drop weights."""
    scaled_BNSD = query_BNSD * (query_BNSD.shape[-1] ** -0.5)
    weights_BNSS = torch.softmax(scaled_BNSD @ key_BNSD.transpose(-1, -2), dim=-1)
    return dropout(weights_BNSS, probability) @ value_BNSD


def attend_padded(
    query_LND: torch.Tensor,
    key_LND: torch.Tensor,
    value_LND: torch.Tensor,
    blocks: Sequence[tuple[int, int]],
    probability: float = 0.0,
) -> torch.Tensor:
    """One attention call over all sequences, padded to the longest. Returns L x N x D."""
    device = query_LND.device
    lengths_B = torch.repeat_interleave(
        torch.tensor([length for _, length in blocks], device=device),
        torch.tensor([count for count, _ in blocks], device=device),
    )
    longest = max((length for _, length in blocks), default=0)
    kept_BS = torch.arange(longest, device=device) < lengths_B[:, None]

    def pad(rows_LND: torch.Tensor) -> torch.Tensor:
        padded_BSND = rows_LND.new_zeros((*kept_BS.shape, *rows_LND.shape[1:]))
        return padded_BSND.index_put((kept_BS,), rows_LND).transpose(1, 2)

    mixed_BNSD = F.scaled_dot_product_attention(
        pad(query_LND),
        pad(key_LND),
        pad(value_LND),
        attn_mask=kept_BS[:, None, None, :],
        dropout_p=probability,
    )
    return mixed_BNSD.transpose(1, 2)[kept_BS]
