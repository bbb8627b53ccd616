"""Windows, answer positions, best spans and answers cut from the text."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.answers import best_spans
from mluke_core.tasks.linking import Mention
from mluke_core.tasks.qa import QaTask
from tests.task_world import FILLER, entity_vocabulary, make_tokenizer, questions, squad_json

OPTIONS = {
    "maximum_length": 60,
    "stride": 16,
    "maximum_question_tokens": 12,
    "maximum_answer_tokens": 8,
    "beam": 5,
    "maximum_entities": 6,
}


class WordLinker:
    """Links the words Ada (3) and Paris (4)."""

    def __init__(self) -> None:
        self.used: Counter[str] = Counter()
        self.asked: list[tuple[str, str, str]] = []

    def find(self, text: str, language: str, title: str, title_language: str) -> list[Mention]:
        self.used["article"] += 1
        self.asked.append((language, title, title_language))
        found = [
            Mention(start, start + len(word), 3 + number)
            for number, word in enumerate(("Ada", "Paris"))
            for start in range(len(text))
            if text.startswith(word, start)
        ]
        return sorted(found, key=lambda mention: mention.start)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(make_tokenizer(tmp_path_factory.mktemp("tokenizer")))


def make_task(tokenizer: Tokenizer, inputs: str = "word", **options: object) -> QaTask:
    entity = inputs == "entity"
    return QaTask(
        {**OPTIONS, **options},
        inputs,
        tokenizer,
        tokenizer.vocabulary_size,
        EntityVocabulary(entity_vocabulary()) if entity else None,
        WordLinker() if entity else None,
    )


def read(task: QaTask, folder: Path, content: str, **languages: str):  # type: ignore[no-untyped-def]
    path = folder / "questions.json"
    path.write_text(content, encoding="utf-8")
    return task.read(path, **languages)


def long_context() -> str:
    answer = {"text": "Paris", "answer_start": len(FILLER) * 3 + 3 + 3}
    context = f"{FILLER} {FILLER} {FILLER} in Paris . {FILLER}"
    assert context[answer["answer_start"] :].startswith("Paris")
    qa = {"id": "q", "question": "Ada works in", "answers": [answer]}
    return squad_json([{"context": context, "qas": [qa]}])


def test_windows_cover_the_context(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, long_context())
    features = task.encode(dataset, training=True)
    question = tokenizer.encode("Ada works in").ids
    context = tokenizer.encode(dataset.examples[0].context)
    head = [tokenizer.bos_id, *question, tokenizer.eos_id, tokenizer.eos_id]
    covered: set[int] = set()
    answered = 0
    for feature in features:
        window = feature.extra
        ids = feature.word_ids.tolist()
        assert len(ids) <= OPTIONS["maximum_length"]
        assert ids[: len(head)] == head
        assert ids[-1] == tokenizer.eos_id
        assert window.position == len(head)
        assert ids[len(head) : -1] == context.ids[window.first : window.first + window.size]
        covered |= set(range(window.first, window.first + window.size))
        first, last = feature.target
        if first:
            answered += 1
            start = context.offsets[window.first + first - 1][0]
            end = context.offsets[window.first + last - 1][1]
            assert dataset.examples[0].context[start:end].strip() == "Paris"
        else:
            assert last == 0
    assert covered == set(range(len(context.ids)))
    starts = [feature.extra.first for feature in features]
    assert starts == list(range(0, OPTIONS["stride"] * len(starts), OPTIONS["stride"]))
    assert 1 <= answered < len(features)


def test_entities_of_question_and_window(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer, "entity")
    languages = {"context_language": "es", "question_language": "de", "title_language": "en"}
    dataset = read(task, tmp_path, long_context(), **languages)
    features = task.encode(dataset, training=False)
    paris = tokenizer.encode("Paris").ids
    counts = []
    for feature in features:
        words = [feature.word_ids[a:b].tolist() for a, b in feature.entity_spans]
        assert feature.entity_ids[0] == 3
        assert words[0] == tokenizer.encode("Ada").ids
        assert all(word == paris for word in words[1:])
        counts.append(len(words))
    assert min(counts) == 1
    assert max(counts) == 2
    assert isinstance(task.linker, WordLinker)
    assert set(task.linker.asked) == {("es", "Some people", "en"), ("de", "Some people", "en")}
    assert dataset.report.facts["with_entities"] == 1
    assert dataset.report.facts["entities"] == 2
    assert dataset.report.facts["mentions"] == {"article": 2}


def test_word_inputs_have_the_same_words(tokenizer: Tokenizer, tmp_path: Path) -> None:
    content = questions(10, seed=2)
    both = []
    for inputs in ("word", "entity"):
        task = make_task(tokenizer, inputs)
        both.append(task.encode(read(task, tmp_path, content), training=True))
    for word, entity in zip(*both, strict=True):
        assert np.array_equal(word.word_ids, entity.word_ids)
        assert word.target == entity.target
        assert not len(word.entity_ids)


def test_long_questions_and_entities_are_cut(tokenizer: Tokenizer, tmp_path: Path) -> None:
    qa = {"id": "q", "question": "Ada " * 30, "answers": [{"text": "Ada", "answer_start": 0}]}
    task = make_task(tokenizer, "entity")
    dataset = read(task, tmp_path, squad_json([{"context": "Ada in Paris .", "qas": [qa]}]))
    features = task.encode(dataset, training=True)
    assert features[0].extra.position == 1 + OPTIONS["maximum_question_tokens"] + 2
    assert len(features[0].entity_ids) == OPTIONS["maximum_entities"]
    assert dataset.report.counts == {"questions cut to 12 tokens": 1}


def test_questions_that_cannot_be_learnt(tokenizer: Tokenizer, tmp_path: Path) -> None:
    answers = [{"text": "Bern", "answer_start": 0}]
    qas = [
        {"id": "q1", "question": "?", "answers": answers},
        {"id": "q2", "question": "?", "answers": [{"text": "Ada", "answer_start": 0}]},
    ]
    content = squad_json([{"context": "Ada in Paris .", "qas": qas}])
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, content)
    assert [feature.source for feature in task.encode(dataset, training=True)] == [1]
    assert "questions without an answer to learn (left out)" in dataset.report.counts
    dataset = read(task, tmp_path, content)
    assert [feature.source for feature in task.encode(dataset, training=False)] == [0, 1]


def test_empty_context_is_answered_with_nothing(tokenizer: Tokenizer, tmp_path: Path) -> None:
    qa = {"id": "q", "question": "?", "answers": [{"text": "x", "answer_start": 0}]}
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, squad_json([{"context": "", "qas": [qa]}]))
    features = task.encode(dataset, training=False)
    assert task.decode(dataset, features, [])[0].text == ""
    assert "contexts without tokens (answered with nothing)" in dataset.report.counts


def test_no_room_for_the_context(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer, maximum_length=20)
    with pytest.raises(ConfigError, match="larger maximum_length"):
        task.encode(read(task, tmp_path, long_context()), training=True)


def test_missing_option_is_named(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = QaTask({}, "word", tokenizer, 100)
    with pytest.raises(ConfigError, match=r"tasks\.qa\.options\.maximum_question_tokens"):
        task.encode(read(task, tmp_path, long_context()), training=True)


def test_answers_come_from_the_original_text(tokenizer: Tokenizer, tmp_path: Path) -> None:
    # NFKC makes three letters of the ligature and three dots of the ellipsis.
    context = "Ada … ﬃ  “Århus”  und Paris"
    qas = [
        {"id": word, "question": "?", "answers": [{"text": word, "answer_start": 0}]}
        for word in ("Ada", "Århus", "Paris")
    ]
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, squad_json([{"context": context, "qas": qas}]))
    features = task.encode(dataset, training=True)
    scores = []
    for feature in features:
        first, last = feature.target
        assert first > 0
        scores.append(np.array([first - 1, last - 1, 1.0]))
    predictions = task.decode(dataset, features, scores)
    assert predictions[0].text == "Ada"
    assert "Århus" in predictions[1].text
    assert predictions[2].text == "Paris"
    assert all(prediction.text in context for prediction in predictions)


def test_best_window_wins(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, long_context())
    features = task.encode(dataset, training=False)
    scores = [np.array([n, n, float(-abs(n - 1))]) for n in range(len(features))]
    prediction = task.decode(dataset, features, scores)[0]
    assert prediction.score == 0
    start, end = tokenizer.encode(dataset.examples[0].context).offsets[1]
    assert prediction.text == dataset.examples[0].context[start:end].strip()


def test_how_windows_are_compared(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Two windows: the first has the higher logits, but also a null score that is higher still."""
    for rule, window, score in (("above_null", 1, 6.0), ("logits", 0, 10.0), (None, 1, 6.0)):
        task = make_task(tokenizer, **({"window_score": rule} if rule else {}))
        dataset = read(task, tmp_path, long_context())
        windows = task.encode(dataset, training=False)[:2]
        sizes = [feature.extra.size for feature in windows]
        logits = torch.full((2, 2, 1 + max(sizes)), -9.0)
        logits[:, 0, 0], logits[:, 0, 3] = 4.0, 5.0
        logits[:, 1, 0], logits[:, 1, 2] = 0.0, 3.0
        prediction = task.decode(dataset, windows, task.scores(logits, windows))[0]
        assert prediction.score == score
        place = windows[window].extra.first + (2, 1)[window]
        start, end = tokenizer.encode(dataset.examples[0].context).offsets[place]
        assert prediction.text == dataset.examples[0].context[start:end].strip()
    with pytest.raises(ConfigError, match="write one of above_null, logits"):
        _ = make_task(tokenizer, window_score="null").window_score


