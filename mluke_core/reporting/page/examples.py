"""Examples of right and wrong predictions of two systems, with mentions and answers marked.

The two are words and entities of the same model, or else the first and the last system of the run.
Of every column a few examples of each outcome are chosen by a hash of their ids: the same ones
every time, and none by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow.parquet as pq

from mluke_core.errors import DataError
from mluke_core.io.sources import Source
from mluke_core.metrics import mlqa, relx, squad
from mluke_core.probes.mlama_data import read_templates
from mluke_core.reporting import plan
from mluke_core.reporting.page.mentions import FindMentions, mention_marks
from mluke_core.reporting.page.segments import Mark, Piece, clipped, pieces
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.tasks.collections import TestColumn, test_columns
from mluke_core.tasks.conll_reader import parse_spans, read_sentences
from mluke_core.tasks.relation_reader import read_relations
from mluke_core.tasks.score import VARIANT, read_predictions
from mluke_core.tasks.squad_reader import Question, read_questions

PER_OUTCOME = 2
"""Examples of each outcome in each column."""
CONTEXT_CHARACTERS = 160
"""Of a question's context, before and behind what is marked."""
RIGHT = 1 - 1e-9
OUTCOMES = ("both right", "second right", "first right", "both wrong")
FIRST, SECOND = "first", "second"


@dataclass(frozen=True)
class Line:
    """One line of an example: what it is, its text in pieces, whether it is right."""

    label: str
    text: Sequence[Piece]
    right: bool | None = None


@dataclass(frozen=True)
class Example:
    """One example as a card of the page."""

    test: str
    column: str
    language: str
    id: str
    outcome: str
    text: Sequence[Piece]
    lines: Sequence[Line]


@dataclass(frozen=True)
class Pair:
    """The two systems that are set side by side, and what the page calls them."""

    first: str
    second: str
    labels: tuple[str, str]


Show = Callable[[str, str, str], tuple[Sequence[Piece], list[Line]]]
"""From an example's id and the two predictions to its text and lines."""


def pair_of(run: RunFolder) -> Pair | None:
    """The two systems to show; None when the run has one system alone."""
    names = list(run.systems)
    for table in run.tables:
        for pair in plan.significance_pairs(run.config, table):
            return _pair(run, pair["baseline"], pair["system"])
    return _pair(run, names[0], names[-1]) if len(names) > 1 else None


def _pair(run: RunFolder, first: str, second: str) -> Pair:
    return Pair(first, second, (run.systems[first]["label"], run.systems[second]["label"]))


def examples_of(run: RunFolder, pair: Pair) -> list[Example]:
    """Examples of every test collection, and of mLAMA, that both systems answered.

    G-XLT is left out: its questions and contexts are those of MLQA.
    """
    found: list[Example] = []
    for test in run.tests:
        if test in run.task_of and test != "gxlt":
            found += _task_examples(run, pair, test)
        elif test == "mlama":
            found += _mlama_examples(run, pair)
    return found


def choose(outcomes: Mapping[str, str], key: str) -> list[tuple[str, str]]:
    """A few ids of each outcome, by a hash: ``[(id, outcome)]`` in the order of the outcomes."""

    def draw(example: str) -> tuple[bytes, str]:
        text = f"{key}/{example}".encode()
        return hashlib.blake2b(text, digest_size=8).digest(), example

    chosen = []
    for outcome in OUTCOMES:
        ids = sorted((i for i, value in outcomes.items() if value == outcome), key=draw)
        chosen += [(example, outcome) for example in ids[:PER_OUTCOME]]
    return chosen


def outcome_of(first: bool, second: bool) -> str:
    """Which of the two is right.

    >>> outcome_of(False, True)
    'second right'
    """
    if first == second:
        return "both right" if first else "both wrong"
    return "first right" if first else "second right"


