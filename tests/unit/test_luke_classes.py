"""What transformers' own tests ask of a LUKE model, asked of an exported folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.folder import write_model_folder
from mluke_core.modeling.initialization import add_entities, random_model
from tests.pretraining_world import WORDS, write_tokenizer

BATCH, LENGTH, ENTITIES, MENTION, LAYERS, HIDDEN, ENTITY_ROWS = 3, 7, 4, 5, 2, 32, 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("luke")
    write_tokenizer(place / "tokenizer")
    config = ModelConfig("xlm-roberta", WORDS + 5, HIDDEN, LAYERS, 4, 37, 40)
    model = add_entities(random_model(config, 1), ENTITY_ROWS, 8, 2)
    weights, pooler = dict(model.named_parameters()), {}
    pooler["pooler.dense.weight"] = torch.randn(HIDDEN, HIDDEN)
    pooler["pooler.dense.bias"] = torch.zeros(HIDDEN)
    target = place / "model"
    write_model_folder(target, model.config, weights, place / "tokenizer", "card", pooler)
    return target


@pytest.fixture
def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    positions = torch.full((BATCH, ENTITIES, MENTION), -1)
    positions[..., :2] = torch.tensor([2, 3])
    return {
        "input_ids": torch.randint(4, WORDS, (BATCH, LENGTH), generator=generator),
        "attention_mask": torch.ones(BATCH, LENGTH, dtype=torch.int64),
        "token_type_ids": torch.zeros(BATCH, LENGTH, dtype=torch.int64),
        "entity_ids": torch.randint(1, ENTITY_ROWS, (BATCH, ENTITIES), generator=generator),
        "entity_attention_mask": torch.ones(BATCH, ENTITIES, dtype=torch.int64),
        "entity_token_type_ids": torch.zeros(BATCH, ENTITIES, dtype=torch.int64),
        "entity_position_ids": positions,
    }


def load(folder: Path, name: str, **options: Any) -> Any:
    import transformers

    return getattr(transformers, name).from_pretrained(folder, **options)


def test_model_with_and_without_entities(folder: Path, inputs: dict[str, torch.Tensor]) -> None:
    model = load(folder, "AutoModel").eval()
    assert type(model).__name__ == "LukeModel"
    with torch.no_grad():
        result = model(**inputs)
        assert result.last_hidden_state.shape == (BATCH, LENGTH, HIDDEN)
        assert result.entity_last_hidden_state.shape == (BATCH, ENTITIES, HIDDEN)
        assert result.pooler_output.shape == (BATCH, HIDDEN)
        words = {key: value for key, value in inputs.items() if not key.startswith("entity_")}
        for given in (words, {"input_ids": inputs["input_ids"]}):
            result = model(**given)
            assert result.last_hidden_state.shape == (BATCH, LENGTH, HIDDEN)
            assert result.entity_last_hidden_state is None


def test_masked_language_model(folder: Path, inputs: dict[str, torch.Tensor]) -> None:
    model = load(folder, "LukeForMaskedLM").eval()
    labels = inputs["input_ids"].clone()
    entity_labels = inputs["entity_ids"].clone()
    result = model(**inputs, labels=labels, entity_labels=entity_labels)
    assert result.logits.shape == (BATCH, LENGTH, WORDS + 5)
    assert result.entity_logits.shape == (BATCH, ENTITIES, ENTITY_ROWS)
    torch.testing.assert_close(result.loss, result.mlm_loss + result.mep_loss)
    result.loss.backward()
    assert all(
        parameter.grad is not None
        for name, parameter in model.named_parameters()
        if "pooler" not in name
    )


@pytest.mark.parametrize(
    "name",
    [
        "LukeForEntityClassification",
        "LukeForEntityPairClassification",
        "LukeForSequenceClassification",
        "LukeForTokenClassification",
        "LukeForQuestionAnswering",
        "LukeForMultipleChoice",
    ],
)
def test_other_heads_start_from_the_folder(
    folder: Path, inputs: dict[str, torch.Tensor], name: str
) -> None:
    """Their own layer is new; every weight below it is the folder's."""
    model = load(folder, name, num_labels=2).eval()
    body, stored = model.luke.state_dict(), load(folder, "AutoModel").state_dict()
    assert all(torch.equal(body[key], stored[key]) for key in body if key in stored)
    assert set(body) <= set(stored)
    if name == "LukeForMultipleChoice":
        inputs = {key: torch.stack([value, value], dim=1) for key, value in inputs.items()}
    with torch.no_grad():
        result = model(**inputs)
    logits = result.start_logits if name == "LukeForQuestionAnswering" else result.logits
    assert logits.shape[0] == BATCH
    assert torch.isfinite(logits).all()


def test_hidden_states_and_their_gradients(folder: Path, inputs: dict[str, torch.Tensor]) -> None:
    model = load(folder, "AutoModel", attn_implementation="eager").eval()
    result = model(**inputs, output_hidden_states=True, output_attentions=True)
    assert len(result.hidden_states) == len(result.entity_hidden_states) == LAYERS + 1
    rows = LENGTH + ENTITIES
    assert [tuple(one.shape) for one in result.attentions] == [(BATCH, 4, rows, rows)] * LAYERS
    words, entities = result.hidden_states[0], result.entity_hidden_states[0]
    words.retain_grad()
    entities.retain_grad()
    result.last_hidden_state.flatten()[0].backward()
    assert words.grad is not None
    assert entities.grad is not None


def test_saved_again_it_is_the_same(
    folder: Path, inputs: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    model = load(folder, "LukeForMaskedLM").eval()
    model.save_pretrained(tmp_path)
    again = load(tmp_path, "LukeForMaskedLM").eval()
    with torch.no_grad():
        torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits)