@given(st.data())
def test_best_spans_agree_with_a_search_over_all_pairs(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    longest = data.draw(st.integers(1, 5))
    values = st.lists(st.integers(-50, 50), min_size=size, max_size=size, unique=size < 100)
    start = torch.tensor(data.draw(values), dtype=torch.float32)
    end = torch.tensor(data.draw(values), dtype=torch.float32)
    first, last, score = best_spans(start[None], end[None], beam=size, longest=longest)
    best = max(start[i] + end[j] for i in range(size) for j in range(i, min(size, i + longest)))
    assert score.item() == best.item()
    assert 0 <= last.item() - first.item() < longest
    assert start[first.item()] + end[last.item()] == best


def test_best_span_ignores_padding_and_falls_back_to_one_token() -> None:
    ninf = -torch.inf
    start = torch.tensor([[0.0, 1.0, 5.0, ninf], [9.0, 0.0, 0.0, 0.0]])
    end = torch.tensor([[9.0, 1.0, 0.0, ninf], [0.0, 0.0, 0.0, 9.0]])
    # First row, beam 1: start 2 with end 0 is no span, so the best single token is taken.
    first, last, score = best_spans(start, end, beam=1, longest=30)
    assert (first[0], last[0], score[0]) == (0, 0, 9)
    assert (first[1], last[1], score[1]) == (0, 3, 18)
    # Beyond the longest answer.
    first, last, _ = best_spans(start, end, beam=1, longest=2)
    assert first[1] == last[1]


def test_random_baseline_is_seeded(tokenizer: Tokenizer, tmp_path: Path) -> None:
    task = make_task(tokenizer)
    dataset = read(task, tmp_path, questions(40, seed=2))
    assert task.baseline(dataset, dataset, 1) == task.baseline(dataset, dataset, 1)
    assert 0 < task.baseline(dataset, dataset, 1)["f1"] < 50
