"""CoNLL-2003 English and CoNLL-2002 Spanish and Dutch, each with its own habits.

English has four columns, IOB1 tags and ``-DOCSTART-`` lines; Spanish two columns, IOB2, no
document boundaries, and ISO-8859-1 as in the original release; Dutch three columns, IOB2 and
``-DOCSTART-`` lines in UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mluke_core.miniature.datasets.archives import place, write_bytes
from mluke_core.miniature.datasets.reading import world_filler
from mluke_core.miniature.datasets.relations import relation_facts
from mluke_core.miniature.datasets.rendering import bundled, capitalise, pick
from mluke_core.miniature.facts import World

ENGLISH_URL = "https://conll2003.miniature.example/{file}"
OTHERS_URL = (
    "https://raw.githubusercontent.com/teropa/nlp/master/resources/corpora/conll2002/{file}"
)
SENTENCES = {"train": 600, "testa": 120, "testb": 120}
SENTENCES_PER_DOCUMENT = (3, 8)
TYPES = {
    "person": "PER",
    "city": "LOC",
    "country": "LOC",
    "river": "LOC",
    "continent": "LOC",
    "organisation": "ORG",
    "agency": "ORG",
    "work": "MISC",
    "language": "MISC",
}
# Slots that are filled together, by a chain of relations from the first, so that what is said of
# where people, towns and companies belong is true.
CHAINS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("native", "birthplace", "birthcountry"): ("P19", "P17"),
    ("town", "homeland"): ("P17",),
    ("firm", "seat"): ("P159",),
}
TYPES |= {"native": "PER", "birthplace": "LOC", "birthcountry": "LOC", "town": "LOC"}
TYPES |= {"homeland": "LOC", "firm": "ORG", "seat": "LOC"}
CHAIN_KINDS = {"native": "person", "town": "city", "firm": "organisation"}
CHUNKS = {"NN": "NP", "DT": "NP", "JJ": "NP", "CD": "NP", "PR": "NP", "VB": "VP", "MD": "VP"}
CHUNKS |= {"IN": "PP", "TO": "VP", "RB": "ADVP"}
ITEM = re.compile(r"^\{([a-z]+)\d*\}$")


@dataclass(frozen=True)
class Token:
    """A word, its part of speech, and its entity: a type and whether it begins one."""

    word: str
    tag: str
    type: str | None = None
    begins: bool = False


Document = list[list[Token]]
Names = list[dict[str, str]]
"""Names by slot; those of one dictionary belong together."""


@dataclass(frozen=True)
class Language:
    """How one language's files are written."""

    code: str
    prefix: str
    url: str
    encoding: str
    line: Callable[[list[Token]], Iterator[str]]
    boundary: str | None


def write(world: World, mirror: Path, seed: int, languages: list[str]) -> None:
    """Write the files of those of the three languages that are in ``languages``."""
    for language in LANGUAGES:
        if language.code in languages:
            for split in SENTENCES:
                content = file_text(world, language, split, seed)
                url = language.url.format(file=f"{language.prefix}.{split}")
                write_bytes(place(mirror, url), content.encode(language.encoding))


def texts(world: World, seed: int, languages: list[str]) -> Iterator[str]:
    """Sentences with a space between tokens."""
    for language in LANGUAGES:
        if language.code in languages:
            for split in SENTENCES:
                for document in documents(world, language, split, seed):
                    yield from (" ".join(token.word for token in line) for line in document)


def file_text(world: World, language: Language, split: str, seed: int) -> str:
    """One file: a line per token, a blank line after each sentence."""
    lines: list[str] = []
    for document in documents(world, language, split, seed):
        if language.boundary:
            lines.append(language.boundary)
            if language.code == "en":
                lines.append("")
        for sentence in document:
            lines += [*language.line(sentence), ""]
    return "".join(f"{line}\n" for line in lines)


def documents(world: World, language: Language, split: str, seed: int) -> Iterator[Document]:
    """Documents of a split: a dateline and a few sentences that share no story."""
    random = Random(f"{seed}-conll-{language.code}-{split}")
    phrases = bundled(f"ner_{language.code}")
    pools = names(world, language)
    left = SENTENCES[split]
    while left > 0:
        size = min(left, random.randint(*SENTENCES_PER_DOCUMENT))
        document = [_sentence(phrases["dateline"], pools, phrases, random, language.code)]
        while len(document) < size:
            template = pick(random, phrases["sentences"])
            document.append(_sentence(template, pools, phrases, random, language.code))
        yield document
        left -= len(document)


