"""Processes of a run: who this one is, and sums over all of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

import psutil
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
    hosts: tuple[str, ...] = ()
    """Name of the machine of every process; empty when this one is alone."""

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

    def each(self, own: torch.Tensor) -> Iterator[torch.Tensor]:
        """The tensors of all processes, one after the other; their first dimensions may differ."""
        if self.size == 1:
            yield own
            return
        counts = [0.0] * self.size
        counts[self.rank] = len(own)
        for rank, count in enumerate(self.sum(counts)):
            part = own.contiguous()
            if rank != self.rank:
                part = own.new_empty((int(count), *own.shape[1:]))
            if len(part):
                # As bytes: gloo does not know every type.
                dist.broadcast(part.view(torch.uint8), rank)
            yield part

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
        if world.size == 1 or not _is_connection_error(error):
            raise
        others = [rank for rank in range(world.size) if rank != world.rank]
        raise MlukeError(
            f"process {world.rank} of {world.size} lost another one: it died, hangs, or was not"
            f" heard of for {timeout:g} seconds (pretraining.peer_timeout). It waited for"
            f" {_named(others, world.hosts)}. The first process that failed says why in its own"
            " messages. Start the job again to go on from the newest checkpoint."
            f" ({_first_line(error)})"
        ) from error


def _is_connection_error(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or any(
        sign in str(error).lower() for sign in _PEER_SIGNS
    )


def _first_line(error: RuntimeError) -> str:
    return str(error).splitlines()[0][:200]


def _named(ranks: Sequence[int], hosts: Sequence[str]) -> str:
    """Processes with their machines, if they are known.

    >>> _named([0, 1, 3], ["one", "one", "one", "two"])
    'process 0, 1 on one, process 3 on two'
    >>> _named([2, 3], [])
    'process 2, 3'
    """
    parts = []
    for host, group in groupby(ranks, lambda rank: hosts[rank] if hosts else ""):
        parts.append(f"process {', '.join(map(str, group))}" + (f" on {host}" if host else ""))
    return ", ".join(parts)


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
    device = torch.device("cuda", local_rank) if gpu else torch.device("cpu")
    backend = "nccl" if gpu else "gloo"
    if dist.is_initialized():
        return World(rank, size, device)
    limit = timedelta(seconds=timeout)
    if size == 1:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
        return World(0, 1, device)
    if not gpu:
        _choose_interface(os.environ["MASTER_ADDR"])
    return World(rank, size, device, _meet(backend, rank, size, limit))


def _meet(backend: str, rank: int, size: int, limit: timedelta) -> tuple[str, ...]:
    """Connect to all processes. Returns the name of the machine of each."""
    seconds = f"{limit.total_seconds():g} seconds (pretraining.peer_timeout)"
    meeting_point = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    try:
        store, _, _ = next(dist.rendezvous("env://", rank, size, timeout=limit))
    except RuntimeError as error:
        raise MlukeError(
            f"process {rank} of {size} on {socket.gethostname()} did not meet the others at"
            f" {meeting_point} within {seconds}: some were not started, or the network lets none"
            f" through to that port. ({_first_line(error)})"
        ) from error
    keys = [f"mluke/host/{number}" for number in range(size)]
    store.set_timeout(limit)
    store.set(keys[rank], socket.gethostname())
    try:
        store.wait(keys, limit)
        hosts = tuple(store.get(key).decode() for key in keys)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=limit)
    except RuntimeError as error:
        raise MlukeError(
            f"process {rank} of {size} on {socket.gethostname()} met the others at {meeting_point}"
            f" but could not connect to {_absent(store, keys)} within {seconds}. If a machine has"
            " several networks, GLOO_SOCKET_IFNAME (GPUs: NCCL_SOCKET_IFNAME) names the one to use;"
            f" here it is {os.environ.get('GLOO_SOCKET_IFNAME', 'not set')}."
            f" ({_first_line(error)})"
        ) from error
    return hosts


def _absent(store: dist.Store, keys: Sequence[str]) -> str:
    """The processes that did not come to the meeting point, as far as it still answers."""
    try:
        absent = [rank for rank, key in enumerate(keys) if not store.check([key])]
    except RuntimeError:
        absent = []
    return _named(absent, []) if absent else "all of them"


# Reserved for documentation (RFC 5737): stands for any address outside.
_ELSEWHERE = "192.0.2.1"


def _choose_interface(master: str) -> None:
    """Have gloo use the interface through which this machine reaches the others.

    gloo itself takes that of the machine's own name, which is the loopback on Debian (127.0.1.1)
    and any of them on a machine with several networks. A setting of the user's is kept.
    """
    if "GLOO_SOCKET_IFNAME" in os.environ:
        return
    size = os.environ["WORLD_SIZE"]
    # Of this machine: as torchrun and launch.sh call it, and DeepSpeed's launcher.
    local_size = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("LOCAL_SIZE") or size
    interface = interface_towards(master)
    if interface is None and local_size != size:
        # The first machine may know its own name as an address of the loopback.
        interface = interface_towards(_ELSEWHERE)
    if interface is not None:
        os.environ["GLOO_SOCKET_IFNAME"] = interface


def interface_towards(address: str) -> str | None:
    """Name of the network interface that this machine uses towards ``address``.

    None for an address on the loopback, and where there is no way to ``address``. Nothing is sent.

    >>> interface_towards("127.0.0.1")
    """
    try:
        family, _, _, _, target = socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(target)
            own = probe.getsockname()[0]
    except OSError:
        return None
    flags = psutil.net_if_stats()
    for name, addresses in psutil.net_if_addrs().items():
        if own in {entry.address.partition("%")[0] for entry in addresses}:
            return None if "loopback" in flags[name].flags else name
    return None
