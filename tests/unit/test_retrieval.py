from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.errors import ConfigError, DataError
from mluke_core.io.features import read_features, write_features
from mluke_core.io.sources import Source
from mluke_core.metrics.ranking import mean_reciprocal_rank
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.loading import load_encoder
from mluke_core.probes import features as features_module
from mluke_core.probes.features import batches_by_tokens
from mluke_core.probes.retrieval import (
    probe_retrieval,
    read_spans,
    window,
)
from mluke_core.sequences.tokenizer import Tokenizer
from tests.probe_world import (
    MLQA,
    ProbeWorld,
    build_world,
    entity_vocabulary,
    write_mlqa,
    write_source,
)


def slow_mrr(queries: list[list[float]], pool: list[list[float]], right: list[int]) -> float:
    """Rank by sorting; a tie is the mean over every order of the tied."""

    def cosine(one: list[float], other: list[float]) -> float:
        a, b = np.array(one), np.array(other)
        return round(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), 9)

    total = 0.0
    for query, target in zip(queries, right, strict=True):
        cosines = [cosine(query, vector) for vector in pool]
        ahead = sum(value > cosines[target] for value in cosines)
        tied = [place for place, value in enumerate(cosines) if value == cosines[target]]
        ranks = [ahead + 1 + order.index(target) for order in itertools.permutations(tied)]
        total += sum(1 / rank for rank in ranks) / len(ranks)
    return total / len(queries)


def test_ranks_by_hand() -> None:
    pool = np.array([[1, 0], [1, 1], [0, 1], [-1, 0]], dtype=np.float32)
    queries = np.array([[2, 0], [1, 0.1], [1, 0]], dtype=np.float32)
    # Ranks 1, 2 and 4.
    assert mean_reciprocal_rank(queries, pool, [0, 1, 3]) == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)


def test_length_of_a_vector_does_not_matter_and_a_zero_vector_is_no_error() -> None:
    pool = np.array([[100, 0], [0.01, 0.01], [0, 0]], dtype=np.float32)
    assert mean_reciprocal_rank(pool[1:2] * 7, pool, [1]) == 1
    assert mean_reciprocal_rank(pool[2:], pool, [2]) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


def test_ties_count_with_their_expectation() -> None:
    pool = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], dtype=np.float32)
    query = np.array([[1, 0.2]], dtype=np.float32)
    assert mean_reciprocal_rank(query, pool, [1]) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert mean_reciprocal_rank(query, pool, [3]) == pytest.approx(1 / 4)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6))
def test_it_agrees_with_sorting(seed: int, queries: int, pool: int) -> None:
    generator = np.random.default_rng(seed)
    # Small integers, so that ties happen.
    query_vectors = generator.integers(1, 3, size=(queries, 2)).astype(np.float32)
    pool_vectors = generator.integers(1, 3, size=(pool, 2)).astype(np.float32)
    right = generator.integers(0, pool, size=queries).tolist()
    fast = mean_reciprocal_rank(query_vectors, pool_vectors, right)
    assert fast == pytest.approx(slow_mrr(query_vectors.tolist(), pool_vectors.tolist(), right))


@given(st.integers(1, 60), st.integers(0, 59), st.integers(1, 30), st.integers(1, 40))
def test_a_window_holds_the_span(length: int, start: int, size: int, budget: int) -> None:
    start = min(start, length - 1)
    end = min(start + size, length)
    first, last = window(length, start, end, budget)
    assert 0 <= first <= start < last <= length
    assert last - first == min(length, budget)
    if end - start <= budget:
        assert end <= last
        # No side gets more than it needs while the other is cut.
        if first > 0 and last < length:
            assert abs((start - first) - (last - end)) <= 1


