"""Parity with ``transformers.LukeForMaskedLM``: logits, losses, every gradient; chunked softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import mluke_core.modeling.cross_entropy as cross_entropy_module
import mluke_core.modeling.vocabulary_chunks as vocabulary_chunks
from mluke_core.modeling.config import ModelConfig, config_to_hub
from mluke_core.modeling.cross_entropy import chunked_cross_entropy, chunked_log_normalizer
from mluke_core.modeling.hub_names import hub_names, tied_names
from mluke_core.modeling.initialization import add_entities, random_model
from mluke_core.modeling.inputs import Example, PackedBatch, pack
from mluke_core.modeling.layers import LayerNorm
from mluke_core.modeling.prediction import MlukeForPrediction, Targets

WORDS, ENTITIES, MAXIMUM_MENTION = 60, 40, 30
CONFIG = ModelConfig(
    family="xlm-roberta",
    vocabulary_size=WORDS,
    hidden_size=32,
    layers=2,
    heads=4,
    intermediate_size=64,
    position_count=514,
    hidden_dropout=0.0,
    attention_dropout=0.0,
)


def disturbed(model: MlukeForPrediction) -> MlukeForPrediction:
    """Weights far enough from their initial values that every one of them matters."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


def build(base: ModelConfig, entity_embedding_size: int = 16) -> MlukeForPrediction:
    model = add_entities(random_model(base, 1), ENTITIES, entity_embedding_size, 2)
    return disturbed(model).train()


def reference_for(model: MlukeForPrediction) -> Any:
    """The reference with the same weights, its word decoder tied again."""
    from transformers import LukeConfig, LukeForMaskedLM

    reference = LukeForMaskedLM(LukeConfig(**config_to_hub(model.config)))
    names = hub_names(model.config)
    state = {hub: dict(model.named_parameters())[own].detach() for own, hub in names.items()}
    for copy, original in tied_names(model.config).items():
        state[copy] = state[original]
    state["entity_predictions.decoder.weight"] = state[
        "luke.entity_embeddings.entity_embeddings.weight"
    ]
    outcome = reference.load_state_dict(state, strict=False)
    assert not outcome.unexpected_keys
    assert all("pooler" in key or "position_ids" in key for key in outcome.missing_keys)
    reference.lm_head.decoder.weight = reference.luke.embeddings.word_embeddings.weight
    return reference.train()


EXTREMES = [(512, 128), (20, 0), (64, 5), (33, 1), (64, 5)]
"""Words and entities of each row: the most of both, a row without entities."""


