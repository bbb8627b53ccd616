"""Run an encoder over many inputs and keep one vector of each.

Shapes: B sequences, H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mluke_core.errors import ConfigError
from mluke_core.io.progress import Progress
from mluke_core.modeling.encoder import Encoder, EncoderOutput
from mluke_core.modeling.inputs import Example, PackedBatch, pack

TOKEN_BUDGET = 8192
"""Words and entities of one forward pass; a longer sequence goes alone."""

Vectors = NDArray[np.float32]
Pick = Callable[[EncoderOutput, PackedBatch, Sequence[int]], torch.Tensor]
"""From a batch's output and the numbers of its sequences to one vector each, B x any."""


def check_inputs(inputs: str, encoder: Encoder, folder: Path) -> None:
    """Raise :class:`ConfigError` unless ``inputs`` is one this model can be given."""
    if inputs not in ("word", "entity"):
        raise ConfigError(f"inputs is {inputs!r}; write word or entity.")
    if inputs == "entity" and not encoder.config.has_entities:
        raise ConfigError(
            f"{folder}: a model without entities cannot be probed with inputs: entity. "
            "Write inputs: word for this system, or give it a LUKE model."
        )


@torch.inference_mode()
def encode_all(
    encoder: Encoder, examples: Sequence[Example], pick: Pick, progress: Progress | None = None
) -> Vectors:
    """One vector for each example, in their order; similar lengths are encoded together."""
    device = next(encoder.parameters()).device
    rows: list[torch.Tensor] = []
    order = sorted(range(len(examples)), key=lambda number: _length(examples[number]))
    for numbers in batches_by_tokens([_length(examples[n]) for n in order], TOKEN_BUDGET):
        members = [order[number] for number in numbers]
        batch = pack([examples[number] for number in members], device)
        rows.append(pick(encoder(batch), batch, members).float().cpu())
        if progress:
            progress.update(len(members))
    if not rows:
        return np.zeros((0, encoder.config.hidden_size), dtype=np.float32)
    encoded = torch.cat(rows).numpy()
    vectors = np.empty_like(encoded)
    vectors[order] = encoded
    return vectors


def batches_by_tokens(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Consecutive numbers whose lengths add up to at most ``budget``; at least one in each.

    >>> batches_by_tokens([5, 4, 9, 1], budget=9)
    [[0, 1], [2], [3]]
    """
    batches: list[list[int]] = []
    tokens = 0
    for number, length in enumerate(lengths):
        if not batches or tokens + length > budget:
            batches.append([])
            tokens = 0
        batches[-1].append(number)
        tokens += length
    return batches


def _length(example: Example) -> int:
    return len(example.input_ids) + len(example.entity_ids)
