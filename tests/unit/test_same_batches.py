"""Systems with word and with entity inputs train on the same batches of the same words."""

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks import trainer
from mluke_core.tasks.base import Feature
from mluke_core.tasks.linking import Mention
from mluke_core.tasks.registry import task_class
from tests import task_world as world

OPTIONS = {
    "relation": {"maximum_length": 60},
    "ner": {
        "maximum_length": 40,
        "maximum_mention_tokens": 6,
        "maximum_spans": 8,
        "entity_features": "entity",
    },
    "qa": {
        "maximum_length": 60,
        "stride": 16,
        "maximum_question_tokens": 12,
        "maximum_answer_tokens": 8,
        "beam": 5,
        "maximum_entities": 6,
    },
}
CONTENT = {"relation": world.relations, "ner": world.sentences, "qa": world.questions}


class AdaLinker:
    """Links the word Ada, so that inputs have different numbers of entities."""

    def __init__(self) -> None:
        self.used: Counter[str] = Counter()

    def find(self, text: str, language: str, title: str, title_language: str) -> list[Mention]:
        starts = [start for start in range(len(text)) if text.startswith("Ada", start)]
        return [Mention(start, start + 3, 3) for start in starts]


class Model(nn.Module):
    """Stands for a model: the loop needs its parameters and its device."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.device = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(world.make_tokenizer(tmp_path_factory.mktemp("tokenizer")))


def encode(name: str, inputs: str, tokenizer: Tokenizer, path: Path) -> list[Feature]:
    task = task_class(name)(
        OPTIONS[name],
        inputs,
        tokenizer,
        tokenizer.vocabulary_size,
        EntityVocabulary(world.entity_vocabulary()),
        AdaLinker(),
    )
    dataset = task.read(path)
    task.learn_labels(dataset)
    return task.encode(dataset, training=True)


def batches_of(
    features: list[Feature], work: Path, monkeypatch: pytest.MonkeyPatch
) -> list[list[int]]:
    """Numbers of the inputs of each step of two epochs."""
    numbers = {id(feature): number for number, feature in enumerate(features)}
    batches = []

    def update(model: Any, optimizer: Any, chosen: list[Feature], *rest: Any) -> float:
        batches.append([numbers[id(feature)] for feature in chosen])
        return 0.0

    monkeypatch.setattr(trainer, "_update", update)
    settings = trainer.TrainerSettings(learning_rate=1e-3, batch_size=4, epochs=2, seed=1)
    trainer.train(Model(), features, settings, work, "print", dict)  # type: ignore[arg-type]
    return batches


@pytest.mark.parametrize("name", ["relation", "ner", "qa"])
def test_word_and_entity_systems_see_the_same_batches(
    name: str, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.write_text(CONTENT[name](30, seed=1), encoding="utf-8")
    word, entity = (encode(name, inputs, tokenizer, path) for inputs in ("word", "entity"))
    assert len(word) == len(entity)
    for one, other in zip(word, entity, strict=True):
        assert np.array_equal(one.word_ids, other.word_ids)
        assert not len(one.entity_ids)
    assert any(len(feature.entity_ids) for feature in entity)
    batches = batches_of(word, tmp_path / "word", monkeypatch)
    assert sorted(chain.from_iterable(batches)) == sorted([*range(len(word))] * 2)
    assert batches == batches_of(entity, tmp_path / "entity", monkeypatch)
