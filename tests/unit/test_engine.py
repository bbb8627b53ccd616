"""Training in this process: learning rate, optimizer, exact resume, stages, checkpoints, NaN."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
import torch
from safetensors.torch import load_file

from mluke_core.errors import ConfigError, DataError, MlukeError
from mluke_core.io.files import read_json
from mluke_core.modeling.cross_entropy import CrossEntropy
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.prediction import Losses, MlukeForPrediction, Targets
from mluke_core.pretraining.ahead import one_ahead
from mluke_core.pretraining.checkpoints import TENSORS_FILE, Checkpoint, Checkpoints
from mluke_core.pretraining.distributed import World, start_world
from mluke_core.pretraining.engine import Engine, deepspeed_config, micro_batch_size
from mluke_core.pretraining.journal import Journal
from mluke_core.pretraining.loader import Loader
from mluke_core.pretraining.manifest import read_manifest
from mluke_core.pretraining.meters import Meter
from mluke_core.pretraining.optimizer import build_optimizer, learning_rate, reset_state
from mluke_core.pretraining.pretrain import pretrain, starting_model
from mluke_core.pretraining.settings import read_settings
from mluke_core.pretraining.trainer import MAXIMUM_BROKEN_STEPS
from tests.pretraining_world import SETTINGS, write_world

# What a log entry says of the machine, not of the model.
MACHINE = ("tokens_per_second", "memory_mb", "mfu")


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
        [{k: v for k, v in entry.items() if k not in MACHINE} for entry in entries(output)]
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
    for entry in training:
        assert min(entry["tokens_per_second"], entry["gradient_norm"], entry["memory_mb"]) > 0
        assert entry["mfu"] is None  # a CPU whose rate nobody said
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
    assert 0 <= summary["unigram"]["mep_accuracy"] < 1
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
    assert validation["mep_accuracy"] > summary["unigram"]["mep_accuracy"] + 0.1


def test_share_of_the_device(world: dict[str, Path], tmp_path: Path) -> None:
    shares = []
    for peak in (1e-3, 2e-3):
        output = train(world, tmp_path / str(peak), peak_tflops=peak, precision="fp32")
        entry = entries(output)[-1]
        assert entry["split"] == "validation"
        shares += [e for e in entries(output) if e["split"] == "train"][-1:]
    flops = [entry["mfu"] / entry["tokens_per_second"] for entry in shares]
    # The same work per token, of a device said to be twice as fast.
    assert flops[0] == pytest.approx(2 * flops[1])


@pytest.mark.parametrize("zero_stage", [0, 1, 2])
def test_gradient_norm_does_not_depend_on_zero(
    world: dict[str, Path], tmp_path: Path, zero_stage: int
) -> None:
    norms: list[list[float]] = []
    for stage in (0, zero_stage):
        output = train(
            world,
            tmp_path / f"{stage}{len(norms)}",
            steps=2,
            warmup_steps=0,
            log_interval=1,
            learning_rate=1e-4,
            zero_stage=stage,
        )
        norms.append([e["gradient_norm"] for e in entries(output) if e["split"] == "train"])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


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
    assert not list((tmp_path / "cut" / "work").glob("checkpoints-*"))


def test_work_can_be_divided_otherwise_after_a_restart(
    world: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A micro-batch that does not fit, say, costs no steps."""
    changes: dict[str, Any] = {"learning_rate": 1e-3, "micro_batch_size": 4}
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(MlukeError):
            train(world, tmp_path / "cut", zero_stage=0, **changes)
    divided = {"zero_stage": 2, "micro_batch_size": 2, "micro_batch_tokens": 70}
    with caplog.at_level(logging.INFO, "mluke"):
        cut = train(world, tmp_path / "cut", **{**changes, **divided})
    assert "resuming after step 3" in caplog.text
    whole = train(world, tmp_path / "whole", **changes)
    # Another cut of the batch means other dropout.
    assert entries(cut)[-1]["loss"] == pytest.approx(entries(whole)[-1]["loss"], rel=0.01)


