"""``benchmarks/pretraining.py --gpu``: a step of base size, its share of the device's speed, and
what it waits for.

Without a CUDA device the same code runs at a tiny size, which tests it and measures nothing.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from _bench import Row
from _luke_peers import transformers_luke
from _pretraining_batches import Sizes, make_batches, padded

from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.initialization import add_entities, random_model
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import MlukeForPrediction, Targets
from mluke_core.pretraining.flops import step_flops

BATCH, PEER_BATCH = 32, 8
MATRIX = 8192
STEPS = 10


def gpu_rows(quick: bool) -> list[Row]:
    """Rows of the table; prints a profile of one step as well."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    small = device.type == "cpu"
    sizes = Sizes(2_002, 3_000, 64) if small else Sizes(250_002, 1_200_000)
    model = _model(sizes, small).to(device).train()
    steps = 2 if quick or small else STEPS
    batches = [_move(batch, device) for batch in make_batches(2, 2 if small else BATCH, sizes)]
    seconds = _time(lambda number: _ours(model, batches[number % 2]), steps, device)
    sequences = sum(batch.size for batch, _ in batches) / 2
    operations = sum(step_flops(model.config, *batch, "all", True) for batch in batches) / 2
    peak = matrix_rate(device, 256 if small else MATRIX)
    print(profile(model, batches[0], device))
    peer = transformers_luke(_model(sizes, small)).to(device).train()
    inputs = [
        {name: value.to(device) for name, value in padded(*batch).items()}
        for batch in make_batches(2, 2 if small else PEER_BATCH, sizes)
    ]
    peer_seconds = _time(lambda number: _peer(peer, inputs[number % 2]), steps, device)
    speed = sequences / seconds
    peer_speed = len(inputs[0]["input_ids"]) / peer_seconds
    bar = "" if small else ">= 0.45"
    return [
        Row(
            "share of the measured bf16 matrix rate",
            f"{operations / seconds / 1e12:.4g} TFLOP/s",
            f"{peak / 1e12:.4g} TFLOP/s",
            operations / seconds / peak,
            bar,
        ),
        Row(
            "step, bf16, transformers",
            f"{speed:.1f} samples/s",
            f"{peer_speed:.1f} samples/s",
            speed / peer_speed,
            "" if small else ">= 4",
        ),
    ]


def _model(sizes: Sizes, small: bool) -> MlukeForPrediction:
    layers, hidden = (1, 64) if small else (12, 768)
    config = ModelConfig("xlm-roberta", sizes.words, hidden, layers, hidden // 64, 4 * hidden, 514)
    return add_entities(random_model(config, 1), sizes.entities, 256, 2)


def _move(batch: tuple[PackedBatch, Targets], device: torch.device) -> tuple[Any, Any]:
    packed, targets = batch
    moved: dict[str, Any] = {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in vars(packed).items()
    }
    return PackedBatch(**moved), Targets(*(value.to(device) for value in targets))


def _ours(model: MlukeForPrediction, batch: tuple[PackedBatch, Targets]) -> None:
    with torch.autocast(batch[0].word_ids_T.device.type, torch.bfloat16):
        loss = model(*batch).total
    loss.backward()


def _peer(peer: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> None:
    with torch.autocast(inputs["input_ids"].device.type, torch.bfloat16):
        loss = peer(**inputs).loss
    loss.backward()


def _time(step: Any, steps: int, device: torch.device) -> float:
    """Seconds of one step; on a GPU the device's, which nobody shares."""
    step(0)
    step(1)
    _wait(device)
    started = time.perf_counter()
    for number in range(steps):
        step(number)
    _wait(device)
    return (time.perf_counter() - started) / steps


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(device: torch.device, size: int) -> float:
    """Floating point operations per second of a bf16 matrix product."""
    left, right = torch.randn(2, size, size, device=device).bfloat16()
    return 2 * size**3 / _time(lambda _: left @ right, 10, device)


def profile(
    model: MlukeForPrediction, batch: tuple[PackedBatch, Targets], device: torch.device
) -> str:
    """The operators that take most of a step."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    key = "self_cpu_time_total"
    if device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
        key = "self_device_time_total"
    with torch.profiler.profile(activities=activities) as recorded:
        _ours(model, batch)
        _wait(device)
    return str(recorded.key_averages().table(sort_by=key, row_limit=15, max_name_column_width=50))
