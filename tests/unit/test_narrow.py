"""The last layer for the rows that are read gives what the whole layer gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.modeling.config import read_config
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.model import TaskModel, load_backbone, predict_scores
from mluke_core.tasks.narrow import narrowed
from mluke_core.tasks.registry import task_class
from mluke_core.tasks.tables import Tables
from tests import task_world as world

NER = {"maximum_length": 48, "maximum_mention_tokens": 8, "maximum_spans": 8}


@pytest.fixture(scope="module")
def luke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("luke")
    return world.make_model(folder / "luke", world.make_tokenizer(folder / "tokenizer"))


@pytest.mark.parametrize("inputs", ["word", "entity"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("relation", {"maximum_length": 60}),
        ("ner", {**NER, "entity_features": "entity"}),
        ("ner", {**NER, "entity_features": "token+entity"}),
    ],
)
def test_same_scores(
    luke: Path, tmp_path: Path, name: str, options: dict[str, Any], inputs: str
) -> None:
    vocabulary = EntityVocabulary(world.entity_vocabulary())
    size = read_config(luke).vocabulary_size
    task = task_class(name)(options, inputs, Tokenizer.load(luke), size, vocabulary)
    text = world.relations(30, 1) if name == "relation" else world.sentences(25, 1)
    (tmp_path / "data").write_text(text, encoding="utf-8")
    dataset = task.read(tmp_path / "data")
    task.learn_labels(dataset)
    features = task.encode(dataset, training=False)
    tables = Tables.of(features)
    torch.manual_seed(1)
    model = TaskModel(task, load_backbone(luke, task, tables), tables).eval()
    found = predict_scores(model, features, "fp32", "test")
    with torch.inference_mode():
        expected = [task.scores(model([feature]), [feature])[0] for feature in features]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    batch = tables.pack(features, torch.device("cpu"))
    rows = task.rows_read(batch, features)
    assert rows is not None
    assert 0 < len(rows) < len(batch.layout_L)


def test_the_layer_is_put_back(luke: Path, tmp_path: Path) -> None:
    from mluke_core.modeling.loading import load_encoder

    encoder = load_encoder(luke)
    last = encoder.layers[-1]
    names = list(encoder.state_dict())
    with pytest.raises(RuntimeError, match="inside"), narrowed(encoder) as narrow:
        assert encoder.layers[-1] is narrow
        raise RuntimeError("inside")
    assert encoder.layers[-1] is last
    assert list(encoder.state_dict()) == names
