"""A task as docs/tasks.md says to add one: a reader, a class, a line in the registry."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mluke_core.tasks.base import NO_ENTITIES, NO_SPANS, Feature, Prediction, Task
from mluke_core.tasks.data import Dataset, ReadReport
from mluke_core.tasks.finetune import finetune
from mluke_core.tasks.heads import linear_head
from mluke_core.tasks.registry import TASKS
from mluke_core.tasks.settings import MentionFiles
from tests import task_world as world


def read_lines(path: Path) -> Dataset[tuple[str, str]]:
    """``label<TAB>text`` lines."""
    report = ReadReport()
    examples = []
    for line in path.read_text(encoding="utf-8").splitlines():
        label, _, text = line.partition("\t")
        if text:
            examples.append((label, text))
        else:
            report.count("lines without a text", line)
    return Dataset(examples, report, path)


class TopicTask(Task[tuple[str, str]]):
    """The label of a text, read off its first vector."""

    name: ClassVar[str] = "topic"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)

    def read(self, path: Path, **languages: str) -> Dataset[tuple[str, str]]:
        return read_lines(path)

    def learn_labels(self, train: Dataset[tuple[str, str]]) -> None:
        self.labels = sorted({label for label, _ in train.examples})

    def encode(self, dataset: Dataset[tuple[str, str]], training: bool) -> list[Feature]:
        features = []
        for source, (label, text) in enumerate(dataset.examples):
            ids = [self.tokenizer.bos_id, *self.tokenizer.encode(text).ids, self.tokenizer.eos_id]
            target = self.labels.index(label)
            features.append(Feature(np.array(ids), NO_ENTITIES, NO_SPANS, source, target))
        return features

    def head(self, hidden_size: int, dropout: float) -> torch.nn.Module:
        return linear_head(hidden_size, len(self.labels), dropout)

    def logits(self, head: Any, output: Any, batch: Any, features: Any) -> torch.Tensor:
        return head(output.words_TH[torch.from_numpy(batch.word_offsets[:-1])])

    def rows_read(self, batch: Any, features: Any) -> np.ndarray:
        return batch.word_rows_T.numpy()[batch.word_offsets[:-1]]

    def loss(self, logits: torch.Tensor, features: Any) -> torch.Tensor:
        return F.cross_entropy(logits, torch.tensor([feature.target for feature in features]))

    def scores(self, logits: torch.Tensor, features: Any) -> list[np.ndarray]:
        return list(logits.float().numpy())

    def decode(self, dataset: Any, features: Any, scores: Any) -> list[Prediction]:
        best = [int(row.argmax()) for row in scores]
        return [Prediction(str(n), self.labels[label], 0.0) for n, label in enumerate(best)]

    def evaluate(self, dataset: Any, predictions: Any) -> dict[str, float]:
        pairs = zip(dataset.examples, predictions, strict=True)
        right = [label == prediction.text for (label, _), prediction in pairs]
        return {"accuracy": 100 * float(np.mean(right))}

    def baseline(self, train: Any, dev: Any, seed: int) -> dict[str, float]:
        return self.evaluate(dev, [Prediction("", self.labels[0], 0.0) for _ in dev.examples])


def test_it_is_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setitem(TASKS, TopicTask.name, TopicTask)
    model = world.make_model(
        tmp_path / "model", world.make_tokenizer(tmp_path / "tokenizer"), luke=False
    )
    lines = [f"{name} was in {place}" for name in world.PEOPLE for place in world.PLACES]
    text = "".join(f"{'ac' if line[0] in 'AC' else 'others'}\t{line}\n" for line in lines)
    source = world.write_source(tmp_path, "mine", {"train": text + "bad\n", "dev": text})
    settings = {
        "task": "topic",
        "inputs": "word",
        "train": {"source": "mine", "file": "train"},
        "dev": {"source": "mine", "file": "dev"},
        "options": {},
        "run": {"learning_rate": 3e-3, "batch_size": 8, "seed": 1, "name": "lr0.003-b8-s1"},
        "epochs": 25,
        "metric": "accuracy",
        "finetuning": {"precision": "fp32", "patience": 10},
    }
    paths = [tmp_path / "work", tmp_path / "result.json", tmp_path / "weights"]
    finetune(settings, model, {"mine": source}, MentionFiles(), *paths)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["dev"]["accuracy"] > 90
    assert result["baseline"]["accuracy"] == 25
    assert result["examples"]["train"]["troubles"] == {"lines without a text": 1}
