"""Candidate spans, document context and greedy decoding of named entities."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError, DataError
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.ner import NerTask
from mluke_core.tasks.ner_spans import candidate_spans, chunks, context_limits, greedy, pieces
from tests.task_world import entity_vocabulary, make_tokenizer, sentences

OPTIONS = {
    "maximum_length": 40,
    "maximum_mention_tokens": 6,
    "maximum_spans": 8,
    "entity_features": "entity",
}
lengths = st.lists(st.integers(1, 9), min_size=1, max_size=30)


@given(lengths, st.integers(4, 20), st.integers(1, 8))
def test_pieces_reach_every_span_once(sizes: list[int], maximum: int, longest: int) -> None:
    starts = np.concatenate([[0], np.cumsum(sizes)])
    found = []
    for piece in pieces(starts, maximum, min(longest, maximum)):
        assert starts[piece.last] - starts[piece.first] <= max(maximum, max(sizes))
        spans = candidate_spans(starts, piece, min(longest, maximum))
        assert all(piece.first <= a < b <= piece.last for a, b in spans)
        found += [tuple(span) for span in spans.tolist()]
    expected = [
        (a, b)
        for a, b in product(range(len(sizes)), range(1, len(sizes) + 1))
        if a < b and starts[b] - starts[a] <= min(longest, maximum)
    ]
    assert found == expected


@given(st.integers(0, 50), st.integers(1, 40), st.integers(0, 50), st.integers(1, 60))
def test_context_fills_the_room(left: int, size: int, right: int, maximum: int) -> None:
    total = left + size + right
    begin, end = context_limits(left, left + size, total, maximum)
    assert 0 <= begin <= left
    assert left + size <= end <= total
    assert end - begin == min(total, max(size, maximum))


@given(st.integers(0, 400), st.integers(1, 130))
def test_chunks_are_even(count: int, maximum: int) -> None:
    spans = np.arange(2 * count).reshape(-1, 2)
    parts = list(chunks(spans, maximum))
    assert len(parts) == -(-count // maximum)
    assert np.array_equal(np.concatenate([spans[:0], *parts]), spans)
    assert all(0 < len(part) <= maximum for part in parts)


@given(st.data())
def test_greedy_keeps_the_best_that_do_not_overlap(data: st.DataObject) -> None:
    spans = [(a, b) for a in range(5) for b in range(a + 1, 6)]
    scores = data.draw(
        st.lists(st.floats(-9, 9, width=32), min_size=len(spans), max_size=len(spans))
    )
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(spans), max_size=len(spans)))
    kept = greedy(np.array(spans), np.array(labels), np.array(scores, dtype=np.float32))
    words = [word for index in kept for word in range(*spans[index])]
    assert len(words) == len(set(words))
    assert all(labels[index] for index in kept)
    for index, (a, b) in enumerate(spans):
        if labels[index] and index not in kept:
            rivals = [other for other in kept if spans[other][0] < b and a < spans[other][1]]
            assert any(scores[other] >= scores[index] for other in rivals)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(make_tokenizer(tmp_path_factory.mktemp("tokenizer")))


def make_task(tokenizer: Tokenizer, inputs: str = "word", **options: object) -> NerTask:
    vocabulary = EntityVocabulary(entity_vocabulary()) if inputs == "entity" else None
    size = tokenizer.vocabulary_size
    return NerTask({**OPTIONS, **options}, inputs, tokenizer, size, vocabulary)


def read(task: NerTask, folder: Path, content: str):  # type: ignore[no-untyped-def]
    path = folder / "words.conll"
    path.write_text(content, encoding="utf-8")
    dataset = task.read(path)
    task.learn_labels(dataset)
    return dataset


@pytest.mark.parametrize("inputs", ["word", "entity"])
def test_features_point_at_the_words(tokenizer: Tokenizer, tmp_path: Path, inputs: str) -> None:
    task = make_task(tokenizer, inputs)
    dataset = read(task, tmp_path, sentences(12, seed=3))
    features = task.encode(dataset, training=True)
    assert task.labels == ["O", "LOC", "PER"]
    seen = [0] * len(dataset.examples)
    for feature in features:
        sentence = dataset.examples[feature.source]
        assert len(feature.extra) == len(feature.target) <= OPTIONS["maximum_spans"]
        assert len(feature.word_ids) <= OPTIONS["maximum_length"] + 2
        assert feature.word_ids[0] == tokenizer.bos_id
        assert feature.word_ids[-1] == tokenizer.eos_id
        gold = {(a, b): kind for a, b, kind in sentence.spans}
        for (first, last, left, right), label in zip(feature.extra, feature.target, strict=True):
            pieces_ = [tokenizer.token_of(i) for i in feature.word_ids[left : right + 1]]
            assert "".join(pieces_).replace("▁", "") == "".join(sentence.words[first:last])
            assert task.labels[label] == gold.get((first, last), "O")
            seen[feature.source] += label > 0
        if inputs == "entity":
            assert (feature.entity_ids == 0).all()  # [MASK] is 0 in this vocabulary
            assert np.array_equal(feature.entity_spans[:, 0], feature.extra[:, 2])
            assert np.array_equal(feature.entity_spans[:, 1], feature.extra[:, 3] + 1)
        else:
            assert not len(feature.entity_ids)
    assert seen == [len(sentence.spans) for sentence in dataset.examples]


def test_context_stays_within_the_document(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer)
    content = "-DOCSTART- O\n\nAda B-PER\n\nBo B-PER\n\n-DOCSTART- O\n\nParis B-LOC\n"
    features = task.encode(read(task, tmp_path, content), training=True)
    assert np.array_equal(features[0].word_ids, features[1].word_ids)
    known = tokenizer.encode_with_spans("Paris", [])[0]
    assert features[2].word_ids.tolist() == [tokenizer.bos_id, *known, tokenizer.eos_id]


def test_word_inputs_differ_in_entities_alone(tokenizer: Tokenizer, tmp_path: Path) -> None:
    content = sentences(10, seed=5)
    both = []
    for inputs in ("word", "entity"):
        task = make_task(tokenizer, inputs)
        both.append(task.encode(read(task, tmp_path, content), training=True))
    assert len(both[0]) == len(both[1])
    for word, entity in zip(*both, strict=True):
        assert np.array_equal(word.word_ids, entity.word_ids)
        assert np.array_equal(word.target, entity.target)
        assert np.array_equal(word.extra, entity.extra)


def test_long_sentences_are_read_in_parts(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer, maximum_length=16)
    content = "".join(
        f"{'Ada' if i == 50 else 'the'} {'B-PER' if i == 50 else 'O'}\n" for i in range(99)
    )
    dataset = read(task, tmp_path, content)
    features = task.encode(dataset, training=False)
    assert "sentences of more than 16 tokens (read in parts)" in dataset.report.counts
    gold = [(a, b) for f in features for (a, b, *_), t in zip(f.extra, f.target, strict=True) if t]
    assert gold == [(50, 51)]


def test_gold_spans_out_of_reach_are_listed(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, "x B-MISC\n" + "y I-MISC\n" * 9 + "Ada B-PER\n")
    task.encode(dataset, training=False)
    assert dataset.report.details["unreachable"] == [["0", 0, 10, "MISC"]]


def test_word_without_tokens_is_unknown(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, "Ada B-PER\n\u200b O\n")
    features = task.encode(dataset, training=False)
    assert tokenizer.unk_id in features[0].word_ids
    assert "words without tokens (read as unknown)" in dataset.report.counts


def test_unseen_type_is_an_error(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer)
    read(task, tmp_path, "Ada B-PER\n")
    path = tmp_path / "other.conll"
    path.write_text("x O\n\nAda B-ANIMAL\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"sentence 1 .*'ANIMAL'.*PER"):
        task.encode(task.read(path), training=False)


def test_wrong_options(tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match="entity, token\\+entity"):
        _ = make_task(tokenizer, "entity", entity_features="both").entity_features
    with pytest.raises(ConfigError, match="word, entity"):
        make_task(tokenizer, "words")
    with pytest.raises(DataError, match=r"no entity_vocab\.json"):
        NerTask(OPTIONS, "entity", tokenizer, 100)


def test_decoding_reads_all_chunks_of_a_sentence(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, sentences(6, seed=9))
    features = task.encode(dataset, training=True)
    # Perfect logits: 5 for the gold label.
    scores = [np.eye(3, dtype=np.float32)[feature.target] * 5 for feature in features]
    predictions = task.decode(dataset, features, scores)
    assert task.evaluate(dataset, predictions) == {"f1": 100, "precision": 100, "recall": 100}
    assert all(prediction.score == 5 for prediction in predictions)
    assert task.baseline(dataset, dataset, 0)["f1"] == 0
