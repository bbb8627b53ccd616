"""Memory of a run: what its weights and optimizer take at least, and what would fit instead."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import torch

from mluke_core.errors import MlukeError
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.pretraining.settings import PretrainingSettings

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
# No cluster that this project is for has more.
_MAXIMUM_PROCESSES = 4096
_GB = 1e9


def state_bytes(
    parameters: int,
    trainable: int,
    settings: PretrainingSettings,
    processes: int,
    row_wise: int = 0,
) -> int:
    """Bytes that weights, gradients and optimizer take in each process, all of them float32.

    ZeRO 1 divides both moments and keeps a copy of its part of the weights; ZeRO 2 divides the
    gradients as well (Rajbhandari et al. 2020, section 5).

    Args:
        row_wise: how many of the trainable weights have a row-wise gradient: none that is held,
            and divided moments.
    """
    stage = settings.zero_stage
    dense = trainable - row_wise
    part = -(-dense // processes)
    gradients = part if stage == 2 else dense
    optimizer = 2 * dense if stage == 0 else 3 * part
    return 4 * (parameters + gradients + optimizer + 2 * -(-row_wise // processes))


def device_memory(device: torch.device) -> int:
    """Bytes that one process may use: of its GPU, or its share of the machine (or job)."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    total = psutil.virtual_memory().total
    if _CGROUP_LIMIT.exists():
        limit = _CGROUP_LIMIT.read_text(encoding="ascii").strip()
        if limit.isdigit():
            total = min(total, int(limit))
    return total // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def check_memory(
    parameters: int,
    trainable: int,
    settings: PretrainingSettings,
    processes: int,
    device: torch.device,
    row_wise: int = 0,
) -> None:
    """Raises :class:`MlukeError` when the state of the run alone is more than the memory."""
    available = device_memory(device)
    needed = state_bytes(parameters, trainable, settings, processes, row_wise)
    if needed <= available:
        return
    raise MlukeError(
        f"{settings.model} {settings.stage}: weights, gradients and optimizer take"
        f" {needed / _GB:.1f} GB in each process (zero_stage {settings.zero_stage}, {processes}"
        f" processes), but it has {available / _GB:.1f} GB."
        f" {_what_fits(parameters, trainable, settings, processes, available, row_wise)}"
    )


def _what_fits(
    parameters: int,
    trainable: int,
    settings: PretrainingSettings,
    processes: int,
    available: int,
    row_wise: int,
) -> str:
    count = processes
    while count <= _MAXIMUM_PROCESSES:
        for stage in (0, 1, 2):
            other = replace(settings, zero_stage=stage)
            needed = state_bytes(parameters, trainable, other, count, row_wise)
            if needed <= available:
                return (
                    f"pretraining.zero_stage {stage} with {count} processes of this memory would"
                    f" fit ({needed / _GB:.1f} GB each, and what the batch needs)."
                )
        count *= 2
    return (
        f"No number of processes makes it fit: the weights alone take {4 * parameters / _GB:.1f}"
        " GB. Use a smaller model, a smaller entity vocabulary (vocabulary.size) or more memory."
    )


@contextmanager
def batch_must_fit(batch: PackedBatch, largest_tokens: int, where: str) -> Iterator[None]:
    """Turn running out of memory into one clear message.

    Args:
        largest_tokens: words and entities of the largest micro-batch that did fit; 0: none yet.
        where: model and stage.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # torch has no class of its own for a CPU that is out of memory.
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and (
            "allocate memory" not in str(error)
        ):
            raise
        tokens = len(batch.word_ids_T) + len(batch.entity_ids_E)
        advice = f"Set pretraining.micro_batch_tokens to {max(largest_tokens, tokens // 2)}"
        if batch.size > 1:
            advice += f" or micro_batch_size to {batch.size // 2}"
        known = f" (one of {largest_tokens} did fit)" if largest_tokens else ""
        raise MlukeError(
            f"{where}: not enough memory for a micro-batch of {batch.size} sequences, {tokens}"
            f" words and entities{known}. {advice}; the update and its batch_size stay the same."
        ) from error


def peak_memory_mb(device: torch.device) -> int:
    """Highest use so far of this process: of its GPU where it has one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
