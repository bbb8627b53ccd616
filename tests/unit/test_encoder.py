"""Word-only encoders against the reference classes, packing, restricted tables, added words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.errors import ConfigError, DataError
from mluke_core.modeling.attention import attend_blocks, attend_jagged
from mluke_core.modeling.config import ModelConfig, config_from_hub, config_to_hub
from mluke_core.modeling.dropout import Dropout, dropout
from mluke_core.modeling.folder import write_model_folder
from mluke_core.modeling.initialization import add_entities, random_model
from mluke_core.modeling.initialize_model import initialize_model
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.loading import load_encoder, load_for_prediction
from tests.pretraining_world import write_tokenizer

SIZES = {
    "vocabulary_size": 45,
    "hidden_size": 32,
    "layers": 2,
    "heads": 4,
    "intermediate_size": 48,
    "position_count": 40,
}
XLMR = ModelConfig(family="xlm-roberta", **SIZES)
BERT = ModelConfig(
    family="bert", **SIZES, type_count=2, layer_norm_eps=1e-12, pad_id=0, bos_id=2, eos_id=3
)
EXAMPLES = [Example([0, *range(5, 5 + length), 2]) for length in (4, 9, 1, 4, 30)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer") / "tokenizer"
    write_tokenizer(folder)
    return folder


def write(config: ModelConfig, folder: Path, tokenizer: Path) -> Path:
    model = random_model(config, 1)
    with torch.no_grad():  # biases and norms that differ from their initial values show mistakes
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(2)
            )
    write_model_folder(folder, config, dict(model.named_parameters()), tokenizer, "card")
    return folder


@pytest.fixture(scope="module")
def luke(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Path:
    folder = tmp_path_factory.mktemp("luke") / "model"
    model = add_entities(random_model(XLMR, 1), 9, 16, 2)
    write_model_folder(folder, model.config, dict(model.named_parameters()), tokenizer, "card")
    return folder


@pytest.mark.parametrize("config", [XLMR, BERT], ids=["xlm-roberta", "bert"])
def test_equals_reference_encoder(config: ModelConfig, tmp_path: Path, tokenizer: Path) -> None:
    from transformers import AutoModel, AutoModelForMaskedLM

    folder = write(config, tmp_path / "model", tokenizer)
    reference = AutoModel.from_pretrained(folder).eval()
    reference_lm = AutoModelForMaskedLM.from_pretrained(folder).eval()
    encoder, predictor = load_encoder(folder), load_for_prediction(folder)
    batch = pack(EXAMPLES)
    with torch.no_grad():
        words_TH = encoder(batch).words_TH
        features_TH = predictor.word_features(words_TH)
        logits_TV = predictor.word_logits(features_TH, torch.arange(config.vocabulary_size))
        normalizer_T = predictor.word_log_normalizer(features_TH)
        for number, example in enumerate(EXAMPLES):
            rows = slice(*batch.word_offsets[number : number + 2])
            ids = torch.tensor([example.input_ids])
            hidden = reference(ids).last_hidden_state[0]
            logits = reference_lm(ids).logits[0]
            torch.testing.assert_close(words_TH[rows], hidden, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(logits_TV[rows], logits, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(normalizer_T[rows], logits.logsumexp(1))


def test_config_round_trip() -> None:
    for config in (XLMR, BERT):
        assert config_from_hub(config_to_hub(config), "here") == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2'"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"num_attention_heads": 5}, "not a multiple"),
    ],
)
def test_unknown_configuration_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        config_from_hub({**config_to_hub(XLMR), **change}, "config.json")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_sequence_sees_itself_alone(lengths: list[int], random: object) -> None:
    """Its output does not change with the company it is packed in."""
    model = random_model(XLMR, 1).encoder.eval()
    generator = np.random.default_rng(len(lengths))
    examples = [Example(generator.integers(4, 40, length).tolist()) for length in lengths]
    batch = pack(examples)
    with torch.no_grad():
        together = model(batch).words_TH
        for number, example in enumerate(examples):
            rows = slice(*batch.word_offsets[number : number + 2])
            alone = model(pack([example])).words_TH
            torch.testing.assert_close(together[rows], alone, rtol=1e-4, atol=1e-5)


def test_both_attention_paths_agree() -> None:
    """What a GPU runs against what a CPU runs, with gradients."""
    blocks = ((2, 3), (1, 5), (3, 6))
    rows = sum(count * length for count, length in blocks)
    inputs = torch.randn(3, rows, 4, 8)
    results = []
    for attend in (attend_blocks, attend_jagged):
        parts = inputs.clone().requires_grad_()
        mixed = attend(*parts.unbind(), blocks)
        (mixed * torch.arange(8)).sum().backward()
        results.append((mixed, parts.grad))
    (ours, ours_grad), (jagged, jagged_grad) = results
    torch.testing.assert_close(ours, jagged)
    torch.testing.assert_close(ours_grad, jagged_grad)


def test_jagged_attention_trains_after_inference() -> None:
    """On sequences of the same lengths, whose boundaries are remembered."""
    inputs, blocks = torch.randn(3, 6, 4, 8), ((2, 3),)
    with torch.inference_mode():
        attend_jagged(*(inputs * 2).unbind(), blocks)
    parts = inputs.requires_grad_()
    attend_jagged(*parts.unbind(), blocks).sum().backward()
    assert parts.grad is not None


def test_attention_with_dropout_has_the_gradient_of_its_formula() -> None:
    inputs = torch.randn(3, 7, 2, 4, dtype=torch.float64)
    probability, blocks = 0.3, ((1, 7),)
    parts = inputs.clone().requires_grad_()
    torch.manual_seed(5)
    mixed = attend_blocks(*parts.unbind(), blocks, probability)
    (mixed * torch.arange(4)).sum().backward()
    written = inputs.clone().requires_grad_()
    query, key, value = (part[None].transpose(1, 2) for part in written.unbind())
    weights = torch.softmax(query @ key.transpose(-1, -2) / 2, -1)
    torch.manual_seed(5)
    expected = (dropout(weights, probability) @ value).transpose(1, 2)[0]
    (expected * torch.arange(4)).sum().backward()
    torch.testing.assert_close(mixed, expected)
    torch.testing.assert_close(parts.grad, written.grad)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (Example([]), "no words"),
        (Example([0, 2], [3]), "1 entities but 0 spans"),
        (Example([0, 2], [3], [(0, 3)]), r"span \(0, 3\) is not within its 2 words"),
        (Example([0, 2], [3], [(2, 1)]), r"span \(2, 1\)"),
    ],
)
def test_impossible_examples_are_refused(example: Example, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack([Example([0, 5, 2]), example])


def test_empty_batch_of_entities_and_longest_sequence(luke: Path) -> None:
    encoder = load_encoder(luke)
    assert encoder(pack([Example([0, 2])])).entities_EH.shape == (0, 32)
    longest = encoder.config.maximum_length
    assert longest == 38
    encoder(pack([Example([5] * longest)]))
    with pytest.raises(DataError, match="39 tokens is longer than the 38 positions"):
        encoder(pack([Example([5] * (longest + 1))]))


def test_word_model_refuses_entities() -> None:
    model = random_model(XLMR, 1)
    with pytest.raises(DataError, match="no entity embeddings but was given 1 entities"):
        model.encoder(pack([Example([0, 5, 2], [1], [(1, 2)])]))
    with pytest.raises(DataError, match="predicts no entities"):
        model.entity_features(torch.zeros(1, 32))


def test_restricted_entity_table_gives_the_same_output(luke: Path) -> None:
    full, restricted = load_encoder(luke), load_encoder(luke, [7, 2, 5])
    assert restricted.config.entity_count == 3
    spans = [(1, 2), (0, 3)]
    with torch.no_grad():
        expected = full(pack([Example([0, 5, 2], [5, 7], spans)]))
        found = restricted(pack([Example([0, 5, 2], [2, 0], spans)]))
    torch.testing.assert_close(found.entities_EH, expected.entities_EH)
    torch.testing.assert_close(found.words_TH, expected.words_TH)
    with pytest.raises(DataError, match="entity id 9 is not in the model's entity table of 9"):
        load_encoder(luke, [9])


def test_added_words_start_from_the_rows_given(luke: Path) -> None:
    encoder = load_encoder(luke)
    table = encoder.words.word.weight.detach().clone()
    ids = encoder.add_words(table[[7, 8]])
    assert ids == [45, 46]
    assert encoder.config.vocabulary_size == 47
    assert encoder.words.word.weight.requires_grad
    with torch.no_grad():
        copy = encoder(pack([Example([0, 45, 2])])).words_TH
        original = encoder(pack([Example([0, 7, 2])])).words_TH
    torch.testing.assert_close(copy, original)


def test_an_entity_without_words_has_no_position(luke: Path) -> None:
    encoder = load_encoder(luke)
    with torch.no_grad():
        encoder.entities.position.weight.fill_(1e3)
        empty = encoder(pack([Example([0, 5, 2], [4], [(2, 2)])])).entities_EH
        encoder.entities.position.weight.fill_(0)
        without = encoder(pack([Example([0, 5, 2], [4], [(1, 2)])])).entities_EH
    torch.testing.assert_close(empty, without)


@pytest.mark.parametrize("base", [XLMR, BERT], ids=["xlm-roberta", "bert"])
def test_entity_positions_start_random_or_as_those_of_words(base: ModelConfig) -> None:
    fresh = dict(add_entities(random_model(base, 1), 9, 16, 2).named_parameters())
    model = add_entities(random_model(base, 1), 9, 16, 2, copy_positions=True)
    words_PH = model.encoder.words.position.weight[model.config.position_offset :]
    assert len(words_PH) == model.config.maximum_length
    assert torch.equal(model.encoder.entities.position.weight[: len(words_PH)], words_PH)
    changed = [name for name, value in model.named_parameters() if not value.equal(fresh[name])]
    assert changed == ["encoder.entities.position.weight"]


def test_dropout_is_active_in_training_only(luke: Path) -> None:
    encoder, batch = load_encoder(luke), pack(EXAMPLES)
    assert torch.equal(encoder(batch).words_TH, encoder(batch).words_TH)
    encoder.train()
    assert not torch.equal(encoder(batch).words_TH, encoder(batch).words_TH)


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(1)
    values = torch.ones(1001, 99, requires_grad=True)
    dropped = dropout(values, 0.1)
    share = (dropped == 0).float().mean().item()
    assert share == pytest.approx(0.1, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1, abs=0.005)
    for axis in (0, 1):
        assert (dropped == 0).float().mean(axis).std() < 0.05
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped)
    torch.manual_seed(1)
    assert torch.equal(dropout(values, 0.1), dropped)
    assert dropout(values, 0.0) is values
    assert Dropout(0.5).eval()(values) is values


def test_random_model_follows_architecture_and_seed(tmp_path: Path, tokenizer: Path) -> None:
    architecture = {"layers": 1, "hidden_size": 16, "heads": 2, "intermediate_size": 32}
    wide = {"initializer_range": 0.1}
    for name, seed, change in (
        ("a", 1, {}),
        ("b", 1, {}),
        ("c", 2, {}),
        ("d", 1, {"dropout": 0}),
        ("e", 1, wide),
        ("w", 1, {"positions": "waves"}),
    ):
        initialize_model({**architecture, **change}, tokenizer, seed, tmp_path / name)
    weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "abcd"}
    assert weights["a"] == weights["b"] == weights["d"] != weights["c"]
    encoder, without = (load_encoder(tmp_path / name) for name in "ad")
    assert encoder.config.maximum_length == 512
    assert encoder.config.attention_dropout == 0.1
    assert without.config.hidden_dropout == without.config.attention_dropout == 0
    table = encoder.words.word.weight
    assert table.std().item() == pytest.approx(0.02, rel=0.1)
    assert not table[encoder.config.pad_id].any()
    wider = load_encoder(tmp_path / "e")
    assert wider.config.initializer_range == 0.1
    torch.testing.assert_close(wider.words.word.weight, 5 * table)
    waves_PH = load_encoder(tmp_path / "w").words.position.weight
    assert waves_PH.square().mean().sqrt().item() == pytest.approx(0.02, rel=1e-3)
    norm = waves_PH.norm(dim=1)
    torch.testing.assert_close(norm, norm[:1].expand_as(norm))
    alike = waves_PH[100] @ waves_PH[[100, 101, 110, 300]].T
    assert alike.tolist() == sorted(alike.tolist(), reverse=True)
    with pytest.raises(ConfigError, match="positions of an architecture is 'wavy'"):
        initialize_model({**architecture, "positions": "wavy"}, tokenizer, 1, tmp_path / "f")
    with pytest.raises(ConfigError, match="this one has colour"):
        initialize_model({**architecture, "colour": 1}, tokenizer, 1, tmp_path / "f")
    with pytest.raises(ConfigError, match="not a multiple of heads 3"):
        initialize_model({**architecture, "heads": 3}, tokenizer, 1, tmp_path / "f")


def test_damaged_folders_say_what_is_wrong(luke: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(luke, folder)
    (folder / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(DataError, match="not a readable safetensors file"):
        load_encoder(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="no such file"):
        load_encoder(folder)
    (folder / "config.json").unlink()
    with pytest.raises(DataError, match=r"config\.json"):
        load_encoder(folder)


def test_last_layer_of_some_rows_gives_those_rows() -> None:
    """Also where a sequence has none, and where neighbours have as many."""
    config = ModelConfig("xlm-roberta", **SIZES, hidden_dropout=0.0, attention_dropout=0.0)
    model = random_model(config, 1).encoder.train()
    batch = pack([Example([0, *range(4, 4 + n), 2]) for n in (3, 7, 7, 7, 20)])
    for rows in ([0, 1, 5, 12, 14, 22, 25, 50], [53], list(range(len(batch.layout_L)))):
        model.zero_grad()
        whole = model.encode(batch)[rows]
        whole.square().sum().backward()
        expected = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        model.zero_grad()
        found = model.encode(batch, rows_R=torch.tensor(rows))
        found.square().sum().backward()
        torch.testing.assert_close(found, whole)
        for name, parameter in model.named_parameters():
            if name in expected:
                torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-5)
