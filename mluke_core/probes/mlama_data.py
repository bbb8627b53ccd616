"""Read mLAMA 1.1: templates, triples and the lists of candidate objects.

A *question* is a relation with a subject's name; triples that agree in both are one question with
several right objects. A relation is skipped, and counted in the report, when it has a template but
no triples, triples but no template, no candidates, or a template that does not hold ``[X]`` and
``[Y]`` once each. A triple that cannot be read is skipped and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.io.sources import Source

FOLDER = "mlama1.1"
TEMPLATES = "templates.jsonl"
SUBJECT, OBJECT = "[X]", "[Y]"


@dataclass(frozen=True)
class Question:
    """A relation's template with one subject."""

    subject: str
    """Name of the subject in this language."""
    gold: tuple[str, ...]
    """Names of the right objects, in the order of the file."""
    triples: tuple[int, ...]
    """Per right object, the number of triples behind it."""
    key: str
    """The subject's id (Wikidata or Freebase), the same in every language."""


@dataclass(frozen=True)
class Relation:
    """One relation of mLAMA in one language."""

    name: str
    """Wikidata property or name, for example ``P740`` or ``place_of_birth``."""
    template: str
    """Sentence with ``[X]`` and ``[Y]``."""
    candidates: tuple[str, ...]
    """Names of the typed candidates, without repetition, in the order of their file."""
    questions: tuple[Question, ...]
    """The questions asked, sorted by :attr:`Question.key` and subject."""


@dataclass
class ClozeData:
    """mLAMA in one language."""

    language: str
    relations: list[Relation] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    """``questions``, ``triples``, ``left_out`` (questions beyond the maximum), ``bad_records``,
    ``gold_not_a_candidate`` (questions none of whose answers is a candidate) and ``skipped``
    (relation: reason)."""


def languages_of(data: Source) -> set[str]:
    """The languages that the archive has templates for."""
    return {
        name.split("/")[1] for name in data.files if name.count("/") == 2 and _is_template(name)
    }


def read_templates(data: Source, language: str) -> dict[str, str]:
    """Relation -> template of one language; empty when the archive has none.

    Raises:
        DataError: a line is not in mLAMA's format.
    """
    name = f"{FOLDER}/{language}/{TEMPLATES}"
    return _read_templates(data.file(name)) if name in data else {}


def read_language(
    data: Source,
    candidates: list[Source],
    language: str,
    maximum_questions: int | None = None,
    seed: int = 0,
) -> ClozeData:
    """Read the relations of one language.

    Args:
        data: the unpacked archive (members such as ``mlama1.1/en/P19.jsonl``).
        candidates: sources with ``<language>.json``, ``{"P19": {"objects": [...]}}``.
        language: language code.
        maximum_questions: at most so many questions of each relation, chosen by a hash of seed,
            relation and subject id: the same for every system, and as far as the languages share
            subjects the same in each. None: all.
        seed: of that hash.

    Raises:
        DataError: the templates or candidates are missing or not in mLAMA's format.
    """
    result = ClozeData(language)
    skipped: dict[str, str] = {}
    report: dict[str, Any] = {"questions": 0, "triples": 0, "left_out": 0, "bad_records": 0}
    report["gold_not_a_candidate"] = 0
    templates = _read_templates(data.file(f"{FOLDER}/{language}/{TEMPLATES}"))
    objects = _read_candidates(candidates, language)
    files = {
        Path(name).stem: name
        for name in data.files
        if name.startswith(f"{FOLDER}/{language}/") and not _is_template(name)
    }
    for name in sorted(set(templates) | set(files)):
        template = templates.get(name)
        if template is None:
            skipped[name] = "no template"
        elif name not in files:
            skipped[name] = "no triples"
        elif template.count(SUBJECT) != 1 or template.count(OBJECT) != 1:
            skipped[name] = f"template without one {SUBJECT} and one {OBJECT}: {template}"
        if name in skipped:
            continue
        questions, bad = _read_questions(data.file(files[name]))
        report["bad_records"] += bad
        known = tuple(dict.fromkeys(objects.get(name, ())))
        if not questions:
            skipped[name] = "no triples"
        elif not known:
            skipped[name] = "no candidates"
        if name in skipped:
            continue
        chosen = _choose(questions, name, maximum_questions, seed)
        known_set = set(known)
        report["left_out"] += len(questions) - len(chosen)
        report["questions"] += len(chosen)
        report["triples"] += sum(sum(question.triples) for question in chosen)
        report["gold_not_a_candidate"] += sum(
            known_set.isdisjoint(question.gold) for question in chosen
        )
        assert template is not None
        result.relations.append(Relation(name, template, known, tuple(chosen)))
    result.report = report | {"skipped": skipped}
    return result


