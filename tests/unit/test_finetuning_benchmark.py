"""Parts of benchmarks/finetuning.py that its own runs do not check."""

from pathlib import Path

import pytest
import torch

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.modeling.config import read_config
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.registry import task_class
from tests import task_world as world

NER = {
    "maximum_length": 40,
    "maximum_mention_tokens": 6,
    "maximum_spans": 8,
    "entity_features": "entity",
}


@pytest.mark.parametrize("name", ["relation", "ner"])
def test_gpu_part_runs_without_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: run benchmarks/finetuning.py --gpu")
    import _finetuning_gpu

    torch.set_num_threads(1)
    folder = world.make_model(tmp_path / "luke", world.make_tokenizer(tmp_path / "tokenizer"))
    content = world.relations(20, 1) if name == "relation" else world.sentences(8, 1)
    (tmp_path / "data").write_text(content, encoding="utf-8")

    def make_task(kind: str, model: Path, options: dict[str, object]):  # type: ignore[no-untyped-def]
        size = read_config(model).vocabulary_size
        entities = EntityVocabulary.from_json(model / "entity_vocab.json")
        return task_class(kind)(options, "entity", Tokenizer.load(model), size, entities)

    monkeypatch.setattr(_finetuning_gpu, "WARM_UP_STEPS", 2)
    monkeypatch.setattr(_finetuning_gpu, "NER_OPTIONS", NER)
    monkeypatch.setattr(_finetuning_gpu, "model_folder", lambda *size: folder)
    for file in ("relation_file", "conll_file"):
        monkeypatch.setattr(_finetuning_gpu, file, lambda count: tmp_path / "data")
    files = _finetuning_gpu.files_of(quick=True)
    rows = _finetuning_gpu.task_rows(make_task, name, *files[name], 0.0, quick=True)
    assert [row.name.split(": ")[1] for row in rows] == [
        "words and entities per second (2 steps)",
        "utilisation of the device",
        "memory of the device",
    ]
    assert float(rows[0].ours.replace(",", "")) > 0
    assert [row.ours for row in rows[1:]] == ["unknown", "0.0 GB"]
    assert not any(row.bar for row in rows)
