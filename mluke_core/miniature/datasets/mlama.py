"""mLAMA 1.1: facts and templates by language in one archive, and the candidate lists beside it.

T-REx relations carry Wikidata ids. The two Google-RE relations carry Freebase ids in the original;
here these are made from the Wikidata ids, because nothing reads them but as a string.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from mluke_core.miniature.datasets.archives import (
    json_bytes,
    json_lines,
    place,
    write_bytes,
    write_zip,
)
from mluke_core.miniature.datasets.rendering import bundled
from mluke_core.miniature.facts import Fact, World

ARCHIVE_URL = "https://cistern.cis.lmu.de/mlama/mlama1.1.zip"
CANDIDATES_URL = (
    "https://raw.githubusercontent.com/norakassner/mlama/master/data/{folder}/{language}.json"
)
LANGUAGES = ("ar", "de", "en", "es", "fr", "ja", "nl", "tr", "zh")

TREX = (
    "P17", "P19", "P20", "P27", "P30", "P36", "P37", "P47", "P103", "P106", "P108", "P127", "P159",
    "P364", "P407", "P463", "P495", "P740", "P937", "P1376",
)  # fmt: skip
GOOGLE_RE = {"place_of_birth": "P19", "place_of_death": "P20"}
FACTS_PER_RELATION = 12
# The relation whose wrong answers are counted (Table 6) has more.
MORE_FACTS = {"P740": 30}
# Every 15th fact of a relation is missing in a language, another one in each.
MISSING_EVERY = 15


def write(world: World, mirror: Path, seed: int, languages: list[str]) -> None:
    """Write the archive and both candidate lists for those of ``languages`` that mLAMA has."""
    members: dict[str, bytes] = {}
    for language in present(languages):
        for relation in (*TREX, *GOOGLE_RE):
            rows = facts(world, relation, language, seed)
            members[f"mlama1.1/{language}/{relation}.jsonl"] = json_lines(rows)
        members[f"mlama1.1/{language}/date_of_birth.jsonl"] = b""
        members[f"mlama1.1/{language}/templates.jsonl"] = json_lines(templates(language))
        for folder, value in (
            ("TREx_multilingual_objects", _trex_candidates(world, language)),
            ("GoogleRE_objects", _google_re_candidates(world, language)),
        ):
            url = CANDIDATES_URL.format(folder=folder, language=language)
            write_bytes(place(mirror, url), json_bytes(value))
    write_zip(place(mirror, ARCHIVE_URL), members)


def texts(world: World, seed: int, languages: list[str]) -> Iterator[str]:
    """Every fact in the words of its template."""
    for language in present(languages):
        wording = {row["relation"]: row["template"] for row in templates(language)}
        for relation in TREX:
            for row in facts(world, relation, language, seed):
                text = wording[relation].replace("[X]", row["sub_label"])
                yield text.replace("[Y]", row["obj_label"])


def present(languages: list[str]) -> list[str]:
    """mLAMA's languages among ``languages``."""
    return [language for language in LANGUAGES if language in languages]


def templates(language: str) -> list[dict[str, str]]:
    """The templates of a language; the subject is ``[X]``, the object ``[Y]``."""
    wording = bundled("mlama_templates")[language]
    return [{"relation": relation, "template": wording[relation]} for relation in wording]


def chosen_facts(world: World, relation: str, seed: int) -> list[Fact]:
    """The facts of a relation that mLAMA asks for, the same in every language."""
    pool = world.by_relation(GOOGLE_RE.get(relation, relation))
    number = MORE_FACTS.get(relation, FACTS_PER_RELATION)
    return Random(f"{seed}-mlama-{relation}").sample(pool, min(number, len(pool)))


def facts(world: World, relation: str, language: str, seed: int) -> list[dict[str, Any]]:
    """The rows of one relation's file."""
    offset = LANGUAGES.index(language)
    rows = []
    for line, fact in enumerate(chosen_facts(world, relation, seed)):
        if language != "en" and line % MISSING_EVERY == offset:
            continue
        subject, object_ = world.entities[fact.subject], world.entities[fact.object]
        labels = {"sub_label": subject.names[language], "obj_label": object_.names[language]}
        rest = {
            "lineid": line,
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{relation} {fact.subject} {fact.object}")),
        }
        if relation in GOOGLE_RE:
            uris = {"sub_uri": _freebase(subject.qid), "obj_uri": _freebase(object_.qid)}
            rows.append({**labels, **uris, **rest})
        else:
            uris = {"sub_uri": f"Q{subject.qid}", "obj_uri": f"Q{object_.qid}"}
            rows.append({**uris, **dict(reversed(labels.items())), **rest})
    return rows


def _freebase(qid: int) -> str:
    """A string of the form of a Freebase id.

    >>> _freebase(937)
    '/m/0y9'
    """
    letters = "0123456789bcdfghjklmnpqrstvwxyz_"
    digits = ""
    while qid:
        qid, digit = divmod(qid, len(letters))
        digits = letters[digit] + digits
    return f"/m/0{digits}"


def _trex_candidates(world: World, language: str) -> dict[str, dict[str, list[str]]]:
    """All names that a relation knows, sorted, each once."""
    lists = {}
    for relation in TREX:
        pool = world.by_relation(relation)
        lists[relation] = {
            "subjects": sorted({world.name(fact.subject, language) for fact in pool}),
            "objects": sorted({world.name(fact.object, language) for fact in pool}),
        }
    return lists


def _google_re_candidates(world: World, language: str) -> dict[str, dict[str, list[str]]]:
    """One name per fact, in the order of the facts and so with repetitions, as in the original."""
    lists: dict[str, dict[str, list[str]]] = {"date_of_birth": {"objects": [], "subjects": []}}
    for relation, property_id in GOOGLE_RE.items():
        pool = world.by_relation(property_id)
        lists[relation] = {
            "objects": [world.name(fact.object, language) for fact in pool],
            "subjects": [world.name(fact.subject, language) for fact in pool],
        }
    return lists
