"""Micro-batches by tokens in training: another cut of the same update."""

from __future__ import annotations

from pathlib import Path

import pytest

from mluke_core.pretraining.pretrain import pretrain
from mluke_core.pretraining.settings import read_settings
from tests.pretraining_world import SETTINGS, write_world


@pytest.mark.parametrize("zero_stage", [0, 1, 2])
def test_a_limit_that_one_sequence_reaches_is_a_size_of_one(
    tmp_path: Path, zero_stage: int
) -> None:
    world = write_world(tmp_path / "world")
    weights = []
    for name, changes in (
        ("size", {"micro_batch_size": 1}),
        ("tokens", {"micro_batch_size": 4, "micro_batch_tokens": 1}),
    ):
        settings = {**SETTINGS, **changes, "zero_stage": zero_stage, "steps": 3}
        output = tmp_path / name
        pretrain(
            read_settings(settings),
            world["manifest"],
            world["vocabulary"],
            world["base"],
            None,
            tmp_path / f"work-{name}",
            output,
        )
        weights.append((output / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]
