"""Published checkpoints in, folders that ``transformers`` loads with equal outputs out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mluke_core.errors import DataError
from mluke_core.io.files import read_json, write_json
from mluke_core.io.sources import Source
from mluke_core.modeling.config import ModelConfig, config_to_hub
from mluke_core.modeling.hub_names import hub_names
from mluke_core.modeling.import_model import import_model
from mluke_core.modeling.initialization import add_entities, random_model
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.loading import load_encoder, load_for_prediction
from mluke_core.modeling.prediction import MlukeForPrediction
from mluke_core.modeling.second_mask import append_second_mask
from tests.pretraining_world import WORDS, write_tokenizer

CONFIG = ModelConfig("xlm-roberta", WORDS + 5, 16, 1, 2, 32, 40)
NAMES = {"[MASK]": 0, "[UNK]": 1, "[PAD]": 2, "en:Japan": 3, "ja:日本": 3, "en:Rain": 4}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer") / "tokenizer"
    write_tokenizer(folder)
    return folder


@pytest.fixture
def luke() -> MlukeForPrediction:
    return add_entities(random_model(CONFIG, 1), 5, 8, 2).eval()


def by_hub_names(model: MlukeForPrediction) -> dict[str, torch.Tensor]:
    parameters = dict(model.named_parameters())
    return {hub: parameters[own].detach().clone() for own, hub in hub_names(model.config).items()}


def publish(
    folder: Path,
    config: dict[str, Any],
    tensors: dict[str, torch.Tensor],
    names: dict[str, int] | None = None,
    pickled: bool = False,
) -> Source:
    """A source with the files that a checkpoint is published as."""
    folder.mkdir(exist_ok=True)
    write_json(folder / "config.json", config)
    if pickled:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors")
    if names is not None:
        write_json(folder / "entity_vocab.json", names)
    files = {path.name: {"path": str(path)} for path in folder.iterdir()}
    write_json(folder.with_suffix(".json"), {"source": "published", "files": files})
    return Source(folder.with_suffix(".json"))


@pytest.mark.parametrize("pickled", [False, True])
def test_released_luke_checkpoint(
    luke: MlukeForPrediction, tmp_path: Path, tokenizer: Path, pickled: bool
) -> None:
    """Ids by name, copies of tied tables, query copies of entity-aware attention."""
    tensors = by_hub_names(luke)
    tensors["entity_predictions.decoder.weight"] = tensors[
        "luke.entity_embeddings.entity_embeddings.weight"
    ].clone()
    tensors["luke.embeddings.position_ids"] = torch.arange(40.0)
    for part in ("weight", "bias"):
        query = tensors[f"luke.encoder.layer.0.attention.self.query.{part}"]
        for kind in ("w2e", "e2w", "e2e"):
            tensors[f"luke.encoder.layer.0.attention.self.{kind}_query.{part}"] = query.clone()
    config = {**config_to_hub(luke.config), "use_entity_aware_attention": True}
    source = publish(tmp_path / "hub", config, tensors, NAMES, pickled)
    import_model(source, tokenizer, "mluke", tmp_path / "model")

    names = read_json(tmp_path / "model" / "entity_vocab.json")
    assert names == {**NAMES, "[MASK2]": 5}
    assert read_json(tmp_path / "model" / "config.json")["use_entity_aware_attention"] is False
    found = load_for_prediction(tmp_path / "model")
    batch = pack([Example([0, 5, 6, 2], [names["[MASK]"], names["[MASK2]"]], [(1, 2), (1, 2)])])
    entities_EH = found.encoder(batch).entities_EH
    torch.testing.assert_close(entities_EH[0], entities_EH[1])
    torch.testing.assert_close(
        entities_EH[0], luke.encoder(pack([Example([0, 5, 6, 2], [0, 0], [(1, 2)] * 2)]))[1][0]
    )


def test_lite_checkpoint_with_special_entities_alone(tmp_path: Path, tokenizer: Path) -> None:
    """As the "lite" releases: no entity but the special ones, and no entity head."""
    names = {"[MASK]": 0, "[UNK]": 1, "[PAD]": 2}
    luke = add_entities(random_model(CONFIG, 1), len(names), 8, 2).eval()
    tensors = by_hub_names(luke)
    tensors = {name: value for name, value in tensors.items() if "entity_predictions" not in name}
    source = publish(tmp_path / "hub", config_to_hub(luke.config), tensors, names)
    import_model(source, tokenizer, "lite", tmp_path / "model")
    assert read_json(tmp_path / "model" / "entity_vocab.json") == {**names, "[MASK2]": 3}
    encoder = load_encoder(tmp_path / "model")
    both = encoder(pack([Example([0, 5, 2], [0, 3], [(1, 2)] * 2)])).entities_EH
    torch.testing.assert_close(both[0], both[1])
    with pytest.raises(DataError, match="entity_predictions"):
        load_for_prediction(tmp_path / "model")


def test_large_sizes_follow_the_configuration(tmp_path: Path, tokenizer: Path) -> None:
    """Nothing is wired to the base size: 24 layers of another width, 16 heads."""
    config = ModelConfig("xlm-roberta", WORDS + 5, 32, 24, 16, 64, 40)
    luke = add_entities(random_model(config, 1), 5, 8, 2).eval()
    source = publish(tmp_path / "hub", config_to_hub(luke.config), by_hub_names(luke), NAMES)
    import_model(source, tokenizer, "large", tmp_path / "model")
    batch = pack([Example([0, 5, 6, 2], [3], [(1, 2)])])
    found = load_encoder(tmp_path / "model")(batch)
    torch.testing.assert_close(found.entities_EH, luke.encoder(batch).entities_EH)


def test_exported_luke_loads_in_transformers(
    luke: MlukeForPrediction, tmp_path: Path, tokenizer: Path
) -> None:
    from transformers import AutoModel, AutoTokenizer, LukeForMaskedLM

    source = publish(tmp_path / "hub", config_to_hub(luke.config), by_hub_names(luke), NAMES)
    folder = tmp_path / "model"
    import_model(source, tokenizer, "mluke", folder)
    example = Example([0, 5, 6, 7, 2], [3, 5], [(1, 3), (2, 4)])
    inputs = {
        "input_ids": torch.tensor([example.input_ids]),
        "entity_ids": torch.tensor([example.entity_ids]),
        "entity_attention_mask": torch.ones(1, 2, dtype=torch.int64),
        "entity_position_ids": torch.tensor([[[1, 2, -1], [2, 3, -1]]]),
    }
    encoder, predictor = load_encoder(folder).requires_grad_(False), load_for_prediction(folder)
    output = encoder(pack([example]))
    with torch.no_grad():
        for cls in (AutoModel, LukeForMaskedLM):
            reference = cls.from_pretrained(folder).eval()
            found = reference(**inputs, output_hidden_states=True)
            words = found.hidden_states[-1][0]
            torch.testing.assert_close(output.words_TH, words, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                output.entities_EH, found.entity_hidden_states[-1][0], rtol=1e-4, atol=1e-5
            )
        features = predictor.word_features(output.words_TH)
        logits = predictor.word_logits(features, torch.arange(WORDS + 5))
        torch.testing.assert_close(logits, found.logits[0], rtol=1e-4, atol=1e-5)
        features = predictor.entity_features(output.entities_EH)
        logits = predictor.entity_logits(features, torch.arange(6))
        torch.testing.assert_close(logits, found.entity_logits[0], rtol=1e-4, atol=1e-5)
    text = AutoTokenizer.from_pretrained(folder)("w1 w2 w3")["input_ids"]
    assert text == [5, 6, 7]


@pytest.mark.parametrize("family", ["xlm-roberta", "bert"])
@pytest.mark.parametrize("layout", ["masked language model", "encoder alone", "old names"])
def test_word_checkpoints(family: str, layout: str, tmp_path: Path, tokenizer: Path) -> None:
    config = ModelConfig(family, WORDS + 5, 16, 1, 2, 32, 40)
    model = random_model(config, 1).eval()
    tensors = by_hub_names(model)
    prefix = "bert." if family == "bert" else "roberta."
    if layout == "encoder alone":
        tensors = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
    elif layout == "old names":
        tensors = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): tensor
            for name, tensor in tensors.items()
        }
        tensors["cls.seq_relationship.weight"] = torch.zeros(2, 16)
    source = publish(tmp_path / "hub", config_to_hub(config), tensors)
    import_model(source, tokenizer, "words", tmp_path / "model")
    batch = pack([Example([0, 5, 6, 2])])
    expected, found = model.encoder(batch), load_encoder(tmp_path / "model")(batch)
    torch.testing.assert_close(found.words_TH, expected.words_TH)
    if layout == "encoder alone":
        with pytest.raises(DataError, match="no word prediction head"):
            load_for_prediction(tmp_path / "model")
    else:
        found_features = load_for_prediction(tmp_path / "model").word_features(found.words_TH)
        torch.testing.assert_close(found_features, model.word_features(expected.words_TH))


def test_what_does_not_fit_is_refused(
    luke: MlukeForPrediction, tmp_path: Path, tokenizer: Path
) -> None:
    good, config = by_hub_names(luke), config_to_hub(luke.config)
    body = "luke.encoder.layer.0."
    cases: list[tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, int], str]] = [
        ({"hidden_size": 32}, {}, NAMES, r"has shape \(45, 16\); config.json asks for \(45, 32\)"),
        ({"num_hidden_layers": 2}, {}, NAMES, r"no tensor 'luke\.encoder\.layer\.1"),
        ({"pad_token_id": 0}, {}, NAMES, "pad_token_id is 0, but the tokenizer's is 1"),
        ({"vocab_size": 30}, {}, NAMES, "vocab_size is 30, but the tokenizer has 45"),
        ({}, {"lm_head.decoder.weight": torch.ones(45, 16)}, NAMES, "untied"),
        (
            {},
            {f"{body}attention.self.w2e_query.weight": torch.ones(16, 16)},
            NAMES,
            "entity-aware attention",
        ),
        ({}, {}, {"en:Japan": 3}, r"no entity \[MASK\]"),
        ({}, {}, {**NAMES, "en:Snow": 5}, "entity ids up to 5"),
    ]
    for number, (change, tensors, names, message) in enumerate(cases):
        source = publish(tmp_path / str(number), {**config, **change}, {**good, **tensors}, names)
        with pytest.raises(DataError, match=message):
            import_model(source, tokenizer, "mluke", tmp_path / "model")
        assert not (tmp_path / "model").exists()


def test_files_with_code_are_refused(tmp_path: Path, tokenizer: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return Path, (str(tmp_path / "touched"),)

    source = publish(tmp_path / "hub", config_to_hub(CONFIG), {"a": Harmful()}, pickled=True)  # type: ignore[dict-item]
    with pytest.raises(DataError, match="not a file of weights alone"):
        import_model(source, tokenizer, "bad", tmp_path / "model")


def test_missing_and_damaged_weights(tmp_path: Path, tokenizer: Path) -> None:
    source = publish(tmp_path / "hub", config_to_hub(CONFIG), {"a": torch.zeros(1)})
    (tmp_path / "hub" / "model.safetensors").write_bytes(b"oops")
    with pytest.raises(DataError, match="not a readable safetensors file"):
        import_model(source, tokenizer, "bad", tmp_path / "model")
    del source.files["model.safetensors"]
    with pytest.raises(DataError, match=r"no weights; expected model\.safetensors or pytorch"):
        import_model(source, tokenizer, "bad", tmp_path / "model")


def test_second_mask_is_added_once(luke: MlukeForPrediction) -> None:
    weights = dict(luke.named_parameters())
    config, extended, names = append_second_mask(luke.config, weights, NAMES, "here")
    assert config.entity_count == 6
    again = append_second_mask(config, extended, names, "here")
    assert again[0] == config
    assert again[2] == names
    table = extended["encoder.entities.entity.weight"]
    assert torch.equal(table[5], table[0])


def test_folders_are_reproducible(
    luke: MlukeForPrediction, tmp_path: Path, tokenizer: Path
) -> None:
    source = publish(tmp_path / "hub", config_to_hub(luke.config), by_hub_names(luke), NAMES)
    for name in ("a", "b"):
        import_model(source, tokenizer, "mluke", tmp_path / name)
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert [path.name for path in first] == [path.name for path in second]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))
    shutil.rmtree(tmp_path / "a")
    assert load_file(tmp_path / "b" / "model.safetensors")