def _task_examples(run: RunFolder, pair: Pair, test: str) -> list[Example]:
    answers, scored = [], []
    for system in (pair.first, pair.second):
        path, scores = run.predictions(system, test), run.scores(system, test)
        results = run.examples(system, test)
        if path is None or scores is None or results is None:
            return []
        best = scores.runs[0]["run"]
        answers.append({c: a for (r, c), a in read_predictions(path).items() if r == best})
        scored.append(results)
    settings = plan.scoring_settings(run.config, test)
    mentions = mention_marks(run, pair.second)
    found = []
    for column in test_columns(settings, run.sources(test)):
        key = next((key for key in scored[0] if key[1] == column.name), None)
        if column.path is None or key is None or key not in scored[1]:
            continue
        given = [answer[column.name] for answer in answers]
        show, right = SHOWS[settings["metrics"]](column, pair, mentions)
        outcomes = {
            example: outcome_of(*(right(example, answer.get(example, "")) for answer in given))
            for example in scored[0][key].ids
        }
        language = column.languages["context_language"]
        for example, outcome in choose(outcomes, f"{test}/{column.name}"):
            text, lines = show(example, *(answer.get(example, "") for answer in given))
            found.append(Example(test, column.name, language, example, outcome, text, lines))
    return found


Right = Callable[[str, str], bool]


def _questions(
    column: TestColumn, pair: Pair, mentions: FindMentions, by_language: bool
) -> tuple[Show, Right]:
    """Questions; an answer is right when its F1 is 1, by MLQA's rules or by SQuAD's."""
    assert column.path is not None
    dataset = read_questions(column.path, **column.languages)
    questions = {q.id: q for q in dataset.examples}
    language = dataset.context_language

    def right(example: str, answer: str) -> bool:
        golds = questions[example].texts
        if by_language:
            return mlqa.question_scores(answer, golds, language)[1] >= RIGHT
        return squad.best_scores(answer, golds)[1] >= RIGHT

    def show(example: str, first: str, second: str) -> tuple[Sequence[Piece], list[Line]]:
        question = questions[example]
        article = (question.title, dataset.title_language)
        answers = _answers(question, first, second)
        entities = mentions(question.context, language, *article)
        text, marks = clipped(question.context, answers, CONTEXT_CHARACTERS, entities)
        asked = mentions(question.question, dataset.question_language, *article)
        lines = [
            Line("question", pieces(question.question, asked)),
            Line("gold", pieces(" / ".join(dict.fromkeys(question.texts)), [])),
            Line(pair.labels[0], pieces(first, []), right(example, first)),
            Line(pair.labels[1], pieces(second, []), right(example, second)),
        ]
        return pieces(text, marks), lines

    return show, right


def _answers(question: Question, first: str, second: str) -> list[Mark]:
    """The first gold answer that stands in the context, then the answers where they stand."""
    marks = [
        Mark(answer.start, answer.start + len(answer.text), "gold", "gold")
        for answer in question.answers[:1]
        if answer.start is not None
    ]
    near = marks[0].start if marks else 0
    for kind, answer in ((FIRST, first), (SECOND, second)):
        places = _occurrences(question.context, answer)
        if places:
            start = min(places, key=lambda place: abs(place - near))
            marks.append(Mark(start, start + len(answer), kind))
    return marks


def _occurrences(text: str, part: str) -> list[int]:
    places: list[int] = []
    start = text.find(part) if part else -1
    while start >= 0:
        places.append(start)
        start = text.find(part, start + 1)
    return places


def _relations(column: TestColumn, pair: Pair, _: FindMentions) -> tuple[Show, Right]:
    assert column.path is not None
    examples = {e.id: e for e in read_relations(column.path).examples}

    def right(example: str, answer: str) -> bool:
        return (answer or relx.NO_RELATION) == examples[example].label

    def show(example: str, first: str, second: str) -> tuple[Sequence[Piece], list[Line]]:
        item = examples[example]
        marks = [Mark(*item.head, "head", "e1"), Mark(*item.tail, "tail", "e2")]
        lines = [
            Line("gold", pieces(item.label, [])),
            Line(pair.labels[0], pieces(first, []), right(example, first)),
            Line(pair.labels[1], pieces(second, []), right(example, second)),
        ]
        return pieces(item.text, marks), lines

    return show, right


