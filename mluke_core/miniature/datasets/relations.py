"""KBP-37 in English, and RELX: part of its test set in several languages.

As in the originals, RELX items keep the ids of KBP-37 test items; each language has labels of its
own, because a translation can turn the order of the two names around; KBP-37 is tokenized and has
no commas; tags are not always set off by spaces; one item of each lost its first name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from mluke_core.miniature.datasets.archives import place, write_bytes
from mluke_core.miniature.datasets.rendering import (
    Filler,
    Sentence,
    bundled,
    capitalise,
    fill,
    pick,
    slot_order,
)
from mluke_core.miniature.facts import World

KBP37_URL = "https://raw.githubusercontent.com/zhangdongxu/kbp37/master/{split}.txt"
RELX_URL = (
    "https://raw.githubusercontent.com/boun-tabi/RELX/master/Datasets/RELX/RELX_{language}.txt"
)
LANGUAGES = ("en", "fr", "de", "es", "tr")
SIZES = {"train": 1500, "dev": 200, "test": 100}
NO_RELATION = "no_relation"
NO_RELATION_SHARE = 0.09
ADJUNCT_SHARE = 0.35
# Share of the test items whose order a translation turns around.
FLIPPED_SHARE = {"tr": 0.25, "de": 0.05, "es": 0.03, "fr": 0.02}
# Each relation's facts are dealt out to the splits: of every ten, seven, one and two.
DEAL = ("train", "test", "train", "train", "dev", "train", "train", "test", "train", "train")

# Relations of the world that say what a KBP-37 relation says; True: the other way around.
FROM_WORLD = (
    ("P159", "org:city_of_headquarters", False),
    ("P112", "org:founded_by", False),
    ("P463", "org:members", True),
    ("P127", "org:subsidiaries", True),
    ("P108", "per:employee_of", False),
    ("P937", "per:cities_of_residence", False),
    ("P26", "per:spouse", False),
    ("P27", "per:origin", False),
    ("P106", "per:title", False),
)


@dataclass(frozen=True)
class RelationFact:
    """Two names by language with the kinds of what they name."""

    subject: dict[str, str]
    object: dict[str, str]
    subject_kind: str
    object_kind: str


@dataclass(frozen=True)
class Item:
    """One sentence to be: a fact, the order of its names in English, and the random wording."""

    id: int
    relation: str
    fact: RelationFact
    subject_first: bool
    wording: int
    lead: int | None
    trail: int | None
    empty: bool = False


def write(world: World, mirror: Path, seed: int, languages: list[str]) -> None:
    """Write KBP-37, and RELX for those of its languages that are in ``languages``."""
    items = plan(world, seed)
    for split, split_items in items.items():
        text = "".join(kbp37_record(item) for item in split_items)
        if split == "train":
            # One label of the original has a space behind it.
            text = text.replace("org:alternate_names(e2,e1)\n", "org:alternate_names(e2,e1) \n", 1)
        write_bytes(place(mirror, KBP37_URL.format(split=split)), text.encode())
    for language in LANGUAGES:
        if language in languages:
            text = "".join(relx_record(item, language, seed) for item in items["test"])
            write_bytes(place(mirror, RELX_URL.format(language=language)), text.encode())


def texts(world: World, seed: int, languages: list[str]) -> Iterator[str]:
    """Sentences without tags."""
    items = plan(world, seed)
    for split_items in items.values():
        for item in split_items:
            yield _sentence(item, "en", item.subject_first)[0].text
    for item in items["test"]:
        for language in LANGUAGES[1:]:
            if language in languages:
                yield _sentence(item, language, _order(item, language, seed))[0].text


def relation_facts(world: World) -> dict[str, list[RelationFact]]:
    """Facts of the 18 relations: the bundled ones, then those of the world, without repetition."""
    bundle = bundled("relation_facts")
    names = bundle["names"]
    kinds = bundle["kinds"]
    facts: dict[str, dict[tuple[str, str], RelationFact]] = {}
    for relation, pairs in bundle["facts"].items():
        known = facts.setdefault(relation, {})
        for subject, object_ in pairs:
            known[subject, object_] = RelationFact(
                _names(subject, names), _names(object_, names), *kinds[relation]
            )
    for relation, label, swapped in FROM_WORLD:
        for fact in world.by_relation(relation):
            first, second = (fact.subject, fact.object)[:: -1 if swapped else 1]
            subject, object_ = world.entities[first], world.entities[second]
            if (subject.kind, object_.kind) == tuple(kinds[label]):
                pair = (subject.names["en"], object_.names["en"])
                found = RelationFact(subject.names, object_.names, subject.kind, object_.kind)
                facts[label].setdefault(pair, found)
    return {relation: list(known.values()) for relation, known in facts.items()}


def _names(english: str, names: dict[str, dict[str, str]]) -> dict[str, str]:
    return {x: names.get(english, {}).get(x, english) for x in LANGUAGES}


def plan(world: World, seed: int) -> dict[str, list[Item]]:
    """Items of each split; every relation and direction is in each, no fact is in two."""
    random = Random(f"{seed}-relations")
    pools: dict[str, dict[str, list[RelationFact]]] = {split: {} for split in SIZES}
    for relation, facts in relation_facts(world).items():
        random.shuffle(facts)
        for index, fact in enumerate(facts):
            pools[DEAL[index % len(DEAL)]].setdefault(relation, []).append(fact)
    items: dict[str, list[Item]] = {}
    identifier = 0
    for split, size in SIZES.items():
        items[split] = []
        directed = [(relation, first) for relation in pools[split] for first in (True, False)]
        unrelated = round(size * NO_RELATION_SHARE)
        for index in range(size):
            if index < unrelated:
                relation, first = NO_RELATION, True
                fact = _unrelated(pools[split], random)
            else:
                relation, first = directed[(index - unrelated) % len(directed)]
                # Each round over the labels takes the next facts: all are used before any twice.
                turn = (index - unrelated) // len(directed) * 2 + (0 if first else 1)
                pool = pools[split][relation]
                fact = pool[turn % len(pool)]
            item = Item(
                id=0,
                relation=relation,
                fact=fact,
                subject_first=first,
                wording=random.randrange(60),
                lead=random.randrange(60) if random.random() < ADJUNCT_SHARE else None,
                trail=random.randrange(60) if random.random() < ADJUNCT_SHARE else None,
            )
            items[split].append(item)
        random.shuffle(items[split])
        empty = random.randrange(size)
        for index, item in enumerate(items[split]):
            identifier += random.randrange(1, 4)  # ids have gaps, as in the original
            is_empty = index == empty and split != "dev"
            items[split][index] = replace(item, id=identifier, empty=is_empty)
    return items


def _unrelated(pool: dict[str, list[RelationFact]], random: Random) -> RelationFact:
    """Two names from different facts of different relations."""
    first, second = random.sample(sorted(pool), 2)
    one, other = pick(random, pool[first]), pick(random, pool[second])
    return RelationFact(one.subject, other.object, one.subject_kind, other.object_kind)


def _order(item: Item, language: str, seed: int) -> bool:
    """Whether the subject stands first in ``language``."""
    if item.relation == NO_RELATION:
        return True
    flipped = Random(f"{seed}-{item.id}-{language}").random() < FLIPPED_SHARE.get(language, 0.0)
    return item.subject_first != flipped


def _sentence(item: Item, language: str, subject_first: bool) -> tuple[Sentence, str]:
    """The sentence with its adjuncts, and its label."""
    phrases = bundled(f"relations_{language}")
    order = ["s", "o"] if subject_first else ["o", "s"]
    fitting = [x for x in phrases[item.relation] if slot_order(x) == order]
    template = pick_wording(fitting, item.wording)
    if item.lead is not None:
        lead = pick_wording(phrases["lead"], item.lead)
        template = f"{lead}{',' if language == 'en' else ''} {template}"
    if item.trail is not None:
        template = f"{template}, {pick_wording(phrases['trail'], item.trail)}"
    fact = item.fact
    subject = Filler(fact.subject[language], fact.subject_kind)
    sentence = fill(
        template, language, {"s": subject, "o": Filler(fact.object[language], fact.object_kind)}
    )
    direction = "" if item.relation == NO_RELATION else "(e1,e2)" if subject_first else "(e2,e1)"
    return sentence, item.relation + direction


def pick_wording(values: list[str], index: int) -> str:
    """The wording with this index, modulo their number."""
    return values[index % len(values)]


def tagged(sentence: Sentence, empty: bool) -> str:
    """The text with ``<e1>`` and ``<e2>`` around the names in order; ``empty`` drops the first."""
    spans = sorted(sentence.spans.values())
    pieces, position = [], 0
    for number, (start, end) in enumerate(spans, start=1):
        name = "" if empty and number == 1 else f"{sentence.text[start:end]} "
        pieces += [sentence.text[position:start], f"<e{number}> {name}</e{number}>"]
        position = end
    return "".join([*pieces, sentence.text[position:]])


def kbp37_record(item: Item) -> str:
    """The item as KBP-37 writes it: spaces around everything, no commas."""
    sentence, label = _sentence(item, "en", item.subject_first)
    text = tagged(sentence, item.empty).replace(",", "")
    return f'{item.id}\t" {text} . "\n{label}\n\n\n'


def relx_record(item: Item, language: str, seed: int) -> str:
    """The item as RELX writes it in ``language``."""
    sentence, label = _sentence(item, language, _order(item, language, seed))
    text = tagged(sentence, item.empty)
    # Some German and French items of the original have no space inside the tags.
    if language in ("de", "fr") and item.wording % 12 == 0:
        text = text.replace("<e2> ", "<e2>").replace(" </e2>", "</e2>")
    return f'{item.id}\t"{capitalise(text, language)}."\n{label}\n\n\n'
