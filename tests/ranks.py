"""The processes of a pretraining run, started fast, killed or stopped at a chosen moment.

A fork server imports torch and DeepSpeed once; every process is forked from it, so each of them is
a real process with connections of its own that costs no seconds of imports.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.pretraining_world import arguments

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "mluke_core.pretraining.pretrain",
        # DeepSpeed and torch import these when the first optimizer is made.
        "deepspeed.runtime.zero.muon.muon_optimizer",
        "torch._dynamo",
        "torch.utils.tensorboard",
    ]
)

START = "start"
UPDATE, GRADIENT, SAVING, SAVED = "update", "gradient", "saving", "saved"
PLACES = (UPDATE, GRADIENT, SAVING, SAVED)


@dataclass(frozen=True)
class Fault:
    """A signal that a process sends to itself."""

    rank: int
    step: int
    """Updates done, or under way, by then."""
    place: str
    """start: at once | update: before it | gradient: after its first micro-batch | saving: when the
    tensors of a checkpoint are written, but it has no name yet | saved: after a checkpoint."""
    signal: int = signal.SIGKILL


def start_ranks(
    size: int,
    world: dict[str, Path],
    folder: Path,
    settings: dict[str, Any],
    fault: Fault | None = None,
) -> list[BaseProcess]:
    """Start ``size`` processes that train in ``folder``; process n logs to ``n.log`` there."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    processes: list[BaseProcess] = []
    for rank in range(size):
        options = arguments(world, folder / "work", folder / "output", settings)
        options += ["--log", str(folder / f"{rank}.log")]
        mine = fault if fault is not None and fault.rank == rank else None
        process = _CONTEXT.Process(target=_run, args=(rank, size, port, options, mine))
        process.start()
        processes.append(process)
    return processes


def run_ranks(
    size: int,
    world: dict[str, Path],
    folder: Path,
    settings: dict[str, Any],
    fault: Fault | None = None,
) -> list[int | None]:
    """As :func:`start_ranks`; waits for all. Returns their exit codes."""
    processes = start_ranks(size, world, folder, settings, fault)
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def _run(rank: int, size: int, port: int, options: list[str], fault: Fault | None) -> None:
    import torch

    from workflow_scripts.pretrain import main

    torch.set_num_threads(1)
    place = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "MASTER_PORT": port}
    os.environ.update({key: str(value) for key, value in place.items()})
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    if fault is not None:
        _arm(fault)
    raise SystemExit(main(options))


def _arm(fault: Fault) -> None:
    from mluke_core.pretraining import checkpoints
    from mluke_core.pretraining.engine import Engine
    from mluke_core.pretraining.trainer import Trainer

    if fault.place == START:
        os.kill(os.getpid(), fault.signal)
    steps = [-1]
    update, accumulate = Trainer._update, Engine.accumulate
    write_json, save = checkpoints.write_json, Trainer.save

    def strike(place: str) -> None:
        if steps[0] == fault.step and place == fault.place:
            steps[0] = -1
            os.kill(os.getpid(), fault.signal)

    def counted_update(self: Any) -> Any:
        steps[0] = self.step
        strike(UPDATE)
        result = update(self)
        if steps[0] >= 0:
            steps[0] = self.step
        return result

    def counted_accumulate(self: Any, *values: Any) -> Any:
        result = accumulate(self, *values)
        strike(GRADIENT)
        return result

    def counted_write(*values: Any) -> None:
        strike(SAVING)
        write_json(*values)

    def counted_save(self: Any) -> None:
        save(self)
        strike(SAVED)

    Trainer._update = counted_update  # type: ignore[method-assign]
    Engine.accumulate = counted_accumulate  # type: ignore[method-assign,assignment]
    checkpoints.write_json = counted_write  # type: ignore[assignment]
    Trainer.save = counted_save  # type: ignore[method-assign]
