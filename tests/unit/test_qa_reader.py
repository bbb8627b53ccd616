"""Reading the SQuAD format."""

import json
from pathlib import Path

import pytest

from mluke_core.errors import DataError
from mluke_core.tasks.squad_reader import Answer, read_questions
from tests.task_world import squad_json


def write(folder: Path, content: str) -> Path:
    path = folder / "questions.json"
    path.write_text(content, encoding="utf-8")
    return path


def entry(number: int, answers: list[tuple[str, int]]) -> dict[str, object]:
    texts = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": f"q{number}", "question": "?", "answers": texts}


def test_offsets_count_characters_and_wrong_ones_are_mended(tmp_path: Path) -> None:
    context = "𝔘nicode: Rom, Rom und Rom."
    qas = [
        entry(1, [("Rom", 9)]),
        entry(2, [("Rom", 13)]),  # nearest is 14
        entry(3, [("Paris", 0), ("Rom", 22)]),
        entry(4, [("Rom", -5)]),
    ]
    data = read_questions(write(tmp_path, squad_json([{"context": context, "qas": qas}])))
    answers = [question.answers for question in data.examples]
    assert answers[0] == (Answer("Rom", 9),)
    assert answers[1] == (Answer("Rom", 14),)
    assert answers[2] == (Answer("Paris", None), Answer("Rom", 22))
    assert answers[3] == (Answer("Rom", 9),)
    assert data.report.counts == {
        "answer offsets that were wrong and mended": 2,
        "answers that are not in their context": 1,
    }
    assert data.report.names["answers that are not in their context"] == ["q3"]
    assert data.examples[0].title == "Some people"


def test_duplicates_and_questions_without_answers_are_counted(tmp_path: Path) -> None:
    qas = [entry(1, [("a", 0)]), entry(1, [("a", 0)]), entry(2, [])]
    data = read_questions(write(tmp_path, squad_json([{"context": "a", "qas": qas}])))
    assert [question.id for question in data.examples] == ["q1"]
    assert sum(data.report.counts.values()) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no list 'data'"),
        ('{"data": {}}', "no list 'data'"),
        ('{"data": []}', "no questions with answers"),
        ('{"data": [{"title": "t"}]}', "article 0 .*paragraphs"),
        ('{"data": [{"paragraphs": [{"context": "c", "qas": [{"id": 1}]}]}]}', "article 0"),
        ("{", "not valid JSON"),
        (
            squad_json([{"context": "c", "qas": [{"id": 7, "question": "?", "answers": [{}]}]}]),
            "question 7: an answer needs",
        ),
    ],
)
def test_other_formats_get_one_message(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_questions(write(tmp_path, content))


def test_real_files(mirror: Path) -> None:
    folder = mirror / "raw.githubusercontent.com" / "google-deepmind" / "xquad" / "master"
    for language in ("en", "th", "zh"):
        data = read_questions(folder / f"xquad.{language}.json", language, language, "en")
        assert len(data.examples) == 1190
        assert not data.report.counts
    squad = mirror / "rajpurkar.github.io" / "SQuAD-explorer" / "dataset" / "train-v1.1.json"
    questions = read_questions(squad).examples
    total = sum(
        len(paragraph["qas"])
        for article in json.loads(squad.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
    )
    assert len(questions) == total == 3838