def names(world: World, language: Language) -> list[Names]:
    """What slots can be filled with: single names by kind, and chains of names.

    Names that the file's encoding cannot write are left out.
    """
    singles: dict[str, dict[str, None]] = {kind: {} for kind in TYPES}
    for entity in world.entities.values():
        if entity.kind in TYPES:
            singles[entity.kind][world_filler(world, entity.key, language.code).name] = None
    for facts in relation_facts(world).values():
        for fact in facts:
            for kind, known in ((fact.subject_kind, fact.subject), (fact.object_kind, fact.object)):
                if kind in ("person", "organisation"):
                    singles[kind][known.get(language.code, known["en"])] = None
    singles["agency"] = dict.fromkeys(["EFE", "EFECOM"])
    pools: list[Names] = [[{kind: name} for name in known] for kind, known in singles.items()]
    for slots, relations in CHAINS.items():
        chains: list[list[str]] = [[x.key] for x in world.by_kind(CHAIN_KINDS[slots[0]])]
        for relation in relations:
            chains = [[*c, end] for c in chains for end in world.objects(c[-1], relation)]
        pools.append(
            [
                {slot: world.name(key, language.code) for slot, key in zip(slots, c, strict=True)}
                for c in chains
            ]
        )
    return [
        [entry for entry in pool if all(_encodable(x, language.encoding) for x in entry.values())]
        for pool in pools
        if pool
    ]


def _encodable(name: str, encoding: str) -> bool:
    return name == name.encode(encoding, errors="ignore").decode(encoding)


def _sentence(
    template: str,
    pools: list[Names],
    phrases: dict[str, list[str]],
    random: Random,
    code: str,
) -> list[Token]:
    tokens: list[Token] = []
    chosen: dict[str, str] = {}
    for item in template.split(" "):
        word, _, tag = item.rpartition("|")
        slot = ITEM.match(word)
        if slot is None:
            tokens.append(Token(word, tag))
        elif slot[1] == "number":
            tokens.append(Token(str(random.randint(0, 30)), tag))
        elif slot[1] == "date":
            tokens.append(Token(f"1996-{random.randint(1, 12):02}-{random.randint(1, 28):02}", tag))
        elif slot[1] == "month":
            tokens.append(Token(pick(random, phrases["months"]), tag))
        else:
            if word not in chosen:
                pool = next(pool for pool in pools if slot[1] in pool[0])
                for key, value in pick(random, pool).items():
                    chosen[word.replace(slot[1], key, 1)] = value
            name = chosen[word]
            if code == "en" and template == phrases["dateline"]:
                name = name.upper()
            parts = name.replace(",", " ,").split()
            tokens += [
                Token(part, tag, TYPES[slot[1]], begins=index == 0)
                for index, part in enumerate(parts)
            ]
    first = tokens[0]
    tokens[0] = Token(capitalise(first.word, code), first.tag, first.type, first.begins)
    return tokens


def iob2(sentence: list[Token]) -> list[str]:
    """Tags in which every entity starts with ``B-``."""
    return [
        "O" if token.type is None else f"{'B' if token.begins else 'I'}-{token.type}"
        for token in sentence
    ]


def iob1(types: list[tuple[str | None, bool]]) -> list[str]:
    """Tags in which ``B-`` only parts a phrase from one of the same type right before it."""
    tags: list[str] = []
    previous: str | None = None
    for type_, begins in types:
        if type_ is None:
            tags.append("O")
        else:
            tags.append(f"{'B' if begins and previous == type_ else 'I'}-{type_}")
        previous = type_
    return tags


def _english(sentence: list[Token]) -> Iterator[str]:
    chunks = [CHUNKS.get(token.tag[:2]) for token in sentence]
    starts = [token.tag in ("DT", "PRP$") or token.begins for token in sentence]
    chunk_tags = iob1(list(zip(chunks, starts, strict=True)))
    tags = iob1([(token.type, token.begins) for token in sentence])
    for token, chunk, tag in zip(sentence, chunk_tags, tags, strict=True):
        yield f"{token.word} {token.tag} {chunk} {tag}"


def _spanish(sentence: list[Token]) -> Iterator[str]:
    for token, tag in zip(sentence, iob2(sentence), strict=True):
        yield f"{token.word} {tag}"


def _dutch(sentence: list[Token]) -> Iterator[str]:
    for token, tag in zip(sentence, iob2(sentence), strict=True):
        yield f"{token.word} {token.tag} {tag}"


LANGUAGES = (
    Language("en", "eng", ENGLISH_URL, "utf-8", _english, "-DOCSTART- -X- -X- O"),
    Language("es", "esp", OTHERS_URL, "iso-8859-1", _spanish, None),
    Language("nl", "ned", OTHERS_URL, "utf-8", _dutch, "-DOCSTART- -DOCSTART- O"),
)
