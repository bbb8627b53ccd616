"""The entity table with a row-wise gradient: the same training as with a dense one."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mluke_core.errors import ConfigError, MlukeError
from mluke_core.modeling.prediction import MlukeForPrediction
from mluke_core.pretraining import row_table
from mluke_core.pretraining.distributed import World, start_world
from mluke_core.pretraining.engine import Engine
from mluke_core.pretraining.manifest import read_manifest
from mluke_core.pretraining.pretrain import starting_model
from mluke_core.pretraining.settings import read_settings
from tests.pretraining_world import ENTITIES, SETTINGS, SPECIAL_ENTITIES, write_world
from tests.ranks import UPDATE, Fault, run_ranks
from tests.unit.test_engine import entries, stop_after, train

# Micro-batches are cut the same for one and two processes, so that dropout is the same.
CHANGES: dict[str, Any] = {"learning_rate": 1e-3, "micro_batch_size": 2, "log_interval": 1}
ROWS: dict[str, Any] = {**CHANGES, "entity_gradient": "rows"}
TABLE = "encoder.entities.entity.weight"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def dense(world: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(world, tmp_path_factory.mktemp("dense"), **CHANGES)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks of rows and of positions, the last ones not full."""
    monkeypatch.setattr(row_table, "_CPU_CHUNK", (4, 3))


def assert_close(one: Path, other: Path) -> None:
    """Weights of two runs, to 1e-5."""
    weights, others = (load_file(path / "weights.safetensors") for path in (one, other))
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        if not name.endswith("attention.key.bias"):  # its gradient is rounding noise
            assert (tensor - others[name]).norm() <= 1e-5 * tensor.norm(), name


def norms(output: Path) -> list[float]:
    return [entry["gradient_norm"] for entry in entries(output) if entry["split"] == "train"]


@pytest.mark.parametrize("zero_stage", [0, 1, 2])
def test_equals_dense(world: dict[str, Path], dense: Path, tmp_path: Path, zero_stage: int) -> None:
    rows = train(world, tmp_path, **ROWS, zero_stage=zero_stage)
    assert_close(dense, rows)
    assert norms(dense) == pytest.approx(norms(rows), rel=1e-4)


def test_equals_dense_in_the_first_stage(world: dict[str, Path], tmp_path: Path) -> None:
    changes: dict[str, Any] = {"stage": "stage1", "trainable": "new", "bias_correction": True}
    outputs = [
        train(world, tmp_path / settings.get("entity_gradient", "dense"), **settings, **changes)
        for settings in (CHANGES, ROWS)
    ]
    assert_close(*outputs)


def test_a_model_of_words_has_no_such_table(world: dict[str, Path], tmp_path: Path) -> None:
    outputs = [
        train(world, tmp_path / str(number), **settings, objective="mlm", stage="extra", steps=3)
        for number, settings in enumerate((CHANGES, ROWS))
    ]
    weights = [(output / "weights.safetensors").read_bytes() for output in outputs]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("zero_stage", [0, 1])
def test_two_processes_give_the_same(
    world: dict[str, Path], dense: Path, tmp_path: Path, zero_stage: int
) -> None:
    """Each has its part of the rows; the first alone writes the checkpoints."""
    assert run_ranks(2, world, tmp_path, {**ROWS, "zero_stage": zero_stage}) == [0, 0]
    assert_close(dense, tmp_path / "output")


@pytest.mark.parametrize("bias_correction", [False, True])
def test_resumed_weights_are_bit_identical(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bias_correction: bool
) -> None:
    changes = {**ROWS, "bias_correction": bias_correction}
    whole = train(world, tmp_path / "whole", **changes)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(MlukeError, match="stopped by SIGTERM after step 3 of 6"):
            train(world, tmp_path / "cut", **changes)
    cut = train(world, tmp_path / "cut", **changes)
    weights = [(output / "weights.safetensors").read_bytes() for output in (whole, cut)]
    assert weights[0] == weights[1]


def test_a_checkpoint_serves_both(
    world: dict[str, Path], dense: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes begin with rows, one goes on without, then with them again."""
    terminated = Fault(1, 1, UPDATE, signal.SIGTERM)
    assert run_ranks(2, world, tmp_path, {**ROWS, "zero_stage": 1}, terminated) == [1, 1]
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(MlukeError, match="stopped by SIGTERM after step 4 of 6"):
            train(world, tmp_path, **CHANGES)
    assert_close(dense, train(world, tmp_path, **ROWS, zero_stage=2))


@pytest.mark.parametrize("zero_stage", [0, 1])
def test_a_gradient_that_is_no_number_changes_nothing(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zero_stage: int
) -> None:
    forward = MlukeForPrediction.forward
    calls: list[bool] = []

    def broken(self: MlukeForPrediction, *values: Any) -> Any:
        losses = forward(self, *values)
        calls.append(self.training)
        factor = torch.nan if sum(calls) == 6 and self.training else 1.0
        return losses._replace(words=losses.words._replace(loss=losses.words.loss * factor))

    monkeypatch.setattr(MlukeForPrediction, "forward", broken)
    output = train(world, tmp_path, **ROWS, zero_stage=zero_stage)
    assert [norm is None for norm in norms(output)] == [False, True] + [False] * 4
    weights = load_file(output / "weights.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def test_low_precision_stays_close(world: dict[str, Path], dense: Path, tmp_path: Path) -> None:
    rounded = load_file(train(world, tmp_path, **ROWS, precision="bf16") / "weights.safetensors")
    exact = load_file(dense / "weights.safetensors")
    assert (rounded[TABLE] - exact[TABLE]).norm() < 0.02 * exact[TABLE].norm()


def test_no_gradient_as_large_as_the_table(world: dict[str, Path]) -> None:
    start_world()
    settings = read_settings({**SETTINGS, **ROWS})
    manifest = read_manifest(world["manifest"])
    model = starting_model(settings, manifest, world["vocabulary"], world["base"], None)
    engine = Engine(model, settings, World(0, 1, torch.device("cpu")))
    held = {parameter for group in engine._optimizer.param_groups for parameter in group["params"]}
    parameters = dict(model.named_parameters())
    assert parameters[TABLE].shape[0] == ENTITIES + len(SPECIAL_ENTITIES)
    for name in (TABLE, "entity_head.bias"):
        assert name in engine.trainable
        assert parameters[name] not in held
        assert not parameters[name].requires_grad


@pytest.mark.parametrize("change", [{"gradient_clipping": 1.0}, {"precision": "fp16"}])
def test_settings_that_need_the_gradient_before_the_update(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"entity_gradient rows .* Write gradient_clipping: 0"):
        read_settings({**SETTINGS, **ROWS, **change})
