"""A LUKE folder as the start of more training, and its words alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mluke_core.errors import DataError
from mluke_core.io.files import read_json, write_json
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.continue_training import luke_with_vocabulary, words_of
from mluke_core.modeling.folder import write_model_folder
from mluke_core.modeling.initialization import add_entities, random_model
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.loading import load_for_prediction
from mluke_core.modeling.words_only import main
from tests.pretraining_world import ENTITIES, WORDS, write_tokenizer, write_vocabulary

# Another order than the project's, one entity that its vocabulary lacks, and most of its missing.
NAMES = {"[MASK]": 0, "en:Thing 3": 1, "ja:物 5": 2, "[PAD]": 3, "en:Gone": 4, "[UNK]": 5}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_tokenizer(tmp_path / "tokenizer")
    config = ModelConfig("xlm-roberta", WORDS + 5, 16, 1, 2, 32, 40)
    model = add_entities(random_model(config, 1), len(NAMES), 8, 2)
    with torch.no_grad():
        model.entity_head.bias.copy_(torch.arange(len(NAMES)))
    folder = tmp_path / "luke"
    weights = dict(model.named_parameters())
    tokenizer = tmp_path / "tokenizer"
    write_model_folder(folder, model.config, weights, tokenizer, "card", None, NAMES)
    return folder


def test_entities_are_carried_over_by_name(base: Path, tmp_path: Path) -> None:
    own = write_vocabulary(tmp_path / "vocabulary.parquet")
    old = load_for_prediction(base)
    model = luke_with_vocabulary(base, tmp_path / "vocabulary.parquet", 9)
    assert model.config.entity_count == ENTITIES + 3
    shared = {"[MASK]", "[PAD]", "[UNK]", "en:Thing 3", "ja:物 5"}
    for name in shared:
        found = model.encoder.entities.entity.weight[own[name]]
        assert torch.equal(found, old.encoder.entities.entity.weight[NAMES[name]])
        assert model.entity_head.bias[own[name]] == NAMES[name]
    fresh = [own[name] for name in own if name.startswith("en:") and name != "en:Thing 3"]
    assert model.encoder.entities.entity.weight[fresh[0]].std() < 0.1
    example = Example([0, 5, 6, 2], [NAMES["en:Thing 3"]], [(1, 2)])
    same = Example([0, 5, 6, 2], [own["en:Thing 3"]], [(1, 2)])
    with torch.no_grad():
        expected = old.encoder(pack([example]))
        outputs = model.eval().encoder(pack([same]))
    torch.testing.assert_close(outputs.entities_EH, expected.entities_EH)


def test_a_vocabulary_of_other_entities_is_refused(base: Path, tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "vocabulary.parquet")
    names = read_json(base / "entity_vocab.json")
    write_json(base / "entity_vocab.json", {key.upper(): row for key, row in names.items()})
    with pytest.raises(DataError, match="none of its entities is in"):
        luke_with_vocabulary(base, tmp_path / "vocabulary.parquet", 9)


def test_words_alone_give_the_same_outputs(base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    assert main([str(base), str(tmp_path / "words")]) == 0
    luke, words = load_for_prediction(base), words_of(base).eval()
    reference = AutoModelForMaskedLM.from_pretrained(tmp_path / "words").eval()
    assert read_json(tmp_path / "words" / "config.json")["model_type"] == "xlm-roberta"
    example = Example([0, 5, 6, 7, 2])
    with torch.no_grad():
        hidden = luke.encoder(pack([example])).words_TH
        logits = luke.word_logits(luke.word_features(hidden), torch.arange(WORDS + 5))
        torch.testing.assert_close(words.encoder(pack([example])).words_TH, hidden)
        found = reference(torch.tensor([example.input_ids])).logits[0]
    torch.testing.assert_close(found, logits, rtol=1e-4, atol=1e-5)


def test_a_word_model_has_no_other_words(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(base), str(tmp_path / "words")])
    assert main([str(tmp_path / "words"), str(tmp_path / "again")]) == 1
    assert "has no entities" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
