"""SQuAD 1.1 in English, and XQuAD: part of its development set in several languages.

As in the originals, titles carry underscores and percent escapes, the development set gives three
answers per question, and XQuAD keeps the ids and English titles of the questions it translates.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mluke_core.miniature.datasets import reading
from mluke_core.miniature.datasets.archives import json_bytes, place, write_bytes
from mluke_core.miniature.facts import World

SQUAD_URL = "https://rajpurkar.github.io/SQuAD-explorer/dataset/{split}-v1.1.json"
XQUAD_URL = "https://raw.githubusercontent.com/google-deepmind/xquad/master/xquad.{language}.json"
QUESTIONS = {"train": 2000, "dev": 200}
XQUAD_QUESTIONS = 100
ID_LENGTH = 24


def write(world: World, mirror: Path, seed: int, languages: list[str]) -> None:
    """Write SQuAD, and XQuAD for those of its languages that are in ``languages``."""
    for split in QUESTIONS:
        path = place(mirror, SQUAD_URL.format(split=split))
        write_bytes(path, json_bytes(squad(world, split, seed)))
    for language in reading.LANGUAGES:
        if language in languages:
            path = place(mirror, XQUAD_URL.format(language=language))
            write_bytes(path, json_bytes(xquad(world, seed, language), indent=2, sort_keys=True))


def texts(world: World, seed: int, languages: list[str]) -> Iterator[str]:
    """Contexts and questions of all files."""
    documents = [squad(world, split, seed) for split in QUESTIONS]
    documents += [xquad(world, seed, x) for x in reading.LANGUAGES if x in languages]
    for document in documents:
        for article in document["data"]:
            for paragraph in article["paragraphs"]:
                yield paragraph["context"]
                yield from (question["question"] for question in paragraph["qas"])


def squad(world: World, split: str, seed: int) -> dict[str, Any]:
    """The English ``train`` or ``dev`` file."""
    plans = reading.plan_paragraphs(world, split, seed, QUESTIONS[split])
    copies = 3 if split == "dev" else 1
    return {"data": _articles(world, plans, "en", copies), "version": "1.1"}


def xquad(world: World, seed: int, language: str) -> dict[str, Any]:
    """The first questions of the development set in ``language``."""
    plans: list[reading.Plan] = []
    left = XQUAD_QUESTIONS
    for plan in reading.plan_paragraphs(world, "dev", seed, QUESTIONS["dev"]):
        if left <= 0:
            break
        plans.append(reading.Plan(plan.topic, plan.statements, plan.questions[:left]))
        left -= len(plans[-1].questions)
    return {"data": _articles(world, plans, language, 1), "version": "1.1"}


def squad_title(title: str) -> str:
    """A page title as SQuAD writes it.

    >>> squad_title("Frédéric Chopin")
    'Fr%C3%A9d%C3%A9ric_Chopin'
    """
    return quote(title.replace(" ", "_"), safe="!'(),:_-.")


def _articles(
    world: World, plans: list[reading.Plan], language: str, copies: int
) -> list[dict[str, Any]]:
    articles = []
    for topic, topic_plans in reading.by_topic(plans):
        paragraphs = []
        for plan in topic_plans:
            rendered = reading.render_context(world, plan, language)
            qas = [
                {
                    "answers": _answers(rendered, question.id, copies),
                    "question": reading.render_question(world, plan, question, language),
                    "id": question.id[:ID_LENGTH],
                }
                for question in plan.questions
            ]
            paragraphs.append({"context": rendered.context, "qas": qas})
        title = squad_title(world.title(topic, "en"))
        articles.append({"title": title, "paragraphs": paragraphs})
    return articles


def _answers(rendered: reading.Paragraph, question: str, copies: int) -> list[dict[str, Any]]:
    """The answer, ``copies`` times; the last annotator of several takes the article along."""
    text, start = rendered.answers[question]
    answers = [{"answer_start": start, "text": text} for _ in range(copies)]
    if copies > 1 and rendered.context[:start].endswith("the "):
        answers[-1] = {"answer_start": start - 4, "text": f"the {text}"}
    return answers
