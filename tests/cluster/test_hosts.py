"""Training between two hosts without Slurm: launchers, interfaces, and a cable that is pulled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.hosts import INTERFACE, Host, kill, network
from tests.cluster.slurm import wait_for
from tests.pretraining_world import arguments, write_world

pytestmark = pytest.mark.cluster

SETTINGS = {
    "steps": 120,
    "learning_rate": 1e-3,
    "micro_batch_size": 2,
    "zero_stage": 1,
    "log_interval": 1,
    "validation_interval": 120,
    "checkpoint_interval": 10,
    "peer_timeout": 30,
}
PATIENCE = 900
"""Seconds after which a test takes something for hung; a busy machine is slow."""
OUTAGE = 60
"""Seconds for which a cable is pulled."""


@pytest.fixture(scope="module")
def pair(programs: None) -> Iterator[list[Host]]:
    with network(["node1", "node2"]) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_world(tmp_path_factory.mktemp("world"))


def step(root: Path, world: dict[str, Path], folder: Path, settings: dict[str, Any]) -> list[str]:
    options = arguments(world, folder / "work", folder / "output", SETTINGS | settings)
    return [str(root / "workflow_scripts" / "pretrain.py"), *options, "--log", str(folder / "log")]


def environment() -> dict[str, str]:
    """Without a word about interfaces: the step has to find the one that leads to the others."""
    left_out = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    return kept | {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}


@pytest.fixture(scope="module")
def whole(root: Path, world: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Weights of four processes on one machine that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    launcher = [str(root / "workflow_scripts" / "launch.sh"), "1", "4", "1", sys.executable]
    subprocess.run([*launcher, *step(root, world, folder, {})], env=environment(), check=True)
    return weights(folder)


def weights(folder: Path) -> bytes:
    return (folder / "output" / "weights.safetensors").read_bytes()


def start(
    hosts: list[Host],
    root: Path,
    world: dict[str, Path],
    folder: Path,
    launcher: str,
    **settings: Any,
) -> list[subprocess.Popen[bytes]]:
    """The same training on both hosts, two processes each, as docs/pretraining.md has it."""
    address = hosts[0].address
    started = []
    for number, host in enumerate(hosts):
        if launcher == "torchrun":
            line = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=2"]
            line += [
                f"--node-rank={number}",
                f"--master-addr={address}",
                "--master-port=29500",
                "--",
            ]
        else:
            hostfile = folder / "hostfile"
            hostfile.write_text("".join(f"{host.address} slots=2\n" for host in hosts))
            line = ["-m", "deepspeed.launcher.runner", f"--hostfile={hostfile}", "--no_ssh"]
            line += [f"--node_rank={number}", f"--master_addr={address}", "--master_port=29500"]
            line += ["--no_local_rank"]
        line = [sys.executable, *line, *step(root, world, folder, settings)]
        with open(folder / f"{host.name}.out", "ab") as output:
            process = subprocess.Popen(
                host.command(line), env=environment(), stdout=output, stderr=subprocess.STDOUT
            )
        started.append(process)
    return started


def finish(launchers: list[subprocess.Popen[bytes]], hosts: list[Host]) -> list[int]:
    """Exit codes of the launchers; what does not end is killed, and fails."""
    try:
        return [launcher.wait(PATIENCE) for launcher in launchers]
    finally:
        for host in hosts:
            for process in host.processes():
                kill(process)
        for launcher in launchers:
            launcher.wait()


def steps_done(folder: Path) -> int:
    path = folder / "work" / "log" / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    # The last line may still be written.
    return max((json.loads(line)["step"] for line in lines[:-1]), default=0)


@pytest.mark.parametrize("launcher", ["torchrun", "deepspeed"])
def test_two_hosts_give_the_weights_of_one(
    pair: list[Host],
    root: Path,
    world: dict[str, Path],
    whole: bytes,
    tmp_path: Path,
    launcher: str,
) -> None:
    launchers = start(pair, root, world, tmp_path, launcher)
    codes = finish(launchers, pair)
    assert codes == [0, 0], (tmp_path / "node1.out").read_text()[-4000:]
    assert weights(tmp_path) == whole
    log = (tmp_path / "log").read_text()
    assert "2 on node1, with 2 of 3 shards; 2 on node2, with 1 of 3 shards" in log


def test_a_short_outage_is_waited_for(
    pair: list[Host], root: Path, world: dict[str, Path], whole: bytes, tmp_path: Path
) -> None:
    launchers = start(pair, root, world, tmp_path, "torchrun", peer_timeout=600)
    wait_for(lambda: steps_done(tmp_path) >= 30, PATIENCE, "step 30")
    pair[1].pull_cable()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            launchers[0].wait(OUTAGE)
        assert steps_done(tmp_path) < SETTINGS["steps"]
    finally:
        pair[1].plug_cable()
    assert finish(launchers, pair) == [0, 0]
    assert "lost another one" not in (tmp_path / "log").read_text()
    assert weights(tmp_path) == whole


def test_a_cut_for_good_ends_the_job_and_the_next_try_resumes(
    pair: list[Host], root: Path, world: dict[str, Path], whole: bytes, tmp_path: Path
) -> None:
    launchers = start(pair, root, world, tmp_path, "torchrun")
    wait_for(lambda: steps_done(tmp_path) >= 30, PATIENCE, "step 30")
    pair[1].pull_cable()
    try:
        # Both sides end by themselves, while the cable is out.
        codes = finish(launchers, pair)
    finally:
        pair[1].plug_cable()
    assert codes == [1, 1]
    log = (tmp_path / "log").read_text()
    assert "reason it does not know" not in log
    for rank, others in [
        (0, "process 1 on node1, process 2, 3 on node2"),
        (2, "process 0, 1 on node1, process 3 on node2"),
    ]:
        assert f"process {rank} of 4 lost another one" in log
        assert f"It waited for {others}" in log
    assert "30 seconds (pretraining.peer_timeout)" in log
    assert not (tmp_path / "output").exists()
    assert finish(start(pair, root, world, tmp_path, "torchrun"), pair) == [0, 0]
    assert "resuming after step" in (tmp_path / "log").read_text()
    assert weights(tmp_path) == whole


def test_a_host_that_never_comes_is_named(
    pair: list[Host], root: Path, world: dict[str, Path], tmp_path: Path
) -> None:
    """Only the first host's half of the processes is started, by hand: launchers wait longer."""
    line = [sys.executable, *step(root, world, tmp_path, {"peer_timeout": 5})]
    place = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    place |= {"MASTER_ADDR": pair[0].address, "MASTER_PORT": "29500"}
    outcome = subprocess.run(
        pair[0].command(line),
        env=environment() | place,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert outcome.returncode == 1
    assert f"process 0 of 2 on node1 did not meet the others at {pair[0].address}:29500" in (
        outcome.stderr
    )
    assert "1/2 clients joined" in outcome.stderr


def test_a_wrong_interface_is_named(
    pair: list[Host], root: Path, world: dict[str, Path], tmp_path: Path
) -> None:
    """Two processes that meet, but offer each other addresses that lead nowhere."""
    line = [sys.executable, *step(root, world, tmp_path, {"peer_timeout": 30})]
    place = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    place |= {"MASTER_ADDR": pair[0].address, "MASTER_PORT": "29500", "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen(host.command(line), env=environment() | place | {"RANK": str(rank)})
        for rank, host in enumerate(pair)
    ]
    assert finish(processes, pair) == [1, 1]
    log = (tmp_path / "log").read_text()
    assert "could not connect to all of them" in log
    assert "here it is lo" in log
    assert INTERFACE not in log
