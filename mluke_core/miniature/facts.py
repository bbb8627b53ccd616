"""The facts of the miniature world: entities with their names in nine languages, and relations.

The tables in ``data/`` were written for this project. What they state is true of the real world
with two simplifications: citizenship is the present-day country, and a list (of a river's
countries, a person's occupations) may leave some out. Wikidata ids are the real ones up to
900,000,000; above that they are invented, because the real id was not at hand.

Relations carry Wikidata's property ids, so that they can be read as mLAMA reads them.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from mluke_core.errors import DataError
from mluke_core.miniature.tables import read_table

LANGUAGES = ("ar", "de", "en", "es", "fr", "ja", "nl", "tr", "zh")

FIRST_INVENTED_QID = 900_000_001

RELATIONS: dict[str, str] = {
    "P17": "country",
    "P19": "place of birth",
    "P20": "place of death",
    "P26": "spouse",
    "P27": "country of citizenship",
    "P30": "continent",
    "P36": "capital",
    "P37": "official language",
    "P47": "shares border with",
    "P50": "author",
    "P57": "director",
    "P86": "composer",
    "P103": "native language",
    "P106": "occupation",
    "P108": "employer",
    "P112": "founded by",
    "P127": "owned by",
    "P159": "headquarters location",
    "P170": "creator",
    "P206": "located next to body of water",
    "P364": "original language of a film or opera",
    "P407": "language of a book",
    "P463": "member of",
    "P495": "country of origin",
    "P740": "location of formation",
    "P937": "work location",
    "P1376": "capital of",
}

VALUES: dict[str, str] = {
    "P569": "year of birth",
    "P570": "year of death",
    "P571": "year of foundation",
    "P577": "year of publication",
    "P2043": "length in kilometres",
}

# The kind of the entities of each table, in the order in which entities are listed.
_TABLES = {
    "continents": "continent",
    "languages": "language",
    "occupations": "occupation",
    "countries": "country",
    "cities": "city",
    "rivers": "river",
    "people": "person",
    "works": "work",
    "organisations": "organisation",
}

# (table, column) -> relation from the row's entity to each key of the `;`-separated cell.
_COLUMN_RELATIONS = {
    ("countries", "continent"): "P30",
    ("countries", "capital"): "P36",
    ("countries", "languages"): "P37",
    ("countries", "borders"): "P47",
    ("countries", "members"): "P463",
    ("cities", "country"): "P17",
    ("cities", "river"): "P206",
    ("rivers", "countries"): "P17",
    ("people", "born"): "P19",
    ("people", "died"): "P20",
    ("people", "citizenship"): "P27",
    ("people", "occupations"): "P106",
    ("people", "native"): "P103",
    ("people", "worked"): "P937",
    ("people", "employer"): "P108",
    ("people", "spouse"): "P26",
    ("works", "country"): "P495",
    ("organisations", "country"): "P17",
    ("organisations", "headquarters"): "P159",
    ("organisations", "formed"): "P740",
    ("organisations", "founders"): "P112",
    ("organisations", "owner"): "P127",
}

_COLUMN_VALUES = {
    ("rivers", "length"): "P2043",
    ("people", "birth"): "P569",
    ("people", "death"): "P570",
    ("works", "year"): "P577",
    ("organisations", "year"): "P571",
}

# Both directions of these relations are facts.
_INVERSES = {"P47": "P47", "P26": "P26", "P36": "P1376"}


@dataclass(frozen=True)
class Entity:
    """One thing of the miniature world."""

    key: str
    """Name of the entity in this project: the English name in small ASCII letters and ``_``."""
    qid: int
    """Wikidata id, without the Q."""
    kind: str
    """continent, language, occupation, country, city, river, person, work or organisation."""
    names: dict[str, str]
    """Name within a sentence, by language; unique among the entities of its kind."""
    aliases: dict[str, list[str]] = field(default_factory=dict)
    """Other names, by language; each is a redirect to the entity's article."""
    titles: dict[str, str] = field(default_factory=dict)
    """Title of the article, by language; unique in the language. The name with a capital, as a
    rule; a name that several articles could claim has an addition in brackets."""
    values: dict[str, int] = field(default_factory=dict)
    """Numbers by property id, see :data:`VALUES`."""
    female: bool = False
    """Whether a person is a woman (for the grammar of sentences)."""


@dataclass(frozen=True, order=True)
class Fact:
    """``subject`` stands in ``relation`` to ``object``; both ends are keys of entities."""

    subject: str
    relation: str
    object: str


