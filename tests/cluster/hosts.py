"""Hosts of a small network on one machine: network namespaces, each with an address and a name.

Every host has a hostname of its own and one interface, whose other end is plugged into a bridge
of this machine; a cable can be pulled and put back. Needs root, ``ip`` and ``unshare``.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

INTERFACE = "uplink0"
"""A host's interface; a name that no library takes for a default."""


_NETWORKS = itertools.count()


@dataclass(frozen=True)
class Host:
    """One network namespace."""

    name: str
    namespace: str
    address: str
    cable: str
    """This machine's end of the host's cable."""

    def command(self, line: Sequence[str], slurm: Path | None = None) -> list[str]:
        """``line`` as a command that runs on this host, which sees ``slurm`` as /etc/slurm."""
        script = 'hostname "$0"; [ -z "$1" ] || mount --bind "$1" /etc/slurm; shift; exec "$@"'
        enter = ["ip", "netns", "exec", self.namespace, "unshare", "--uts", "sh", "-ec", script]
        return [*enter, self.name, str(slurm or ""), *line]

    def processes(self) -> list[int]:
        """Ids of all processes on this host."""
        return [int(line) for line in _run("ip", "netns", "pids", self.namespace).split()]

    def rank(self, rank: int) -> int | None:
        """Id of the process here that is this rank of a training, if it is there."""
        for process in self.processes():
            try:
                environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
                arguments = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            is_step = any(argument.endswith(b"pretrain.py") for argument in arguments[:2])
            if is_step and f"RANK={rank}".encode() in environment:
                return process
        return None

    def pull_cable(self) -> None:
        """Cut the host off: its own end loses the carrier, as when a switch port goes down."""
        _run("ip", "link", "set", self.cable, "down")

    def plug_cable(self) -> None:
        """Undo :meth:`pull_cable`."""
        _run("ip", "link", "set", self.cable, "up")


@contextmanager
def network(names: Sequence[str]) -> Iterator[list[Host]]:
    """Hosts with these names, which reach each other and nothing else.

    At the end their processes are killed and nothing of them is left.
    """
    # Of this process and this call alone; an interface's name has 15 characters at most.
    number = next(_NETWORKS)
    tag = f"{os.getpid() % 100_000}.{number}"
    bridge = f"mb{tag}"
    hosts = [
        Host(name, f"mluke{tag}.{n}", f"10.91.0.{n}", f"mv{tag}.{n}")
        for n, name in enumerate(names, 1)
    ]
    try:
        _run("ip", "link", "add", bridge, "type", "bridge")
        _run("ip", "link", "set", bridge, "up")
        for host in hosts:
            _connect(host, bridge)
        yield hosts
    finally:
        for host in hosts:
            _remove(host)
        subprocess.run(["ip", "link", "delete", bridge], capture_output=True, check=False)


def _connect(host: Host, bridge: str) -> None:
    name = host.namespace
    _run("ip", "netns", "add", name)
    end = ["type", "veth", "peer", "name", INTERFACE, "netns", name]
    _run("ip", "link", "add", host.cable, *end)
    _run("ip", "link", "set", host.cable, "master", bridge, "up")
    _run("ip", "-n", name, "addr", "add", f"{host.address}/24", "dev", INTERFACE)
    for interface in ("lo", INTERFACE):
        _run("ip", "-n", name, "link", "set", interface, "up")


def _remove(host: Host) -> None:
    listed = subprocess.run(
        ["ip", "netns", "pids", host.namespace], capture_output=True, text=True, check=False
    )
    for process in listed.stdout.split():
        kill(int(process))
    for line in (["link", "delete", host.cable], ["netns", "delete", host.namespace]):
        subprocess.run(["ip", *line], capture_output=True, check=False)


def kill(process: int) -> None:
    """SIGKILL, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _run(*line: str) -> str:
    outcome = subprocess.run(line, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, f"{' '.join(line)}: {outcome.stderr}"
    return outcome.stdout