def _sentences(column: TestColumn, pair: Pair, _: FindMentions) -> tuple[Show, Right]:
    assert column.path is not None
    sentences = {s.id: s for s in read_sentences(column.path).examples}

    def right(example: str, answer: str) -> bool:
        return set(parse_spans(answer or "[]")) == set(sentences[example].spans)

    def marked(words: Sequence[str], spans: Iterable[tuple[int, int, str]]) -> Sequence[Piece]:
        starts = [0]
        for word in words:
            starts.append(starts[-1] + len(word) + 1)
        marks = [Mark(starts[a], starts[b] - 1, "gold", kind) for a, b, kind in spans]
        return pieces(" ".join(words), marks)

    def show(example: str, first: str, second: str) -> tuple[Sequence[Piece], list[Line]]:
        sentence = sentences[example]
        lines = [
            Line(
                label,
                marked(sentence.words, parse_spans(answer or "[]")),
                right(example, answer),
            )
            for label, answer in zip(pair.labels, (first, second), strict=True)
        ]
        return marked(sentence.words, sentence.spans), lines

    return show, right


SHOWS: dict[str, Callable[[TestColumn, Pair, FindMentions], tuple[Show, Right]]] = {
    "squad": partial(_questions, by_language=False),
    "mlqa": partial(_questions, by_language=True),
    "relx": _relations,
    "spans": _sentences,
}


def _mlama_examples(run: RunFolder, pair: Pair) -> list[Example]:
    """Questions with all candidates; entities answer with the variant that has both entities."""
    rows = []
    for system in (pair.first, pair.second):
        path = run.predictions(system, "mlama")
        if path is None:
            return []
        rows.append(_mlama_rows(path))
    data = run.file("sources", f"{run.config['probes']['mlama']['sources']['data']}.json")
    found = []
    for language in rows[0]:
        templates = read_templates(Source(data), language) if data else {}
        first, second = rows[0][language], rows[1].get(language, {})
        outcomes = {
            example: outcome_of(first[example]["right"], second[example]["right"])
            for example in first
            if example in second
        }
        for example, outcome in choose(outcomes, f"mlama/{language}"):
            one, other = first[example], second[example]
            lines = [
                Line("gold", pieces(" / ".join(one["gold"]), [])),
                Line(pair.labels[0], pieces(one["prediction"], []), one["right"]),
                Line(pair.labels[1], pieces(other["prediction"], []), other["right"]),
            ]
            text, marks = _filled(templates.get(one["relation"], "[X] ? [Y]"), one["subject"])
            found.append(
                Example("mlama", language, language, example, outcome, pieces(text, marks), lines)
            )
    return found


def _filled(template: str, subject: str) -> tuple[str, list[Mark]]:
    """The cloze question with its subject marked; a box stands for the answer."""
    text = template.replace("[Y]", "▢")
    start = text.find("[X]")
    if start < 0:
        return text, []
    text = text.replace("[X]", subject, 1)
    return text, [Mark(start, start + len(subject), "head", "X")]


def _mlama_rows(path: Any) -> dict[str, dict[str, dict[str, Any]]]:
    columns = ["test_set", "example_id", "prediction", "variant", "relation", "subject", "gold"]
    table = pq.read_table(path, columns=[*columns, "gold_rank"], filters=[("setting", "=", "full")])
    variants = table["variant"].unique().to_pylist()
    wanted = next((v for v in (VARIANT, "[X]&[Y]", "[Y]") if v in variants), None)
    if wanted is None:
        raise DataError(f"{path}: mLAMA predictions of no variant that is known ({variants}).")
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in table.to_pylist():
        if row["variant"] == wanted:
            row["right"] = row["gold_rank"] == 1
            found.setdefault(row["test_set"], {})[row["example_id"]] = row
    return found
