"""MLQA: contexts and questions in every pair of languages, parallel by id, in one archive.

Beside English, each language lacks some of the questions, so that files of different pairs hold
different parts of the whole, as in the original. Titles are those of the context language.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mluke_core.miniature.datasets import reading
from mluke_core.miniature.datasets.archives import json_bytes, place, write_zip
from mluke_core.miniature.facts import World

URL = "https://dl.fbaipublicfiles.com/MLQA/MLQA_V1.zip"
LANGUAGES = ("en", "es", "de", "ar", "zh")
QUESTIONS = {"dev": 40, "test": 60}
# Every 12th question is missing in a language, another one in each.
MISSING_EVERY = 12


def write(world: World, mirror: Path, seed: int, languages: list[str]) -> None:
    """Write the archive for those of MLQA's languages that are in ``languages``."""
    present = [language for language in LANGUAGES if language in languages]
    members = {}
    for split in QUESTIONS:
        plans = reading.plan_paragraphs(world, f"mlqa_{split}", seed, QUESTIONS[split])
        for context in present:
            for question in present:
                name = f"MLQA_V1/{split}/{split}-context-{context}-question-{question}.json"
                members[name] = json_bytes(pair(world, plans, context, question))
    write_zip(place(mirror, URL), members)


def texts(world: World, seed: int, languages: list[str]) -> Iterator[str]:
    """Contexts and questions in every language."""
    for split in QUESTIONS:
        for plan in reading.plan_paragraphs(world, f"mlqa_{split}", seed, QUESTIONS[split]):
            for language in LANGUAGES:
                if language in languages:
                    yield reading.render_context(world, plan, language).context
                    for question in plan.questions:
                        yield reading.render_question(world, plan, question, language)


def pair(world: World, plans: list[reading.Plan], context: str, question: str) -> dict[str, Any]:
    """The file with contexts and answers in one language and questions in another."""
    absent = _missing(plans, context) | _missing(plans, question)
    articles = []
    for topic, topic_plans in reading.by_topic(plans):
        paragraphs = []
        for plan in topic_plans:
            rendered = reading.render_context(world, plan, context)
            qas = []
            for item in plan.questions:
                if item.id not in absent:
                    text, start = rendered.answers[item.id]
                    qas.append(
                        {
                            "question": reading.render_question(world, plan, item, question),
                            "answers": [{"text": text, "answer_start": start}],
                            "id": item.id,
                        }
                    )
            if qas:
                paragraphs.append({"context": rendered.context, "qas": qas})
        if paragraphs:
            articles.append({"title": world.title(topic, context), "paragraphs": paragraphs})
    return {"version": 1.0, "data": articles}


def _missing(plans: list[reading.Plan], language: str) -> set[str]:
    """Ids of the questions that ``language`` lacks; none in English."""
    if language == "en":
        return set()
    ids = [question.id for plan in plans for question in plan.questions]
    return set(ids[LANGUAGES.index(language) :: MISSING_EVERY])