def ragged_batch(
    seed: int, shapes: Sequence[tuple[int, int]] = EXTREMES
) -> tuple[list[Example], list[list[int]], list[list[int]]]:
    """Examples of these shapes with mentions of up to 30 words, and what is masked in each."""
    generator = np.random.default_rng(seed)
    examples, words, entities = [], [], []
    for length, count in shapes:
        ids = generator.integers(4, WORDS - 1, length)
        ids[0], ids[-1] = 3, 2
        spans = []
        for number in range(count):
            size = MAXIMUM_MENTION if number == 0 else int(generator.integers(1, 6))
            size = min(size, length - 2)
            start = int(generator.integers(1, length - size))
            spans.append((start, start + size))
        entity_ids = generator.integers(3, ENTITIES, count).tolist()
        examples.append(Example(ids.tolist(), entity_ids, spans))
        chosen = generator.permutation(np.arange(1, length - 1))[: max(1, length // 7)]
        words.append(sorted(chosen.tolist()))
        entities.append(sorted(generator.permutation(count)[: max(1, count // 7)].tolist()))
    return examples, words, entities


def targets_of(batch: PackedBatch, words: list[list[int]], entities: list[list[int]]) -> Targets:
    """Made-up true ids for the masked words and entities of each row."""
    return Targets(
        *(
            torch.tensor(values, dtype=torch.int64)
            for values in (
                [batch.word_offsets[i] + w for i, row in enumerate(words) for w in row],
                [(7 * w) % WORDS for row in words for w in row],
                [batch.entity_offsets[i] + e for i, row in enumerate(entities) for e in row],
                [(5 * e) % ENTITIES for row in entities for e in row],
            )
        )
    )


def compare(
    model: MlukeForPrediction,
    seed: int,
    tolerance: float,
    shapes: Sequence[tuple[int, int]] = EXTREMES,
) -> None:
    reference = reference_for(model)
    examples, words, entities = ragged_batch(seed, shapes)
    batch = pack(examples)
    targets = targets_of(batch, words, entities)
    longest = max(len(example.input_ids) for example in examples)
    most = max(len(example.entity_ids) for example in examples)
    inputs = {
        "input_ids": torch.full((len(examples), longest), 1),
        "attention_mask": torch.zeros(len(examples), longest, dtype=torch.int64),
        "entity_ids": torch.zeros(len(examples), most, dtype=torch.int64),
        "entity_attention_mask": torch.zeros(len(examples), most, dtype=torch.int64),
        "entity_position_ids": torch.full((len(examples), most, MAXIMUM_MENTION), -1),
        "labels": torch.full((len(examples), longest), -100),
        "entity_labels": torch.full((len(examples), most), -100),
    }
    for i, example in enumerate(examples):
        length, count = len(example.input_ids), len(example.entity_ids)
        inputs["input_ids"][i, :length] = torch.tensor(example.input_ids)
        inputs["attention_mask"][i, :length] = 1
        inputs["entity_ids"][i, :count] = torch.tensor(example.entity_ids)
        inputs["entity_attention_mask"][i, :count] = 1
        for j, (start, end) in enumerate(example.entity_spans):
            inputs["entity_position_ids"][i, j, : end - start] = torch.arange(start, end)
        for word in words[i]:
            inputs["labels"][i, word] = (7 * word) % WORDS
        for entity in entities[i]:
            inputs["entity_labels"][i, entity] = (5 * entity) % ENTITIES

    losses = model(batch, targets)
    losses.total.backward()
    expected = reference(**inputs)
    expected.loss.backward()

    torch.testing.assert_close(losses.words.loss, expected.mlm_loss, rtol=tolerance, atol=0)
    assert losses.entities is not None
    torch.testing.assert_close(losses.entities.loss, expected.mep_loss, rtol=tolerance, atol=0)
    hidden = model.encoder(batch)
    word_logits = model.word_logits(
        model.word_features(hidden.words_TH[targets.words_W]), torch.arange(WORDS)
    )
    entity_logits = model.entity_logits(
        model.entity_features(hidden.entities_EH[targets.entities_K]), torch.arange(ENTITIES)
    )
    for found, wanted in (
        (word_logits, expected.logits[inputs["labels"] >= 0]),
        (entity_logits, expected.entity_logits[inputs["entity_labels"] >= 0]),
    ):
        assert relative_difference(found, wanted) < tolerance
    parameters = dict(model.named_parameters())
    theirs = dict(reference.named_parameters())
    hits = int((word_logits.argmax(1) == targets.word_ids_W).sum())
    assert losses.words.correct.item() == hits
    compared = 0
    for own, hub in hub_names(model.config).items():
        theirs_gradient = theirs.get(hub)
        if hub == "lm_head.bias":
            theirs_gradient = theirs.get(hub, theirs.get("lm_head.decoder.bias"))
        assert theirs_gradient is not None, hub
        difference = relative_difference(parameters[own].grad, theirs_gradient.grad)
        # A softmax does not change when all keys move alike: these gradients are rounding noise.
        noise = own.endswith("attention.key.bias")
        assert noise or difference < tolerance, (own, difference)
        compared += not noise
    assert compared == len(parameters) - model.config.layers


def relative_difference(found: torch.Tensor | None, wanted: torch.Tensor | None) -> float:
    assert found is not None
    assert wanted is not None
    return ((found - wanted).norm() / wanted.norm()).item()


@pytest.mark.parametrize("seed", [0, 1])
def test_equals_reference_losses_logits_and_gradients(seed: int) -> None:
    compare(build(CONFIG), seed, 1e-4)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(3, 90), st.integers(0, 12)), max_size=5), st.integers(0, 99))
def test_equals_reference_whatever_the_shapes(shapes: list[tuple[int, int]], seed: int) -> None:
    # The reference's mean over no masked entity at all is no number.
    compare(build(CONFIG), seed, 1e-4, [*shapes, (12, 3)])


def test_equals_reference_without_projection() -> None:
    compare(build(CONFIG, entity_embedding_size=CONFIG.hidden_size), 2, 1e-4)


def test_entities_on_a_bert_base_keep_its_words() -> None:
    """Its positions count from 0, those of LUKE from the padding id: the table is moved."""
    from dataclasses import replace

    bert = replace(CONFIG, family="bert", position_count=512, type_count=2, pad_id=0)
    base = random_model(bert, 1).eval()
    batch = pack([Example([0, 5, 6, 2])])
    with torch.no_grad():
        expected = base.encoder(batch).words_TH
    model = add_entities(base, ENTITIES, 16, 2).eval()
    assert model.config.position_count == 513
    with torch.no_grad():
        torch.testing.assert_close(model.encoder(batch).words_TH, expected)
    compare(disturbed(model).train(), 3, 1e-4)


def test_bf16_agrees_to_its_precision() -> None:
    model = build(CONFIG)
    examples, words, _ = ragged_batch(0)
    batch = pack(examples)
    rows = torch.tensor([batch.word_offsets[i] + w for i, row in enumerate(words) for w in row])
    none = torch.zeros(0, dtype=torch.int64)
    targets = Targets(rows, batch.word_ids_T[rows], none, none)
    exact = model(batch, targets).words.loss
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(batch, targets).words.loss
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=2e-2, atol=0)


def test_bf16_gradients_of_all_parameters_are_those_of_float32() -> None:
    """Over 800 rows, enough for sums in bf16 to go wrong."""
    model = build(CONFIG)
    examples, words, entities = ragged_batch(0)
    batch = pack(examples)
    targets = targets_of(batch, words, entities)

    def gradients(bf16: bool) -> dict[str, torch.Tensor]:
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(batch, targets).total
        loss.backward()
        return {
            name: parameter.grad.clone()
            for name, parameter in model.named_parameters()
            if not name.endswith("attention.key.bias")  # rounding noise, see compare
        }

    exact, rounded = gradients(False), gradients(True)
    differences = {name: relative_difference(rounded[name], exact[name]) for name in exact}
    assert max(differences.values()) < 0.02, max(differences.items(), key=lambda item: item[1])


def test_bf16_norm_sums_its_gradients_in_float32() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(16_384, 24, generator=generator).bfloat16()
    above = torch.randn(16_384, 24, generator=generator).bfloat16()
    norm = LayerNorm(24)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        inputs = values.to(dtype, copy=True).requires_grad_()
        norm.zero_grad()
        output = norm(inputs)
        assert output.dtype == dtype
        output.backward(above.to(dtype))
        found.append([inputs.grad.float(), norm.weight.grad.clone(), norm.bias.grad.clone()])
    for exact, rounded in zip(*found, strict=True):
        assert relative_difference(rounded, exact) < 0.01


def test_a_second_backward_adds_in_place() -> None:
    """What a parameter's gradient holds is added to, whether or not the table is written anew."""
    table = torch.nn.Parameter(torch.randn(50, 6))
    features, bias = torch.randn(3, 6), torch.zeros(50)
    heard = []
    table.register_post_accumulate_grad_hook(lambda parameter: heard.append(parameter))
    for _ in range(2):
        chunked_cross_entropy(features, table, bias, torch.tensor([4, 4, 9])).loss.backward()
        if len(heard) == 1:
            once, storage = table.grad.clone(), table.grad.data_ptr()
    assert len(heard) == 2
    assert table.grad.data_ptr() == storage
    torch.testing.assert_close(table.grad, 2 * once)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 7),
    st.integers(1, 23),
    st.integers(1, 5),
    st.integers(0, 99),
    st.sampled_from([0, 100, 1 << 20]),
)
def test_chunks_give_the_whole_softmax(
    positions: int, vocabulary: int, width: int, seed: int, kept: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(positions, 6, generator=generator, requires_grad=True)
    table = torch.randn(vocabulary, 6, generator=generator, requires_grad=True)
    bias = torch.randn(vocabulary, generator=generator, requires_grad=True)
    targets = torch.randint(vocabulary, (positions,), generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_entropy_module, "CHUNK_ELEMENTS", 1)
        patch.setattr(cross_entropy_module, "NORMALIZER_ELEMENTS", 1)
        patch.setattr(vocabulary_chunks, "MINIMUM_CHUNK", width)
        patch.setattr(cross_entropy_module, "KEPT_BYTES", kept)
        result = chunked_cross_entropy(features, table, bias, targets)
        (3 * result.loss).backward()
        normalizer = chunked_log_normalizer(features, table, bias)
    found = [parameter.grad for parameter in (features, table, bias)]
    for parameter in (features, table, bias):
        parameter.grad = None
    logits = F.linear(features, table, bias)
    expected = F.cross_entropy(logits, targets) if positions else 0 * logits.sum()
    (3 * expected).backward()
    torch.testing.assert_close(result.loss, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(normalizer, logits.logsumexp(1))
    assert result.correct.item() == int((logits.argmax(1) == targets).sum())
    for gradient, parameter in zip(found, (features, table, bias), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-6)


def test_extreme_logits_stay_finite() -> None:
    features = torch.tensor([[1e4, 0.0]], requires_grad=True)
    table = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    result = chunked_cross_entropy(features, table, torch.zeros(2), torch.tensor([1]))
    result.loss.backward()
    assert result.loss.item() == pytest.approx(2e4)
    assert torch.isfinite(features.grad).all()
