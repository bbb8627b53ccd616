"""Paragraphs and questions about the facts of the world, the same in every language.

A paragraph is planned once, without words: which facts it states, in which order and with which
wording, and which of them are asked about. Rendering the plan in a language gives a context and
its questions, so that contexts, questions and answers are parallel across languages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from mluke_core.miniature.datasets.rendering import Filler, bundled, fill, pick
from mluke_core.miniature.facts import World

LANGUAGES = ("en", "es", "de", "tr", "ar", "zh")
"""Languages with sentences and questions, ``data/reading_<language>.json``."""

# What is asked about each kind of entity, beside the numbers; P47 is only ever stated.
RELATIONS: dict[str, tuple[str, ...]] = {
    "country": ("P36", "P30", "P37"),
    "city": ("P17", "P206"),
    "river": (),
    "person": ("P19", "P20", "P106", "P103", "P27", "P108", "P937", "P26"),
    "work": ("P50", "P57", "P86", "P170", "P495", "P407", "P364"),
    "organisation": ("P159", "P740", "P17", "P112", "P127"),
}
VALUES: dict[str, tuple[str, ...]] = {
    "river": ("P2043",),
    "person": ("P569", "P570"),
    "work": ("P577",),
    "organisation": ("P571",),
}
# Share of the entities of each kind whose paragraphs make up a split.
SPLITS = (("train", 0.72), ("dev", 0.12), ("mlqa_test", 0.10), ("mlqa_dev", 0.06))

# Short paragraphs in which the relation asked for singles out the answer nearly always: two layers
# then learn to answer within a few hundred steps.
MAXIMUM_STATEMENTS = 3
MINIMUM_SENTENCES = 4
# Share of the paragraphs whose distractor has a relation of the topic, so that only the subject
# of the question tells the two answers apart.
SAME_RELATION_SHARE = 0.1
# Where to find an entity to say more about when there is little to say about the topic itself.
RELATED = ("P17", "P50", "P57", "P86", "P170", "P159", "P19", "P27")


@dataclass(frozen=True)
class Statement:
    """A fact to be stated: ``answer`` is the key of an entity, or a number."""

    subject: str
    phrase: str
    """Name of the relation in the phrase files, such as ``P17:organisation``."""
    answer: str | int
    wording: int
    """Which of the language's wordings, modulo their number."""


@dataclass(frozen=True)
class Question:
    """A question about one statement of its paragraph."""

    id: str
    statement: int
    wording: int


