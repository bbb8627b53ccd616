"""Read questions in the SQuAD v1.1 format: SQuAD, XQuAD, MLQA.

``{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
"answer_start"}]}]}]}]}``; offsets count Unicode characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.tasks.data import Dataset, ReadReport


@dataclass(frozen=True, slots=True)
class Answer:
    """A gold answer; ``start`` is None when its text does not occur in the context."""

    text: str
    start: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its context and gold answers. ``title`` has spaces, not underscores."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]
    title: str

    @property
    def texts(self) -> list[str]:
        """Texts of the gold answers."""
        return [answer.text for answer in self.answers]


def read_questions(
    path: str | Path,
    context_language: str = "en",
    question_language: str = "en",
    title_language: str = "en",
) -> Dataset[Question]:
    """Read a file of questions.

    An answer whose offset does not give its text is moved to the nearest place where the text
    stands; when there is none its start is None. Both are counted. Of questions with the same id
    the first is kept, the others are counted.

    Raises:
        DataError: the file is not in the SQuAD format; names the place.
    """
    path = Path(path)
    report = ReadReport()
    questions: list[Question] = []
    seen: set[str] = set()
    for context, title, entry in _entries(read_json(path, given=True), path):
        question_id = str(entry["id"])
        if question_id in seen:
            report.count("question ids that occur twice (the first was kept)", question_id)
            continue
        seen.add(question_id)
        answers = tuple(
            _locate(context, answer, question_id, report, path) for answer in entry["answers"]
        )
        if not answers:
            report.count("questions without answers (left out)", question_id)
            continue
        questions.append(Question(question_id, entry["question"], context, answers, title))
    if not questions:
        raise DataError(f"{path}: no questions with answers in it.")
    report.facts["questions"] = len(questions)
    return Dataset(questions, report, path, context_language, question_language, title_language)


def _entries(data: Any, path: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """(context, title, question entry) of the whole file, with the format checked."""
    articles = data.get("data") if isinstance(data, dict) else None
    if not isinstance(articles, list):
        raise DataError(f"{path}: not in the SQuAD format (no list 'data' in it).")
    entries = []
    for number, article in enumerate(articles):
        try:
            title = unquote(str(article.get("title") or "")).replace("_", " ")
            for paragraph in article["paragraphs"]:
                for entry in paragraph["qas"]:
                    if not isinstance(entry["question"], str) or "id" not in entry:
                        raise KeyError("question")
                    if not isinstance(entry["answers"], list):
                        raise KeyError("answers")
                    entries.append((str(paragraph["context"]), title, entry))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: article {number} is not in the SQuAD format (missing or wrong: {error})."
            ) from None
    return entries


def _locate(context: str, entry: Any, question_id: str, report: ReadReport, path: Path) -> Answer:
    try:
        text, start = str(entry["text"]), int(entry["answer_start"])
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{path}: question {question_id}: an answer needs 'text' and 'answer_start'."
        ) from None
    if start >= 0 and context.startswith(text, start):
        return Answer(text, start)
    before = context.rfind(text, 0, max(start, 0) + len(text))
    after = context.find(text, max(start, 0))
    places = [place for place in (before, after) if place >= 0]
    if not places or not text:
        report.count("answers that are not in their context", question_id)
        return Answer(text, None)
    report.count("answer offsets that were wrong and mended", question_id)
    return Answer(text, min(places, key=lambda place: abs(place - start)))
