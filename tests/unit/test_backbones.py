"""Any word encoder of the BERT family, and any LUKE-type checkpoint, as a Hugging Face folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mluke_core.errors import DataError
from mluke_core.io.sources import Source
from mluke_core.modeling.import_model import import_model
from mluke_core.modeling.loading import load_encoder
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.finetune import finetune
from mluke_core.tasks.settings import MentionFiles
from tests import task_world as world

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *world.PEOPLE, *world.PLACES]
WORDS += ["was", "born", "died", "works", "in", "and", ".", "@", "#", "##s"]
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "initializer_range": 0.1,
}


def hub_folder(folder: Path, model: Any) -> dict[str, str | bytes]:
    """Files of a checkpoint as `transformers` writes them."""
    model.save_pretrained(folder)
    return {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}


def bert(folder: Path) -> Path:
    """A BERT-type folder imported from a checkpoint with a WordPiece vocabulary."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=128, **SIZES)
    files = hub_folder(folder / "hub", BertModel(config))
    source = world.write_source(folder, "mine", {**files, "vocab.txt": "\n".join(WORDS)})
    build_tokenizer(Source(source), "wordpiece", folder / "tokenizer")
    import_model(Source(source), folder / "tokenizer", "mine", folder / "bert")
    return folder / "bert"


def tune(folder: Path, model: Path, task: str, inputs: str) -> dict[str, Any]:
    files = {
        "relation": (world.relations(60, 1), world.relations(20, 2)),
        "ner": (world.sentences(30, 1), world.sentences(10, 2)),
        "qa": (world.questions(30, 1), world.questions(10, 2)),
    }[task]
    source = world.write_source(folder / "data", task, {"train": files[0], "dev": files[1]})
    options = {
        "relation": {"maximum_length": 60},
        "ner": {
            "maximum_length": 48,
            "maximum_mention_tokens": 8,
            "maximum_spans": 64,
            "entity_features": "entity",
        },
        "qa": {
            "maximum_length": 64,
            "stride": 16,
            "maximum_question_tokens": 16,
            "maximum_answer_tokens": 8,
            "beam": 5,
        },
    }[task]
    settings = {
        "task": task,
        "inputs": inputs,
        "train": {"source": task, "file": "train"},
        "dev": {"source": task, "file": "dev"},
        "options": options,
        "run": {"learning_rate": 2e-3, "batch_size": 8, "seed": 1, "name": "lr0.002-b8-s1"},
        "epochs": 5,
        "finetuning": {"precision": "fp32"},
    }
    output = folder / task
    finetune(
        settings,
        model,
        {task: source},
        MentionFiles(),
        output / "work",
        output / "result.json",
        output / "weights",
    )
    return json.loads((output / "result.json").read_text())


def learns(result: dict[str, Any]) -> bool:
    losses = [entry["loss"] for entry in result["history"] if "loss" in entry]
    return float(np.mean(losses[-4:])) < float(np.mean(losses[:4]))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    """More threads than free cores make tiny models slow."""
    torch.set_num_threads(1)


@pytest.mark.parametrize("task", ["relation", "ner", "qa"])
def test_bert_with_wordpiece(tmp_path: Path, task: str) -> None:
    result = tune(tmp_path, bert(tmp_path), task, "word")
    assert learns(result)
    assert result["examples"]["train"]["troubles"] == {}


def test_bert_has_no_entities(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no entity_vocab\.json.*inputs: word"):
        tune(tmp_path, bert(tmp_path), "relation", "entity")


def test_luke_checkpoint_with_its_own_order_of_entities(tmp_path: Path) -> None:
    """As released: its vocabulary begins with [MASK], and its last row is no [MASK2]."""
    from transformers import LukeConfig, LukeModel

    tokenizer = world.make_tokenizer(tmp_path / "tokenizer")
    vocabulary = {k: v for k, v in world.entity_vocabulary().items() if k != "[MASK2]"}
    config = LukeConfig(
        vocab_size=Tokenizer.load(tokenizer).vocabulary_size,
        entity_vocab_size=len(set(vocabulary.values())),
        entity_emb_size=16,
        use_entity_aware_attention=False,
        max_position_embeddings=130,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **SIZES,
    )
    torch.manual_seed(0)
    files = hub_folder(tmp_path / "hub", LukeModel(config))
    entities = json.dumps(vocabulary)
    source = world.write_source(tmp_path, "released", {**files, "entity_vocab.json": entities})
    import_model(Source(source), tokenizer, "released", tmp_path / "luke")
    for task in ("relation", "ner"):
        result = tune(tmp_path, tmp_path / "luke", task, "entity")
        assert learns(result)


def test_entity_table_holds_the_entities_in_use(tmp_path: Path) -> None:
    model = world.make_model(tmp_path / "luke", world.make_tokenizer(tmp_path / "tokenizer"))
    whole, part = load_encoder(model), load_encoder(model, [5, 0])
    assert whole.entities is not None
    assert part.entities is not None
    assert part.entities.entity.weight.shape[0] == 2
    rows = whole.entities.entity.weight[[5, 0]].detach()
    np.testing.assert_array_equal(part.entities.entity.weight.detach(), rows)
