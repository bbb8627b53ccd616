"""Processes that die, hang or are asked to stop: nothing is lost, and the others end in time."""

from __future__ import annotations

import random
import signal
import socket
from pathlib import Path

import pytest

from mluke_core.io.files import read_json
from tests.pretraining_world import write_world
from tests.ranks import (
    GRADIENT,
    PLACES,
    SAVED,
    SAVING,
    START,
    UPDATE,
    Fault,
    run_ranks,
    start_ranks,
)

STEPS = 20
# Cut the same for 1, 2 and 4 processes, so that dropout is the same.
SETTINGS = {
    "steps": STEPS,
    "learning_rate": 1e-3,
    "batch_size": 8,
    "micro_batch_size": 2,
    "zero_stage": 1,
    "validation_interval": STEPS,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def whole(world: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    assert run_ranks(2, world, folder, SETTINGS) == [0, 0]
    return folder


def random_faults(count: int) -> list[Fault]:
    """Kills at random moments, in the order in which one run meets them."""
    generator = random.Random(38)
    faults = []
    for step in sorted(generator.sample(range(1, STEPS), count)):
        # Checkpoints are written after even updates only, and by the first process.
        place = generator.choice(PLACES if step % 2 == 0 else (UPDATE, GRADIENT))
        rank = 0 if place == SAVING else generator.randrange(2)
        faults.append(Fault(rank, step, place))
    return faults


def test_ten_kills_leave_the_weights_as_they_were(
    world: dict[str, Path], whole: Path, tmp_path: Path
) -> None:
    faults = random_faults(10)
    assert {fault.rank for fault in faults} == {0, 1}
    assert {fault.place for fault in faults} == set(PLACES)
    for fault in faults:
        codes = run_ranks(2, world, tmp_path, SETTINGS, fault)
        assert codes[fault.rank] == -signal.SIGKILL, fault
        assert codes[1 - fault.rank] == 1, fault
        assert not (tmp_path / "output").exists()
    assert run_ranks(2, world, tmp_path, SETTINGS) == [0, 0]
    results = [folder / "output" / "weights.safetensors" for folder in (whole, tmp_path)]
    assert results[0].read_bytes() == results[1].read_bytes()
    log = "".join((tmp_path / f"{rank}.log").read_text() for rank in range(2))
    assert "lost another one" in log
    assert "reason it does not know" not in log


def test_other_numbers_of_processes_go_on(
    world: dict[str, Path], whole: Path, tmp_path: Path
) -> None:
    """SIGTERM for one of two ends both with a checkpoint; one goes on, then four."""
    terminated = Fault(1, 5, UPDATE, signal.SIGTERM)
    assert run_ranks(2, world, tmp_path, SETTINGS, terminated) == [1, 1]
    for rank in range(2):
        assert "stopped by SIGTERM after step 6 of 20; a checkpoint is saved" in (
            (tmp_path / f"{rank}.log").read_text()
        )
    killed = run_ranks(1, world, tmp_path, SETTINGS, Fault(0, 12, SAVED))
    assert killed == [-signal.SIGKILL]
    assert run_ranks(4, world, tmp_path, SETTINGS) == [0] * 4
    log = (tmp_path / "0.log").read_text()
    assert "resuming after step 6" in log
    assert "resuming after step 12" in log
    one, other = (
        read_json(folder / "output" / "summary.json")["final"]["validation"]["loss"]
        for folder in (whole, tmp_path)
    )
    assert other == pytest.approx(one, rel=1e-5)


def test_hung_process_ends_the_job(world: dict[str, Path], tmp_path: Path) -> None:
    settings = {**SETTINGS, "peer_timeout": 3}
    hung = Fault(1, 3, GRADIENT, signal.SIGSTOP)
    processes = start_ranks(2, world, tmp_path, settings, hung)
    try:
        processes[0].join(120)
        assert processes[0].exitcode == 1
    finally:
        for process in processes:
            process.kill()
            process.join()
    message = (tmp_path / "0.log").read_text()
    assert "process 0 of 2 lost another one" in message
    assert f"It waited for process 1 on {socket.gethostname()}." in message
    assert "3 seconds (pretraining.peer_timeout)" in message


def test_processes_that_never_come_end_the_job(world: dict[str, Path], tmp_path: Path) -> None:
    processes = start_ranks(2, world, tmp_path, {**SETTINGS, "peer_timeout": 2}, Fault(1, 0, START))
    processes[0].join(120)
    for process in processes:
        process.join()
    assert processes[0].exitcode == 1
    message = (tmp_path / "0.log").read_text()
    assert "process 0 of 2 on" in message
    assert "did not meet the others" in message
    assert "1/2 clients joined" in message
