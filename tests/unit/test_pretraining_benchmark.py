"""The peers of the benchmark of pretraining compute what they claim to; its GPU part runs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.initialization import add_entities, random_model

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_all_steps_have_the_same_loss_and_gradients() -> None:
    from _luke_peers import AuthorsStep, transformers_luke
    from _pretraining_batches import Sizes, make_batches, padded

    sizes = Sizes(90, 50, 40)
    config = ModelConfig(
        "xlm-roberta", 90, 32, 2, 4, 64, 514, hidden_dropout=0.0, attention_dropout=0.0
    )
    model = add_entities(random_model(config, 1), 50, 16, 2).train()
    batch = make_batches(1, 3, sizes)[0]
    results = []
    for loss in (
        lambda: model(*batch).total,
        lambda: AuthorsStep(model)(padded(*batch)),
        lambda: transformers_luke(model)(**padded(*batch)).loss,
    ):
        model.zero_grad()
        value = loss()
        value.backward()
        results.append((value.detach(), model.encoder.layers[0].expand.weight.grad.clone()))
    for value, gradient in results[1:]:
        torch.testing.assert_close(value, results[0][0])
        torch.testing.assert_close(gradient, results[0][1], rtol=1e-4, atol=1e-7)


def test_batch_generator_hides_its_share() -> None:
    import _luke_loader_peer as peer

    from mluke_core.pretraining.shards import Row

    words = np.arange(10, 110, dtype=np.int32)
    entities = np.array([7, 8], np.int32)
    starts, ends = np.array([0, 3], np.int16), np.array([2, 4], np.int16)
    item = peer.item_of(Row(words, entities, starts, ends), 4)
    known = peer.Words(str, 500, 499)
    batch = {name: array.numpy() for name, array in peer.batch([item] * 3, known).items()}
    assert batch["word_attention_mask"].tolist() == [[1] * 102] * 3
    for ids, labels in zip(batch["word_ids"], batch["masked_lm_labels"], strict=True):
        chosen = np.flatnonzero(labels >= 0)
        assert len(chosen) == 15
        assert (labels[chosen] == words[chosen - 1]).all()
        untouched = np.setdiff1d(np.arange(1, 101), chosen)
        assert (ids[untouched] == words[untouched - 1]).all()
    assert batch["entity_position_ids"].shape == (3, 2, 4)
    assert batch["entity_position_ids"][0].tolist() == [[1, 2, -1, -1], [4, -1, -1, -1]]
    ids, labels = batch["entity_ids"][0], batch["masked_entity_labels"][0]
    assert sorted([*ids, *labels[labels >= 0]]) == sorted([2, 7, 8])


def test_gpu_part_runs_without_one() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: run benchmarks/pretraining.py --gpu")
    from _pretraining_gpu import gpu_rows

    rows = gpu_rows(quick=True)
    assert [row.ratio > 0 for row in rows] == [True, True]
    assert not any(row.bar for row in rows)
    assert "_pretraining_gpu" in sys.modules