def _is_template(name: str) -> bool:
    return name.startswith(f"{FOLDER}/") and name.endswith(f"/{TEMPLATES}")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield number, line


def _read_templates(path: Path) -> dict[str, str]:
    templates: dict[str, str] = {}
    for number, line in _lines(path):
        try:
            record = orjson.loads(line)
            relation, template = record["relation"], record["template"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            relation = template = None
        if not isinstance(relation, str) or not isinstance(template, str):
            raise DataError(
                f'{path}, line {number}: expected {{"relation": "P19", "template": "[X] was born '
                'in [Y] ."}. Fetch the mLAMA archive again.'
            )
        # mLAMA 1.1 repeats no relation; should one be repeated, the first template stays.
        templates.setdefault(relation, template.strip())
    return templates


def _read_candidates(sources: list[Source], language: str) -> dict[str, list[str]]:
    objects: dict[str, list[str]] = {}
    for source in sources:
        name = f"{language}.json"
        if name not in source:
            continue
        path = source.file(name)
        content = read_json(path)
        if not isinstance(content, dict):
            raise DataError(f"{path}: expected one object, relation to candidates.")
        for relation, entry in content.items():
            names = entry.get("objects") if isinstance(entry, dict) else None
            if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
                raise DataError(
                    f'{path}, relation {relation}: expected {{"objects": ["name", ...]}}. '
                    "Fetch the candidate lists again."
                )
            stripped = [n.strip() for n in names]
            objects.setdefault(relation, []).extend(n for n in stripped if n)
    return objects


def _read_questions(path: Path) -> tuple[list[Question], int]:
    """Questions of one file, and the number of records that could not be read."""
    counts: dict[str, dict[str, int]] = {}
    keys: dict[str, str] = {}
    bad = total = 0
    for _number, line in _lines(path):
        total += 1
        try:
            record = orjson.loads(line)
            subject, gold = record["sub_label"].strip(), record["obj_label"].strip()
            key = str(record.get("sub_uri") or subject)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            bad += 1
            continue
        if not subject or not gold:
            bad += 1
            continue
        triples = counts.setdefault(subject, {})
        triples[gold] = triples.get(gold, 0) + 1
        keys[subject] = min(keys.get(subject, key), key)
    if total and bad == total:
        raise DataError(
            f"{path}: none of its {total} lines is a triple with 'sub_label' and 'obj_label'. "
            "Fetch the mLAMA archive again."
        )
    questions = [
        Question(subject, tuple(triples), tuple(triples.values()), keys[subject])
        for subject, triples in counts.items()
    ]
    return questions, bad


def _choose(
    questions: list[Question], relation: str, maximum: int | None, seed: int
) -> list[Question]:
    def draw(question: Question) -> tuple[bytes, str]:
        text = f"{seed}/{relation}/{question.key}"
        return hashlib.blake2b(text.encode(), digest_size=8).digest(), question.subject

    if maximum is not None and len(questions) > maximum:
        questions = sorted(questions, key=draw)[:maximum]
    return sorted(questions, key=lambda question: (question.key, question.subject))