@dataclass(frozen=True)
class Plan:
    """One paragraph about ``topic``, without words."""

    topic: str
    statements: tuple[Statement, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Paragraph:
    """A rendered context; answers are ``(text, start)`` by question id."""

    context: str
    answers: dict[str, tuple[str, int]]


def topics(world: World, split: str, random: Random) -> list[str]:
    """Keys of the entities of one split, mixed over kinds; every entity is in one split only."""
    chosen: list[str] = []
    for kind in RELATIONS:
        keys = [entity.key for entity in world.by_kind(kind) if known(world, entity.key)]
        random.shuffle(keys)
        start = 0.0
        for name, share in SPLITS:
            if name == split:
                chosen += keys[round(start * len(keys)) : round((start + share) * len(keys))]
            start += share
    random.shuffle(chosen)
    return chosen


def known(world: World, key: str) -> list[tuple[str, str | int]]:
    """What can be asked about an entity: phrases with a single answer, and the answer."""
    entity = world.entities[key]
    facts: list[tuple[str, str | int]] = []
    for relation in RELATIONS[entity.kind]:
        objects = world.objects(key, relation)
        if len(objects) == 1:
            organisation = relation == "P17" and entity.kind == "organisation"
            facts.append((f"{relation}:organisation" if organisation else relation, objects[0]))
    facts += [
        (value, entity.values[value])
        for value in VALUES.get(entity.kind, ())
        if value in entity.values
    ]
    return facts


def plan_paragraphs(world: World, split: str, seed: int, questions: int) -> list[Plan]:
    """Plans of a split with ``questions`` questions in all; topics may have several paragraphs."""
    # The division into splits must not depend on which split is asked for.
    keys = topics(world, split, Random(f"{seed}-topics"))
    random = Random(f"{seed}-{split}")
    plans: list[Plan] = []
    asked: set[tuple[str, str, int]] = set()
    left = questions
    while left > 0:
        before = left
        for topic in keys:
            plan = _plan(world, topic, random, asked, left)
            if plan.questions:
                plans.append(plan)
                left -= len(plan.questions)
            if left <= 0:
                break
        if before == left:
            break
    return plans


def _plan(
    world: World, topic: str, random: Random, asked: set[tuple[str, str, int]], left: int
) -> Plan:
    facts = known(world, topic)
    random.shuffle(facts)
    own = [
        Statement(topic, phrase, answer, random.randrange(6))
        for phrase, answer in facts[:MAXIMUM_STATEMENTS]
    ]
    statements = own + _distractor(world, topic, own, random)
    statements += _background(world, topic, MINIMUM_SENTENCES - len(statements), random)
    random.shuffle(statements)
    questions: list[Question] = []
    wordings = bundled("reading_en")
    for index, statement in enumerate(statements):
        if statement.subject != topic or len(questions) == left:
            continue
        free = [
            wording
            for wording in range(len(wordings[statement.phrase]["questions"]))
            if (topic, statement.phrase, wording) not in asked
        ]
        if not free:
            continue
        wording = pick(random, free)
        asked.add((topic, statement.phrase, wording))
        name = f"{topic} {statement.phrase} {wording}"
        questions.append(Question(hashlib.sha1(name.encode()).hexdigest(), index, wording))
    return Plan(topic, tuple(statements), tuple(questions))


def _distractor(world: World, topic: str, own: list[Statement], random: Random) -> list[Statement]:
    """A fact about another entity of the kind, with another answer; seldom a fact asked for."""
    same = random.random() < SAME_RELATION_SHARE
    phrases = {statement.phrase for statement in own}
    answers = {statement.answer for statement in own}
    others = [x.key for x in world.by_kind(world.entities[topic].kind) if x.key != topic]
    random.shuffle(others)
    for other in others:
        fitting = [
            (phrase, answer)
            for phrase, answer in known(world, other)
            if (phrase in phrases) == same and answer not in answers
        ]
        if fitting:
            phrase, answer = pick(random, fitting)
            return [Statement(other, phrase, answer, random.randrange(6))]
    return []


def _background(world: World, topic: str, number: int, random: Random) -> list[Statement]:
    """Up to ``number`` facts about entities related to the topic, such as a city's country."""
    borders = world.objects(topic, "P47")
    found = [Statement(topic, "P47", pick(random, borders), random.randrange(6))] if borders else []
    related = [key for relation in RELATED for key in world.objects(topic, relation)]
    found += [
        Statement(key, phrase, answer, random.randrange(6))
        for key in dict.fromkeys(related)
        for phrase, answer in known(world, key)
        if answer != topic
    ]
    return found[: max(number, 0)]


def world_filler(world: World, key: str, language: str) -> Filler:
    """Name of an entity for a sentence; templates say "river" themselves where a name could."""
    entity = world.entities[key]
    name = entity.names[language]
    if entity.kind == "river":
        name = name.removeprefix("Río ") if language == "es" else name
        name = name.removesuffix(" Nehri") if language == "tr" else name
    return Filler(name, entity.kind)


def _fillers(world: World, statement: Statement, language: str) -> dict[str, Filler]:
    if isinstance(statement.answer, int):
        answer = Filler(str(statement.answer), "number")
    else:
        answer = world_filler(world, statement.answer, language)
    return {"s": world_filler(world, statement.subject, language), "o": answer}


def render_context(world: World, plan: Plan, language: str) -> Paragraph:
    """The paragraph in a language, with the answer to each of its questions."""
    templates = bundled(f"reading_{language}")
    stop, space = ("。", "") if language == "zh" else (".", " ")
    context = ""
    places: list[tuple[int, int]] = []
    for statement in plan.statements:
        wordings = templates[statement.phrase]["statements"]
        template = wordings[statement.wording % len(wordings)]
        sentence = fill(template, language, _fillers(world, statement, language))
        context += space if context else ""
        places.append(sentence.moved(len(context))["o"])
        context += sentence.text + stop
    answers = {}
    for question in plan.questions:
        start, end = places[question.statement]
        answers[question.id] = (context[start:end], start)
    return Paragraph(context, answers)


def render_question(world: World, plan: Plan, question: Question, language: str) -> str:
    """A question of the plan in a language."""
    statement = plan.statements[question.statement]
    wordings = bundled(f"reading_{language}")[statement.phrase]["questions"]
    template = wordings[question.wording % len(wordings)]
    return fill(template, language, _fillers(world, statement, language)).text


def by_topic(plans: list[Plan]) -> Iterator[tuple[str, list[Plan]]]:
    """The plans of each topic, topics in order of first appearance."""
    grouped: dict[str, list[Plan]] = {}
    for plan in plans:
        grouped.setdefault(plan.topic, []).append(plan)
    yield from grouped.items()
