"""Too little memory: said before the first update where possible, with what would fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mluke_core.errors import MlukeError
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining import memory
from mluke_core.pretraining.engine import Engine
from mluke_core.pretraining.flops import measured_tflops, step_flops
from mluke_core.pretraining.memory import batch_must_fit, check_memory, state_bytes
from mluke_core.pretraining.pretrain import pretrain
from mluke_core.pretraining.settings import read_settings
from tests.pretraining_world import SETTINGS, write_world

CPU = torch.device("cpu")


@pytest.mark.parametrize(("stage", "expected"), [(0, 16.0), (1, 11.0), (2, 8.0)])
def test_state_of_four_processes(stage: int, expected: float) -> None:
    """Bytes a weight: 4 itself, 4 its gradient, 8 its moments, 4 ZeRO's copy; ZeRO divides."""
    settings = read_settings({**SETTINGS, "zero_stage": stage})
    assert state_bytes(1000, 1000, settings, 4) == expected * 1000
    assert state_bytes(1000, 0, settings, 4) == 4000


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_state_with_row_wise_weights(stage: int) -> None:
    """Half of the weights have no gradient that is held, and divided moments at every stage."""
    settings = read_settings({**SETTINGS, "zero_stage": stage})
    moments = 8 * 500 / 4
    dense = state_bytes(500, 500, settings, 4)
    assert state_bytes(1000, 1000, settings, 4, row_wise=500) == dense + 4 * 500 + moments


@pytest.mark.parametrize(
    ("available", "advice"),
    [
        (12_000, "zero_stage 1 with 4 processes of this memory would fit"),
        (9_000, "zero_stage 2 with 4 processes"),
        (7_000, "zero_stage 2 with 8 processes"),
        (3_000, "No number of processes makes it fit"),
    ],
)
def test_what_would_fit(monkeypatch: pytest.MonkeyPatch, available: int, advice: str) -> None:
    monkeypatch.setattr(memory, "device_memory", lambda device: available)
    with pytest.raises(MlukeError, match=advice):
        check_memory(1000, 1000, read_settings(SETTINGS), 4, CPU)
    monkeypatch.setattr(memory, "device_memory", lambda device: 16_000)
    check_memory(1000, 1000, read_settings(SETTINGS), 4, CPU)


def test_memory_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_CGROUP_LIMIT", tmp_path / "memory.max")
    whole = memory.device_memory(CPU)
    assert whole > 1e8
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.device_memory(CPU) == whole
    (tmp_path / "memory.max").write_text("64000000\n")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory.device_memory(CPU) == 16_000_000


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_batch_that_does_not_fit(error: Exception) -> None:
    batch = pack([Example([0, 5, 2], [1], [(1, 2)])] * 4)
    with (
        pytest.raises(
            MlukeError, match=r"4 sequences, 16 .*micro_batch_tokens to 9 or .*size to 2"
        ),
        batch_must_fit(batch, 9, "m stage1"),
    ):
        raise error


def test_other_errors_stay_as_they_are() -> None:
    batch = pack([Example([0, 5, 2], [], [])])
    with pytest.raises(RuntimeError, match="shape"), batch_must_fit(batch, 0, "m"):
        raise RuntimeError("shape mismatch")


def test_run_says_it_before_the_first_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = write_world(tmp_path / "world")
    paths = (world["manifest"], world["vocabulary"], world["base"], None)
    monkeypatch.setattr(memory, "device_memory", lambda device: 1000)
    with pytest.raises(MlukeError, match="weights, gradients and optimizer take"):
        pretrain(read_settings(SETTINGS), *paths, tmp_path / "work", tmp_path / "output")
    monkeypatch.undo()

    def full(self: Engine, *values: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Engine, "accumulate", full)
    with pytest.raises(MlukeError, match=r"not enough memory for a micro-batch of 4 sequences"):
        pretrain(read_settings(SETTINGS), *paths, tmp_path / "work", tmp_path / "output")


def test_operations_of_a_step_are_counted() -> None:
    """Against the model written out as dense layers of the same sizes."""
    config = ModelConfig("luke", 50, 8, 2, 2, 16, 20, entity_count=30, entity_embedding_size=4)
    batch = pack([Example([0, 5, 6, 2], [1], [(1, 2)]), Example([0, 5, 2], [], [])])
    places = torch.tensor([1])
    targets = Targets(places, places, torch.tensor([0]), places)
    rows, pairs = 5 + 3, 25 + 9
    # The last layer has keys and values of all rows, the rest of the one word and the one entity.
    queried = {True: rows + 2, False: rows + 1}
    linear = {
        read: 2 * rows * 2 * 8 * 8 + n * (2 * 8 * 8 + 2 * 8 * 16) for read, n in queried.items()
    }
    words, entities = 8 * 8 + 8 * 50, 4 * 8 + 4 * 8 + 4 * 30
    attention = {read: 2 * pairs * 8 * n // rows for read, n in queried.items()}
    everything = step_flops(config, batch, targets, "all", True)
    assert everything == 6 * (linear[True] + words + entities + attention[True])
    new = step_flops(config, batch, targets, "new", True)
    assert new == 4 * (linear[True] + words) + 6 * (entities + attention[True])
    words_only = step_flops(config, batch, targets, "all", False)
    assert words_only == 6 * (linear[False] + words + attention[False])
    assert measured_tflops(CPU, "bf16") is None
