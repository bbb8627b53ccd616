"""Processes of a run: who this one is, and sums over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from mluke_core.errors import MlukeError

# What gloo and NCCL say in a RuntimeError when a connection breaks or a wait grows too long.
_PEER_SIGNS = ("gloo", "nccl", "connection", "timed out", "timeout")


@dataclass(frozen=True)
class World:
    """This process among all."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def sum(self, values: list[float]) -> list[float]:
        """Sum each value over all processes."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.tolist()

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def peers_watched(world: World, timeout: float) -> Iterator[None]:
    """Turn what a broken connection to another process raises into one clear message.

    Raises:
        MlukeError: when a process has died, or has not answered within ``timeout`` seconds.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        broken = isinstance(error, dist.DistError) or any(
            sign in text.lower() for sign in _PEER_SIGNS
        )
        if world.size == 1 or not broken:
            raise
        raise MlukeError(
            f"process {world.rank} of {world.size} lost another one: it died, hangs, or was not"
            f" heard of for {timeout:g} seconds (pretraining.peer_timeout). The first process that"
            " failed says why in its own messages. Start the job again to go on from the newest"
            f" checkpoint. ({text.splitlines()[0][:200]})"
        ) from error


def limit_waits(timeout: float) -> None:
    """Make every exchange fail after ``timeout`` seconds, also in the groups that DeepSpeed made.

    A new group has a limit of its own (10 or 30 minutes), whatever the first group's was.
    """
    from deepspeed.utils import groups

    for group in (dist.group.WORLD, groups._get_data_parallel_group()):
        dist.distributed_c10d._set_pg_timeout(timedelta(seconds=timeout), group)


def start_world(timeout: float = 1800) -> World:
    """Join the other processes, over NCCL on GPUs and gloo without.

    The launcher (torchrun, ``deepspeed``, or ``launch.sh`` under Slurm) sets RANK, WORLD_SIZE,
    LOCAL_RANK, MASTER_ADDR and MASTER_PORT; without them the process is alone, and no port is
    opened.

    Args:
        timeout: seconds that this process waits for the others.

    Raises:
        MlukeError: when they do not come.
    """
    rank = int(os.environ.setdefault("RANK", "0"))
    size = int(os.environ.setdefault("WORLD_SIZE", "1"))
    local_rank = int(os.environ.setdefault("LOCAL_RANK", "0"))
    # DeepSpeed looks for a launcher of its own unless all five are set.
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29500")
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(local_rank)
    else:
        os.environ["DS_ACCELERATOR"] = "cpu"
    world = World(rank, size, torch.device("cuda", local_rank) if gpu else torch.device("cpu"))
    if not dist.is_initialized():
        with peers_watched(world, timeout):
            dist.init_process_group(
                "nccl" if gpu else "gloo",
                store=dist.HashStore() if size == 1 else None,
                rank=rank if size == 1 else -1,
                world_size=size if size == 1 else -1,
                timeout=timedelta(seconds=timeout),
            )
    return world