class World:
    """All entities and facts, with look-ups. Iteration order is the order of the tables."""

    def __init__(self, entities: Iterable[Entity], facts: Iterable[Fact]) -> None:
        self.entities: dict[str, Entity] = {entity.key: entity for entity in entities}
        self.facts: list[Fact] = list(facts)

    @cached_property
    def _objects(self) -> dict[tuple[str, str], list[str]]:
        objects = defaultdict(list)
        for fact in self.facts:
            objects[fact.subject, fact.relation].append(fact.object)
        return dict(objects)

    @cached_property
    def _subjects(self) -> dict[tuple[str, str], list[str]]:
        subjects = defaultdict(list)
        for fact in self.facts:
            subjects[fact.relation, fact.object].append(fact.subject)
        return dict(subjects)

    @cached_property
    def _by_subject(self) -> dict[str, list[Fact]]:
        facts = defaultdict(list)
        for fact in self.facts:
            facts[fact.subject].append(fact)
        return dict(facts)

    @cached_property
    def _by_object(self) -> dict[str, list[Fact]]:
        facts = defaultdict(list)
        for fact in self.facts:
            facts[fact.object].append(fact)
        return dict(facts)

    def objects(self, subject: str, relation: str) -> list[str]:
        """Keys of all objects of ``subject`` under ``relation``; empty when there is none."""
        return list(self._objects.get((subject, relation), ()))

    def subjects(self, relation: str, object: str) -> list[str]:
        """Keys of all subjects that stand in ``relation`` to ``object``."""
        return list(self._subjects.get((relation, object), ()))

    def facts_of(self, subject: str) -> list[Fact]:
        """All facts with this subject, in order."""
        return list(self._by_subject.get(subject, ()))

    def facts_about(self, object: str) -> list[Fact]:
        """All facts with this object, in order."""
        return list(self._by_object.get(object, ()))

    def by_kind(self, kind: str) -> list[Entity]:
        """All entities of one kind, in order."""
        return [entity for entity in self.entities.values() if entity.kind == kind]

    def by_relation(self, relation: str) -> list[Fact]:
        """All facts of one relation, in order."""
        return [fact for fact in self.facts if fact.relation == relation]

    def name(self, key: str, language: str) -> str:
        """Name of the entity ``key`` in ``language``."""
        return self.entities[key].names[language]

    def title(self, key: str, language: str) -> str:
        """Title of the article on ``key`` in ``language``."""
        return self.entities[key].titles[language]


def capitalize_first(text: str, language: str) -> str:
    """``text`` with its first letter as a title has it; Turkish turns ``i`` into ``İ``.

    >>> capitalize_first("istanbul", "tr"), capitalize_first("istanbul", "en")
    ('İstanbul', 'Istanbul')
    """
    if not text:
        return text
    first = "İ" if language == "tr" and text[0] == "i" else text[0].upper()
    return first + text[1:] if len(first) == 1 else text


def entity_key(name: str) -> str:
    """Key of an entity from its English name.

    >>> entity_key("Iğdır"), entity_key("Washington, D.C.")
    ('igdir', 'washington_d_c')
    """
    plain = unicodedata.normalize("NFKD", name.replace("ı", "i").replace("ł", "l"))
    letters = [
        c.lower() if c.isascii() and c.isalnum() else " "
        for c in plain
        if c.isprintable() and not unicodedata.combining(c)
    ]
    return "_".join("".join(letters).split())


def load_world() -> World:
    """Read the tables of the package; :class:`DataError` names table and row of a mistake."""
    rows = {table: read_table(table) for table in _TABLES}
    aliases: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in read_table("aliases"):
        aliases[row["key"], row["language"]].append(row["alias"])
    titles = {(row["key"], row["language"]): row["title"] for row in read_table("titles")}
    entities = [_entity(table, row, aliases, titles) for table in _TABLES for row in rows[table]]
    keys = {entity.key for entity in entities}
    if len(keys) != len(entities):
        raise DataError("mluke_core/miniature/data: two entities have the same English name.")
    for key in {key for key, _ in [*aliases, *titles]} - keys:
        raise DataError(f"mluke_core/miniature/data: aliases or titles name no entity '{key}'.")
    facts: dict[Fact, None] = {}  # an ordered set
    for table in _TABLES:
        for row in rows[table]:
            for fact in _facts(table, row):
                for key in (fact.subject, fact.object):
                    if key not in keys:
                        raise DataError(
                            f"mluke_core/miniature/data/{table}.tsv: row '{row['en']}' names "
                            f"'{key}', which is no entity."
                        )
                facts[fact] = None
                if fact.relation in _INVERSES:
                    facts[Fact(fact.object, _INVERSES[fact.relation], fact.subject)] = None
    return World(entities, facts)


def _entity(
    table: str,
    row: dict[str, str],
    aliases: dict[tuple[str, str], list[str]],
    titles: dict[tuple[str, str], str],
) -> Entity:
    key = entity_key(row["en"])
    names = {}
    for language in LANGUAGES:
        name = row[language]
        if name == "=" or (not name and language in ("de", "es", "fr", "nl")):
            name = row["en"]
        if not name:
            raise DataError(
                f"mluke_core/miniature/data/{table}.tsv: '{row['en']}' has no name in {language}."
            )
        names[language] = name
    return Entity(
        key=key,
        qid=int(row["qid"]),
        kind=_TABLES[table],
        names=names,
        aliases={x: aliases[key, x] for x in LANGUAGES if (key, x) in aliases},
        titles={x: titles.get((key, x)) or capitalize_first(names[x], x) for x in LANGUAGES},
        values={
            value: int(row[column])
            for (owner, column), value in _COLUMN_VALUES.items()
            if owner == table and row[column]
        },
        female=row.get("gender") == "f",
    )


def _facts(table: str, row: dict[str, str]) -> Iterable[Fact]:
    subject = entity_key(row["en"])
    for (owner, column), relation in _COLUMN_RELATIONS.items():
        if owner == table and row[column]:
            for object_key in row[column].split(";"):
                yield Fact(subject, relation, object_key)
    if table == "works":
        yield Fact(subject, row["relation"], row["creator"])
        if row["language"]:
            yield Fact(subject, "P407" if row["relation"] == "P50" else "P364", row["language"])