def test_batches_hold_every_number_once() -> None:
    assert batches_by_tokens([], budget=6) == []
    assert batches_by_tokens([3, 3, 99, 1, 1], budget=6) == [[0, 1], [2], [3, 4]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ProbeWorld:
    torch.set_num_threads(1)
    return build_world(tmp_path_factory.mktemp("probes"))


@pytest.fixture(scope="module")
def mlqa(world: ProbeWorld) -> Source:
    return write_mlqa(world.folder / "mlqa")


def slow_vector(folder: Path, inputs: str, context: str, answer: str) -> np.ndarray:
    tokenizer = Tokenizer.load(folder)
    place = context.index(answer)
    ids, [(start, end)] = tokenizer.encode_with_spans(context, [(place, place + len(answer))])
    input_ids = [tokenizer.bos_id, *ids, tokenizer.eos_id]
    encoder = load_encoder(folder)
    with torch.no_grad():
        if inputs == "word":
            words = encoder(pack([Example(input_ids)])).words_TH
            return words[start + 1 : end + 1].mean(0).numpy()
        mask = entity_vocabulary()["[MASK]"]
        batch = pack([Example(input_ids, [mask], [(start + 1, end + 1)])])
        return encoder(batch).entities_EH[0].numpy()


@pytest.mark.parametrize(
    ("kind", "inputs"), [("words", "word"), ("bert", "word"), ("luke", "word"), ("luke", "entity")]
)
def test_scores_and_vectors_of_a_model(
    world: ProbeWorld, mlqa: Source, kind: str, inputs: str
) -> None:
    folder = getattr(world, kind)
    scores, features = probe_retrieval(folder, inputs, mlqa, ["de", "fr"], 64)
    assert scores["unavailable"] == {"fr": "MLQA has no development set in this language"}
    assert scores["counts"] == {"de": 3}
    detail = scores["details"]["languages"]["de"]
    assert (detail["queries_without_parallel"], detail["pool"]) == (1, 4)
    assert features["de_ids"].tolist() == [question for question, _, _ in MLQA["de"]]
    slow = {
        language: {
            question: slow_vector(folder, inputs, context, answer)
            for question, context, answer in items
        }
        for language, items in MLQA.items()
    }
    for language in MLQA:
        np.testing.assert_allclose(
            features[f"{language}_vectors"], list(slow[language].values()), atol=1e-5
        )
    expected = slow_mrr(
        [slow["en"][question].tolist() for question in "abc"],
        [vector.tolist() for vector in slow["de"].values()],
        [list(slow["de"]).index(question) for question in "abc"],
    )
    assert scores["results"]["default"]["de"]["mrr"] == [pytest.approx(100 * expected)]


def test_one_sequence_at_a_time_gives_the_same(
    world: ProbeWorld, mlqa: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, together = probe_retrieval(world.luke, "entity", mlqa, ["de"], 64)
    monkeypatch.setattr(features_module, "TOKEN_BUDGET", 1)
    _, apart = probe_retrieval(world.luke, "entity", mlqa, ["de"], 64)
    np.testing.assert_allclose(together["de_vectors"], apart["de_vectors"], atol=1e-5)


def answers_file(folder: Path, entries: list[tuple[str, str, str, int]]) -> Path:
    paragraphs = [
        {
            "context": context,
            "qas": [
                {"id": key, "question": "?", "answers": [{"text": text, "answer_start": start}]}
            ],
        }
        for key, context, text, start in entries
    ]
    path = folder / "answers.json"
    path.write_text(json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]}))
    return path


def test_long_contexts_and_bad_answers(world: ProbeWorld, tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(world.words)
    long = "Rome is in Italy . " * 30 + "Paris is in France . " + "Berlin is old . " * 30
    path = answers_file(
        tmp_path,
        [
            ("long", long, "Paris", long.index("Paris")),
            ("short", "Paris is in France .", "France", 12),
            ("elsewhere", "Paris is in France .", "Rome", 0),
            ("whole", long, long.strip(), 0),
        ],
    )
    found = read_spans(path, tokenizer, 24)
    assert found.ids == ["long", "short", "whole"]
    assert found.report == {"spans": 3, "windows": 2, "cut_answers": 1, "left_out": 1}
    for span in found.spans:
        assert len(span.example.input_ids) <= 24
        assert span.example.input_ids[0] == tokenizer.bos_id
        assert span.example.input_ids[-1] == tokenizer.eos_id
    span = found.spans[0]
    inside = span.example.input_ids[span.start : span.end]
    pieces = "".join(tokenizer.token_of(token) for token in inside)
    assert pieces.replace("▁", "") == "Paris"


def test_wrong_inputs_are_refused(world: ProbeWorld, mlqa: Source, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without entities"):
        probe_retrieval(world.words, "entity", mlqa, ["de"], 64)
    with pytest.raises(ConfigError, match="write word or entity"):
        probe_retrieval(world.words, "both", mlqa, ["de"], 64)
    with pytest.raises(DataError, match="no development file of any language of fr, hi"):
        probe_retrieval(world.words, "word", mlqa, ["fr", "hi"], 64)


def test_languages_without_a_common_question(world: ProbeWorld, tmp_path: Path) -> None:
    name = "MLQA_V1/dev/dev-context-{0}-question-{0}.json"
    content = {
        language: answers_file(tmp_path, [(key, "Paris is old .", "Paris", 0)]).read_text()
        for language, key in (("en", "1"), ("de", "2"))
    }
    files = {name.format(language): text for language, text in content.items()}
    source = Source(write_source(tmp_path, "mlqa", files))
    scores, _ = probe_retrieval(world.words, "word", source, ["de"], 64)
    assert scores["results"] == {"default": {}}
    assert "no question is also" in scores["unavailable"]["de"]


def test_features_have_the_same_bytes_and_no_pickle(tmp_path: Path) -> None:
    arrays = {"de_ids": np.array(["a", "bc"]), "de_vectors": np.eye(2, dtype=np.float32)}
    for name in ("one.npz", "two.npz"):
        write_features(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as stored:
        assert stored["de_ids"].tolist() == ["a", "bc"]
    with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
        write_features(tmp_path / "three.npz", {"x": np.array([{}])})
    assert not (tmp_path / "three.npz").exists()


def test_vectors_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "cwr.npz"
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_features(path, {"en_ids": np.array(["a", "b"]), "en_vectors": vectors})
    ids, read = read_features(path)["en"]
    assert ids == ["a", "b"]
    np.testing.assert_array_equal(read, vectors)


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_damaged_vectors(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "cwr.npz"
    if content is None:
        write_features(path, {"en_ids": np.array(["a"]), "en_vectors": np.zeros((2, 3))})
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"cwr\.npz"):
        read_features(path)
