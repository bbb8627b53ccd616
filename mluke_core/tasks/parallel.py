"""Fine-tuning in several processes: each takes micro-batches of a step, gradients are summed.

The processes hold the same weights throughout, so nothing else has to be exchanged; the launcher is
that of pretraining (``workflow_scripts/launch.sh``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.distributed as dist

from mluke_core.pretraining.distributed import World, start_world


def join_world() -> World:
    """This process among those of the launcher; alone, no connection is opened."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return start_world()
    gpu = torch.cuda.is_available()
    return World(0, 1, torch.device("cuda" if gpu else "cpu"))


def leave_world(world: World) -> None:
    """Close the connections to the other processes."""
    if world.size > 1:
        dist.destroy_process_group()


def sum_gradients(parameters: Sequence[torch.nn.Parameter], world: World) -> None:
    """Sum the gradients of all processes, in place.

    A parameter that no process has a gradient for is left without one, as in a single process: the
    optimizer then leaves it alone.
    """
    if world.size == 1:
        return
    present = torch.tensor([parameter.grad is not None for parameter in parameters]).int()
    present = present.to(world.device)
    dist.all_reduce(present)
    waiting = []
    for parameter, processes in zip(parameters, present.tolist(), strict=True):
        if not processes:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        waiting.append(dist.all_reduce(parameter.grad, async_op=True))
    for handle in waiting:
        handle.wait()


def gather_scores(mine: Mapping[int, np.ndarray], world: World) -> dict[int, np.ndarray]:
    """The scores of every input by its number, from all processes."""
    if world.size == 1:
        return dict(mine)
    parts: list[dict[int, np.ndarray]] = [{}] * world.size
    dist.all_gather_object(parts, dict(mine))
    return {index: score for part in parts for index, score in part.items()}