@pytest.mark.parametrize("zero_stage", [0, 1])
def test_loss_that_is_no_number_ends_the_run(
    world: dict[str, Path], tmp_path: Path, zero_stage: int
) -> None:
    with pytest.raises(MlukeError, match=r"NaN or infinite since step .* the batches are in"):
        train(world, tmp_path, learning_rate=1e30, steps=20, zero_stage=zero_stage)
    assert not (tmp_path / "output").exists()
    saved = sorted((tmp_path / "work" / "broken").iterdir())
    assert len(saved) == MAXIMUM_BROKEN_STEPS
    batch = load_file(saved[0])
    assert len(batch["word_offsets"]) == len(batch["sequences"]) + 1 == SETTINGS["batch_size"] + 1
    assert batch["word_offsets"][-1] == len(batch["word_ids"])
    assert batch["masked_words"].max() < len(batch["word_ids"])


def test_one_broken_batch_passes(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gradient is left out, with and without ZeRO."""
    forward = MlukeForPrediction.forward
    for zero_stage in (0, 1):
        calls: list[bool] = []

        def broken(self: MlukeForPrediction, batch: Any, targets: Any, calls: Any = calls) -> Any:
            losses = forward(self, batch, targets)
            calls.append(self.training)
            factor = torch.nan if sum(calls) == 3 and self.training else 1.0
            return losses._replace(words=losses.words._replace(loss=losses.words.loss * factor))

        monkeypatch.setattr(MlukeForPrediction, "forward", broken)
        folder = tmp_path / str(zero_stage)
        output = train(world, folder, zero_stage=zero_stage, log_interval=1)
        assert [path.name for path in (folder / "work" / "broken").iterdir()] == [
            "step-00000002.safetensors"
        ]
        log = [entry for entry in entries(output) if entry["split"] == "train"]
        assert [entry["gradient_norm"] is None for entry in log] == [False, True] + [False] * 4
        assert log[-1]["loss"] > 0


def test_batches_are_made_ahead_and_their_errors_end_the_run(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, places = Loader.batch, []

    def failing(self: Loader, start: int, *values: Any) -> Any:
        assert threading.current_thread() is not threading.main_thread()
        places.append(start)
        if start == 12:  # the second micro-batch of the second update
            raise DataError("a page of the file is gone")
        return original(self, start, *values)

    monkeypatch.setattr(Loader, "batch", failing)
    done: list[float] = []
    monkeypatch.setattr(Journal, "step_done", lambda self, loss: done.append(loss))
    with pytest.raises(DataError, match="a page of the file is gone"):
        train(world, tmp_path)
    assert places == [0, 4, 8, 12]
    assert len(done) == 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_one_ahead_is_one_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            yield number

    with ThreadPoolExecutor(1) as thread:
        taken = one_ahead(items(), thread)
        assert next(taken) == 0
        thread.submit(int).result()  # what was begun is done
        assert made == [0, 1]
        assert list(taken) == [1, 2]


@pytest.mark.parametrize("per_target", [False, True])
def test_meter_reads_losses_once(per_target: bool) -> None:
    batch = pack([Example([0, 5, 6, 2], [1], [(1, 2)])] * 3)
    none = torch.zeros(0, dtype=torch.int64)
    targets = Targets(none[:0], torch.tensor([5, 6]), none, torch.tensor([1]))
    meter = Meter(per_target)
    for number in range(2):
        loss = torch.tensor(1.5 + number, requires_grad=True) * 1
        losses = Losses(
            CrossEntropy(loss, torch.tensor(2), none), CrossEntropy(loss, torch.tensor(1), none)
        )
        meter.add(batch, targets, losses, 10.0)
        assert not any(value.requires_grad for _, value, _ in meter._unread)
    assert meter.sums["loss"] == 0
    meter.gather(World(0, 1, torch.device("cpu")))
    assert meter.sums["loss"] == (3 + 5) * 3
    assert meter.sums["word_loss"] == 4 * (2 if per_target else 3)
    assert meter.sums["entity_loss"] == 4 * (1 if per_target else 3)
    assert (meter.sums["words_right"], meter.sums["entities_right"]) == (4, 2)
    assert (meter.sums["words"], meter.sums["entities"], meter.sums["flops"]) == (4, 2, 20)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("zero_stage", [0, 1])
def test_low_precision_stays_close(
    world: dict[str, Path], tmp_path: Path, precision: str, zero_stage: int
) -> None:
    exact = read_json(train(world, tmp_path / "a") / "summary.json")
    output = train(world, tmp_path / "b", precision=precision, zero_stage=zero_stage)
    rounded = read_json(output / "summary.json")
    losses = [summary["final"]["validation"]["loss"] for summary in (exact, rounded)]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize("zero_stage", [0, 1])
def test_loss_scale_recovers_and_is_resumed(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zero_stage: int
) -> None:
    """A scale that overflows is halved until it fits; a resumed run goes on with that scale."""
    monkeypatch.setattr("mluke_core.pretraining.loss_scale._FIRST", 2.0**19)
    changes: dict[str, Any] = {
        "precision": "fp16",
        "zero_stage": zero_stage,
        "steps": 12,
        "log_interval": 1,
    }
    whole = train(world, tmp_path / "whole", **changes)
    norms = [e["gradient_norm"] for e in entries(whole) if e["split"] == "train"]
    assert norms[0] is None
    assert None not in norms[-4:]
    with monkeypatch.context() as patch:
        stop_after(patch, 7)
        with pytest.raises(MlukeError, match="stopped by SIGTERM"):
            train(world, tmp_path / "cut", **changes)
    cut = train(world, tmp_path / "cut", **changes)
    assert (cut / "weights.safetensors").read_bytes() == (
        whole / "weights.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("zero_stage", [0, 1, 2])
def test_frozen_weights_take_no_optimizer_memory(world: dict[str, Path], zero_stage: int) -> None:
    start_world()
    settings = read_settings({**SETTINGS, "trainable": "new", "zero_stage": zero_stage})
    manifest = read_manifest(world["manifest"])
    model = starting_model(settings, manifest, world["vocabulary"], world["base"], None)
    engine = Engine(model, settings, World(0, 1, torch.device("cpu")))
    new = sum(tensor.numel() for tensor in engine.trainable.values())
    optimizer = engine._optimizer.optimizer if zero_stage else engine._optimizer
    held = sum(
        tensor.numel()
        for state in optimizer.state.values()
        for key, tensor in state.items()
        if key != "step"
    )
    # ZeRO rounds each group of weights up to an even number.
    assert 2 * new <= held <= 2 * (new + 2)
    assert 0 < new < sum(parameter.numel() for parameter in model.parameters())
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (name in engine.trainable)


@pytest.mark.parametrize("zero_stage", [0, 1, 2])
def test_state_is_whole_on_the_first_process_alone(world: dict[str, Path], zero_stage: int) -> None:
    start_world()
    settings = read_settings({**SETTINGS, "zero_stage": zero_stage})
    manifest = read_manifest(world["manifest"])
    paths = world["vocabulary"], world["base"], None
    first, second = (
        Engine(
            starting_model(settings, manifest, *paths),
            settings,
            World(rank, 1, torch.device("cpu")),
        )
        for rank in range(2)
    )
    state = first.state()
    assert state is not None
    assert len(state) == 3 * len(first.trainable)
    given = {
        name: tensor.clone() if name.startswith("weight.") else torch.rand_like(tensor)
        for name, tensor in state.items()
    }
    for engine in (first, second):
        engine.load_state(given, 3)
    state = first.state()
    assert state is not None
    assert list(state) == list(given)
    assert all(torch.equal(state[name], given[name]) for name in given)
    assert second.state() == {}
    given[f"exp_avg_sq.{list(first.trainable)[-1]}"].view(-1)[0] = torch.nan
    for engine in (first, second):
        engine.load_state(given, 3)
        assert engine.state() is None


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

    @pytest.mark.parametrize("damage", ["flip", "cut", "gone", "no state", "empty state"])
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
            state = "{" if damage == "no state" else "{}"
            (path.parent / "state.json").write_text(state)
        with caplog.at_level(logging.WARNING, "mluke"):
            newest = checkpoints.newest(self.shapes)
        assert newest is not None
        assert newest.step == 2
        assert "step-00000004: skipped" in caplog.text

    def test_plain_files_beside_them_stay(self, tmp_path: Path) -> None:
        folder = self.save(tmp_path, 2).folder
        for name in ("step-00000003", "step-00000009.tar", ".step-00000001.tmp"):
            (folder / name).write_text("somebody's")
        checkpoints = self.save(tmp_path, 4, 6)
        names = [path.name for path in folder.iterdir() if path.is_dir()]
        assert sorted(names) == ["step-00000004", "step-00000006"]
        assert len(list(folder.iterdir())) == 5
        newest = checkpoints.newest(self.shapes)
        assert newest is not None
        assert newest.step == 6

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
        ({"precision": "fp8"}, "precision is 'fp8'; write one of bf16, fp16, fp32"),
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
