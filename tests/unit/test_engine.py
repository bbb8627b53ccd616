"""Training in this process: learning rate, optimizer, exact resume, stages, checkpoints, NaN."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
import torch
from safetensors.torch import load_file

from mluke_core.errors import ConfigError, DataError, MlukeError
from mluke_core.io.files import read_json
from mluke_core.pretraining.checkpoints import TENSORS_FILE, Checkpoint, Checkpoints
from mluke_core.pretraining.engine import deepspeed_config, micro_batch_size
from mluke_core.pretraining.journal import Journal
from mluke_core.pretraining.optimizer import build_optimizer, learning_rate, reset_state
from mluke_core.pretraining.pretrain import pretrain
from mluke_core.pretraining.settings import read_settings
from tests.pretraining_world import SETTINGS, write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_world(tmp_path_factory.mktemp("world"))


def train(
    world: dict[str, Path], folder: Path, previous: Path | None = None, **changes: Any
) -> Path:
    """Run a stage in ``folder``. Returns its output."""
    pretrain(
        read_settings({**SETTINGS, **changes}),
        world["manifest"],
        world["vocabulary"],
        world["base"],
        previous,
        folder / "work",
        folder / "output",
    )
    return folder / "output"


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Send this process SIGTERM when ``steps`` updates are done."""
    original = Journal.step_done
    done = []

    def counting(self: Journal, loss: float) -> None:
        original(self, loss)
        done.append(loss)
        if len(done) == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Journal, "step_done", counting)


