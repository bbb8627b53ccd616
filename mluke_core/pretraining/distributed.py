"""Processes of a run: who this one is, and sums over all of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

# A peer that says nothing for so long is dead or hung: the run ends with an error.
TIMEOUT = timedelta(minutes=30)


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


def start_world() -> World:
    """Join the other processes, over NCCL on GPUs and gloo without.

    The launcher (torchrun, or ``launch.sh`` under Slurm) sets RANK, WORLD_SIZE, LOCAL_RANK,
    MASTER_ADDR and MASTER_PORT; without them the process is alone, and no port is opened.
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
    if not dist.is_initialized():
        dist.init_process_group(
            "nccl" if gpu else "gloo",
            store=dist.HashStore() if size == 1 else None,
            rank=rank if size == 1 else -1,
            world_size=size if size == 1 else -1,
            timeout=TIMEOUT,
        )
    return World(rank, size, torch.device("cuda", local_rank) if gpu else torch.device("cpu"))
