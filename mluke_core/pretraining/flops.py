"""Floating point operations of a training step, and the share of the device's rate they make (MFU).

Counted are the matrix products that the model needs, twice a multiplication and an addition, not
what an implementation repeats to save memory: PaLM (Chowdhery et al. 2022), appendix B, with the
heads at masked places only, and all of the last layer but its keys and values.
"""

from __future__ import annotations

import time

import torch

from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Targets

# Large enough that a GPU runs at its best rate, small enough for any: 3 x 128 MB in bf16.
_MEASURED_SIZE = 8192
_MEASURED_PRODUCTS = 20


def step_flops(
    config: ModelConfig, batch: PackedBatch, targets: Targets, trainable: str, with_entities: bool
) -> int:
    """Operations of one forward and backward pass.

    Backward takes twice the forward's: one product for the gradient of the input, one for that of
    the weights. Frozen weights (``trainable: new``) save the second.
    """
    hidden, entity_size = config.hidden_size, config.entity_embedding_size
    rows = sum(count * length for count, length in batch.blocks)
    pairs = sum(count * length**2 for count, length in batch.blocks)
    read = len(targets.word_ids_W) + len(targets.entity_ids_K) * with_entities
    # Rows of a layer but for keys and values; of attention, as if what is read were spread evenly.
    queried = (config.layers - 1) * rows + read
    linear = queried * (2 * hidden**2 + 2 * hidden * config.intermediate_size)
    linear += config.layers * rows * 2 * hidden**2
    attention = 2 * hidden * pairs * queried // max(rows, 1)
    words = len(targets.word_ids_W) * (hidden**2 + hidden * config.vocabulary_size)
    old = linear + words
    new = 0
    if with_entities:
        new += len(batch.entity_ids_E) * entity_size * hidden
        new += len(targets.entity_ids_K) * entity_size * (hidden + config.entity_count)
    return 2 * (3 * attention + (3 if trainable == "all" else 2) * old + 3 * new)


def measured_tflops(device: torch.device, precision: str) -> float | None:
    """Rate of a large matrix product on a GPU, in 10^12 operations per second; None on a CPU."""
    if device.type != "cuda":
        return None
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    matrix = torch.randn(_MEASURED_SIZE, _MEASURED_SIZE, device=device, dtype=dtype)
    product = matrix @ matrix
    torch.cuda.synchronize(device)
    start = time.monotonic()
    for _ in range(_MEASURED_PRODUCTS):
        torch.mm(matrix, matrix, out=product)
    torch.cuda.synchronize(device)
    seconds = time.monotonic() - start
    return 2 * _MEASURED_SIZE**3 * _MEASURED_PRODUCTS / seconds / 1e12