def entries(output: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (output / "log.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize("zero_stage", [0, 1, 2])
def test_resumed_weights_are_bit_identical(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zero_stage: int
) -> None:
    whole = train(world, tmp_path / "whole", zero_stage=zero_stage)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(MlukeError, match="stopped by SIGTERM after step 3 of 6"):
            train(world, tmp_path / "cut", zero_stage=zero_stage)
    assert not (tmp_path / "cut" / "output").exists()
    cut = train(world, tmp_path / "cut", zero_stage=zero_stage)
    assert (cut / "weights.safetensors").read_bytes() == (
        whole / "weights.safetensors"
    ).read_bytes()
    timeless = [
        [{k: v for k, v in entry.items() if k != "tokens_per_second"} for entry in entries(output)]
        for output in (whole, cut)
    ]
    # The entry after the cut averages over the steps since the restart only.
    assert [e for e in timeless[0] if e["step"] != 4] == [e for e in timeless[1] if e["step"] != 4]
    assert not list((tmp_path / "cut" / "work").glob("checkpoints-*"))


def test_log_and_summary_hold_what_is_promised(world: dict[str, Path], tmp_path: Path) -> None:
    output = train(world, tmp_path)
    log = entries(output)
    training = [entry for entry in log if entry["split"] == "train"]
    assert [entry["step"] for entry in training] == [2, 4, 6]
    assert training[0]["learning_rate"] == pytest.approx(1e-2)
    assert all(entry["tokens_per_second"] > 0 for entry in training)
    validation = [entry for entry in log if entry["split"] == "validation"]
    assert [entry.get("language") for entry in validation] == ["en", "ja", None] * 3
    assert {entry["step"] for entry in validation} == {0, 3, 6}
    for entry in log:
        assert entry["loss"] == pytest.approx(entry["mlm_loss"] + entry["mep_loss"])
        assert 0 <= entry["mlm_accuracy"] <= 1
        assert 0 <= entry["mep_accuracy"] <= 1
    summary = read_json(output / "summary.json")
    assert summary["steps"] == 6
    assert summary["parameters"] == summary["trainable_parameters"] > 1000
    assert 0 < summary["unigram"]["mep_loss"] < 5
    assert summary["final"]["validation"]["loss"] == validation[-1]["loss"]
    assert list((tmp_path / "work" / "log" / "tensorboard").iterdir())


def test_losses_fall_below_the_unigram_baseline(world: dict[str, Path], tmp_path: Path) -> None:
    output = train(
        world,
        tmp_path,
        steps=60,
        warmup_steps=15,
        learning_rate=3e-3,
        batch_size=32,
        micro_batch_size=32,
        validation_sequences=100,
        validation_interval=60,
        log_interval=30,
        checkpoint_interval=1000,
    )
    summary = read_json(output / "summary.json")
    validation = summary["final"]["validation"]
    assert validation["mlm_loss"] < summary["unigram"]["mlm_loss"] - 0.5
    assert validation["mep_loss"] < summary["unigram"]["mep_loss"] - 0.5


def test_first_stage_moves_only_new_parameters(world: dict[str, Path], tmp_path: Path) -> None:
    first = train(world, tmp_path / "1", stage="stage1", trainable="new", entity_embedding_size=8)
    base = load_file(world["base"] / "model.safetensors")
    weights = load_file(first / "weights.safetensors")
    assert torch.equal(
        weights["encoder.words.word.weight"], base["roberta.embeddings.word_embeddings.weight"]
    )
    assert torch.equal(weights["word_head.dense.weight"], base["lm_head.dense.weight"])
    summary = read_json(first / "summary.json")
    new = [name for name in weights if name.startswith(("encoder.entities.", "entity_head."))]
    assert summary["trainable_parameters"] == sum(weights[name].numel() for name in new)
    assert summary["trainable_parameters"] < summary["parameters"]
    second = train(world, tmp_path / "2", previous=first)
    moved = load_file(second / "weights.safetensors")
    assert all(not torch.equal(moved[name], weights[name]) for name in weights)


def test_extra_training_has_words_only(world: dict[str, Path], tmp_path: Path) -> None:
    output = train(world, tmp_path, objective="mlm", stage="extra")
    names = load_file(output / "weights.safetensors")
    assert not any("entit" in name for name in names)
    assert all(entry["mep_loss"] is None for entry in entries(output))
    with pytest.raises(DataError, match="no entities, but the objective is luke"):
        train(world, tmp_path / "next", previous=output)


def test_checkpoints_of_other_settings_are_not_used(
    world: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(MlukeError):
            train(world, tmp_path / "cut", steps=5)
    with caplog.at_level(logging.WARNING, "mluke"):
        changed = train(world, tmp_path / "cut")
    assert "left by a run with other settings" in caplog.text
    whole = train(world, tmp_path / "whole")
    assert (changed / "weights.safetensors").read_bytes() == (
        whole / "weights.safetensors"
    ).read_bytes()


def test_loss_that_is_no_number_ends_the_run(world: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(MlukeError, match="NaN or infinite since step"):
        train(world, tmp_path, learning_rate=1e30, steps=20)
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("precision", ["bf16"])
def test_low_precision_stays_close(world: dict[str, Path], tmp_path: Path, precision: str) -> None:
    exact = read_json(train(world, tmp_path / "a") / "summary.json")
    rounded = read_json(train(world, tmp_path / "b", precision=precision) / "summary.json")
    losses = [summary["final"]["validation"]["loss"] for summary in (exact, rounded)]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


class TestCheckpoints:
    tensors: ClassVar = {"weight.a": torch.arange(6.0).reshape(2, 3)}
    shapes: ClassVar = {"weight.a": torch.Size([2, 3])}

    def save(self, folder: Path, *steps: int) -> Checkpoints:
        checkpoints = Checkpoints(folder, "abc", 2)
        for step in steps:
            checkpoints.save(Checkpoint(step, 1.5, {"weight.a": self.tensors["weight.a"] + step}))
        return checkpoints

    def test_last_ones_are_kept(self, tmp_path: Path) -> None:
        checkpoints = self.save(tmp_path, 2, 4, 10)
        names = [path.name for path in sorted(checkpoints.folder.iterdir())]
        assert names == ["step-00000004", "step-00000010"]
        newest = checkpoints.newest(self.shapes)
        assert newest is not None
        assert (newest.step, newest.seconds) == (10, 1.5)
        assert torch.equal(newest.tensors["weight.a"], self.tensors["weight.a"] + 10)

    @pytest.mark.parametrize("damage", ["flip", "cut", "gone", "no state"])
    def test_damaged_newest_is_skipped(
        self, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        checkpoints = self.save(tmp_path, 2, 4)
        path = checkpoints.folder / "step-00000004" / TENSORS_FILE
        content = bytearray(path.read_bytes())
        if damage == "flip":
            content[-3] ^= 8
            path.write_bytes(content)
        elif damage == "cut":
            path.write_bytes(content[:-5])
        elif damage == "gone":
            path.unlink()
        else:
            (path.parent / "state.json").write_text("{")
        with caplog.at_level(logging.WARNING, "mluke"):
            newest = checkpoints.newest(self.shapes)
        assert newest is not None
        assert newest.step == 2
        assert "step-00000004: skipped" in caplog.text

    def test_other_model_is_refused(self, tmp_path: Path) -> None:
        checkpoints = self.save(tmp_path, 2)
        with pytest.raises(DataError, match="a checkpoint of another model"):
            checkpoints.newest({"weight.a": torch.Size([3, 2])})

    def test_none(self, tmp_path: Path) -> None:
        assert Checkpoints(tmp_path, "abc", 2).newest(self.shapes) is None


def test_learning_rate_is_never_zero_within_the_run() -> None:
    rates = [learning_rate(step, 2e-4, 10, 100) for step in range(100)]
    assert rates[0] == pytest.approx(2e-5)
    assert max(rates) == pytest.approx(2e-4)
    assert rates[10] == 2e-4
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert min(rates) > 0
    assert learning_rate(100, 2e-4, 10, 100) == 0
    assert learning_rate(0, 1.0, 0, 10) == 1.0


@pytest.mark.parametrize("bias_correction", [False, True])
def test_optimizer_follows_the_formula(bias_correction: bool) -> None:
    parameters = {
        "a.weight": torch.nn.Parameter(torch.tensor([0.5, -2.0])),
        "norm.weight": torch.nn.Parameter(torch.tensor([1.0])),
    }
    settings = read_settings({**SETTINGS, "bias_correction": bias_correction, "weight_decay": 0.1})
    optimizer = build_optimizer(parameters, settings)
    reset_state(optimizer, bias_correction)
    expected = {name: value.detach().double().clone() for name, value in parameters.items()}
    first = {name: torch.zeros_like(value) for name, value in expected.items()}
    second = {name: torch.zeros_like(value) for name, value in expected.items()}
    for step in range(1, 4):
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        for name, parameter in parameters.items():
            gradient = torch.full_like(parameter, 0.3 * step)
            parameter.grad = gradient
            decay = 0.1 if name == "a.weight" else 0.0
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            mean, variance = first[name], second[name]
            if bias_correction:
                mean, variance = mean / (1 - 0.9**step), variance / (1 - 0.999**step)
            expected[name] = expected[name] * (1 - 0.01 * decay)
            expected[name] = expected[name] - 0.01 * mean / (variance.sqrt() + 1e-6)
        optimizer.step()
    for name, parameter in parameters.items():
        torch.testing.assert_close(parameter.double(), expected[name], rtol=1e-5, atol=1e-7)


def test_batches_are_cut_evenly() -> None:
    settings = read_settings({**SETTINGS, "batch_size": 32, "micro_batch_size": 32})
    assert [micro_batch_size(settings, size) for size in (1, 2, 4)] == [32, 16, 8]
    uneven = read_settings({**SETTINGS, "batch_size": 12, "micro_batch_size": 5})
    assert micro_batch_size(uneven, 1) == 4
    config = deepspeed_config(uneven, 2, 100)
    assert config["train_batch_size"] == 12
    assert config["gradient_accumulation_steps"] * config["train_micro_batch_size_per_gpu"] == 6
    with pytest.raises(ConfigError, match="not a multiple of the 5 processes"):
        micro_batch_size(settings, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "fp8"}, "precision is 'fp8'; write one of bf16, fp32"),
        ({"steps": 0}, "steps is 0"),
        ({"warmup_steps": 6}, "warmup_steps is 6"),
        ({"word_mask_share": 15}, "write a share like 0.15"),
        ({"objective": "mlm", "trainable": "new"}, "adds none"),
        ({"colour": "red"}, "'colour' is not known"),
    ],
)
def test_wrong_settings_name_the_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_settings({**SETTINGS, **change})


def test_missing_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="'steps' is missing"):
        read_settings({key: value for key, value in SETTINGS.items() if key != "steps"})
