"""One article of the encyclopaedia: what it says and with what markup."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mluke_core.miniature.facts import Entity, Fact, World
from mluke_core.miniature.grammar import Phrase
from mluke_core.miniature.links import LinkWriter
from mluke_core.miniature.sentences import SentenceWriter
from mluke_core.miniature.tables import labels, namespaces
from mluke_core.miniature.wikitext import Document, Line

SENTENCES_PER_PARAGRAPH = 4
INVERSE_SENTENCES = 10
"""At most so many sentences about facts in which the entity is the object."""
NEIGHBOUR_SENTENCES = 11
"""At most so many sentences about the entities named before."""

# Lists under a heading: kind of the entity -> (heading, relation, whether the entity is the
# relation's object).
_LISTS = {
    "country": (("neighbours", "P47", False), ("cities", "P17", True)),
    "city": (("people", "P19", True),),
    "language": (("countries", "P37", True),),
    "occupation": (("people", "P106", True),),
    "continent": (("countries", "P30", True),),
    "river": (("cities", "P206", True),),
    "person": (("works", "P50", True),),
}
_LIST_LENGTH = 8

# Facts that everybody has in plenty are told in the entity's list rather than one by one.
_FACT_LIMIT = {"P47": 3, "P17": 4, "P37": 3}


class ArticleWriter:
    """Writes the articles of one language.

    Args:
        world: the facts.
        language: of the articles.
    """

    def __init__(self, world: World, language: str) -> None:
        self.world = world
        self.language = language
        self.labels = labels(language)
        self.namespaces = namespaces(language)
        self.links = LinkWriter(world, language, section=self.labels["history"])
        self.sentences = SentenceWriter(world, language, self.links)

    def write(self, key: str, rng: random.Random) -> Document:
        """The article on the entity ``key``."""
        entity = self.world.entities[key]
        document = Document(self.language)
        own = self._own_facts(entity, rng)
        inverse = [fact for fact in self.world.facts_about(key) if fact.relation != "P1376"]
        rng.shuffle(inverse)
        inverse = inverse[:INVERSE_SENTENCES]
        self._top(document, entity, rng)
        self._lead(document, entity, own, rng)
        if inverse:
            document.heading(self.labels["connections"])
            self._paragraphs(document, inverse, key, rng)
        neighbours = self._neighbour_facts(entity, own + inverse, rng)
        if neighbours:
            title = "life" if entity.kind == "person" else "history"
            document.heading(self.labels[title], rng.choice((2, 2, 3)))
            self._paragraphs(document, neighbours, key, rng)
        if rng.random() < 0.25:
            document.hidden(self._table(entity))
        self._lists(document, entity, rng)
        if rng.random() < 0.3:
            self._see_also(document, entity, neighbours, rng)
        self._bottom(document, entity, rng)
        return document

    def _own_facts(self, entity: Entity, rng: random.Random) -> list[Fact]:
        own: list[Fact] = []
        counts: dict[str, int] = {}
        facts = self.world.facts_of(entity.key)
        rng.shuffle(facts)
        for fact in facts:
            counts[fact.relation] = counts.get(fact.relation, 0) + 1
            if counts[fact.relation] <= _FACT_LIMIT.get(fact.relation, 6):
                own.append(fact)
        return own

    def _neighbour_facts(
        self, entity: Entity, told: Sequence[Fact], rng: random.Random
    ) -> list[Fact]:
        """Facts of the entities that were named before, other than those already told."""
        named: dict[str, None] = {}
        for fact in told:
            for key in (fact.subject, fact.object):
                if key != entity.key:
                    named[key] = None
        seen = set(told) | {Fact(f.object, "P36", f.subject) for f in told if f.relation == "P1376"}
        facts = {
            fact: None
            for key in named
            for fact in self.world.facts_of(key)
            if fact not in seen and fact.object != entity.key and fact.relation != "P1376"
        }
        chosen = list(facts)
        rng.shuffle(chosen)
        return chosen[:NEIGHBOUR_SENTENCES]

    def _top(self, document: Document, entity: Entity, rng: random.Random) -> None:
        name = entity.names[self.language]
        template = self.namespaces[10]
        draw = rng.random()
        if draw < 0.35:
            rows = [f"| name = '''{name}'''"]
            for fact in self.world.facts_of(entity.key)[:3]:
                title = self.world.title(fact.object, self.language)
                rows.append(f"| {fact.relation} = {{{{nobr|[[{title}]]}}}}<!-- {{{{ -->")
            box = "\n".join(rows)
            document.hidden(f"{{{{{self.labels['infobox']} {entity.kind}\n{box}\n}}}}")
        elif draw < 0.5:
            document.hidden(f"{{{{{self.labels['stub']}}}}}<!-- [[{name}]] ''' -->")
        elif draw < 0.55:
            document.hidden(f"{{{{{template}:{self.labels['stub']}|1={{{{#if:|[[x]]|}}}}}}}}")
        if rng.random() < 0.4 and entity.kind in ("country", "city", "person", "river", "work"):
            document.hidden(self._file(entity, rng))
        if rng.random() < 0.05:
            document.hidden("__NOTOC__")

    def _file(self, entity: Entity, rng: random.Random) -> str:
        """An image whose caption holds links, one of them in a nested file's caption."""
        facts = self.world.facts_of(entity.key) or self.world.facts_about(entity.key)
        about = rng.choice(facts)
        other = about.object if about.subject == entity.key else about.subject
        before, _, behind = self.labels["caption"].partition("{o")
        form, _, behind = behind.partition("}")
        phrase = self.sentences.phrase(entity.key, form.removeprefix("."))
        line = Line(self.language).text(before)
        self.links.mention(line, entity.key, phrase, None, rng)
        line.text(f"{behind} (").raw(f"[[{self.world.title(other, self.language)}]]").text(")")
        namespace = rng.choice((self.namespaces[6], self.labels["file_alias"], "File"))
        thumb, right = self.labels["thumb"], self.labels["right"]
        name = entity.names["en"].replace(" ", "_").replace("'", "")
        return f"[[{namespace}:{name}.jpg|{thumb}|{right}|200px|alt={name}|{line.wikitext}]]"

    def _lead(
        self, document: Document, entity: Entity, own: list[Fact], rng: random.Random
    ) -> None:
        """Opening paragraph, with the name in bold, and the rest of the entity's own facts."""
        line = document.line()
        name = entity.names[self.language]
        bold = "'''" if not name.startswith("'") and not name.endswith("'") else ""
        years = self._years(entity)
        line.raw(bold).text(name).raw(bold)
        if years:
            line.text(" (").text(years[0])
            line.raw("&ndash;", "–").text(years[1] + ")")
        line.text("。" if self.language in ("ja", "zh") else ".")
        self.sentences.kind(line, entity.key, rng)
        first = own[: SENTENCES_PER_PARAGRAPH - 1]
        self._facts(line, first, entity.key, rng)
        for relation in entity.values:
            self.sentences.value(line, entity.key, relation, rng)
        document.paragraph(line)
        rest = own[len(first) :]
        if rest:
            self._paragraphs(document, rest, entity.key, rng)

    def _years(self, entity: Entity) -> tuple[str, str] | None:
        if "P569" not in entity.values:
            return None
        return str(entity.values["P569"]), str(entity.values.get("P570", ""))

    def _paragraphs(
        self, document: Document, facts: Sequence[Fact], key: str, rng: random.Random
    ) -> None:
        for start in range(0, len(facts), SENTENCES_PER_PARAGRAPH):
            line = document.line()
            self._facts(line, facts[start : start + SENTENCES_PER_PARAGRAPH], key, rng)
            document.paragraph(line)

    def _facts(self, line: Line, facts: Sequence[Fact], key: str, rng: random.Random) -> None:
        """Sentences for ``facts``, with notes and other things that are no text in between."""
        for fact in facts:
            self.sentences.fact(line, fact, key, rng)
            draw = rng.random()
            if draw < 0.10:
                line.raw(self._note(fact, rng))
            elif draw < 0.13:
                line.raw(f"<!-- [[{fact.relation}]] -->")
            elif draw < 0.16:
                line.raw("{{" + self.labels["cite"] + "|id=" + fact.relation + "}}")
            elif draw < 0.17:
                line.raw("<br />", " ")
            elif draw < 0.18:
                line.raw("&nbsp;", " ")
            elif draw < 0.185:
                line.raw("<math>\\frac{1}{x_{[2]}}</math>")

    def _note(self, fact: Fact, rng: random.Random) -> str:
        title = self.world.title(fact.object, self.language)
        cite = self.labels["cite"]
        return rng.choice(
            (
                f"<ref>{{{{{cite}|title=[[{title}]] &amp; {fact.relation}|pages=1–2}}}}</ref>",
                f'<ref name="{fact.relation}">[https://www.example.org/{fact.relation} '
                f"{title}], [[{title}]].</ref>",
                f'<ref name="{fact.relation}" />',
                f"{{{{sfn|{title}|p=1}}}}",
            )
        )

    def _table(self, entity: Entity) -> str:
        rows = []
        for fact in self.world.facts_of(entity.key)[:4]:
            title = self.world.title(fact.object, self.language)
            rows.append(f'|-\n| {fact.relation} || [[{title}]]\n| style="x" | {{{{0}}}}1')
        body = "\n".join(rows)
        head = entity.names[self.language]
        return f'{{| class="wikitable"\n|+ {head}\n! colspan=2 | {head}\n{body}\n|}}'

    def _lists(self, document: Document, entity: Entity, rng: random.Random) -> None:
        for heading, relation, is_object in _LISTS.get(entity.kind, ()):
            if is_object:
                keys = self.world.subjects(relation, entity.key)
            else:
                keys = self.world.objects(entity.key, relation)
            if relation == "P17":
                keys = [key for key in keys if self.world.entities[key].kind == "city"]
            if len(keys) < 2:
                continue
            rng.shuffle(keys)
            document.heading(self.labels[heading], 3 if rng.random() < 0.3 else 2)
            for position, key in enumerate(keys[:_LIST_LENGTH]):
                line = document.line()
                self.links.mention(line, key, self._bare(key), None, rng, share=0.95)
                nested = position and rng.random() < 0.15
                document.item(line, "**" if nested else "*")

    def _bare(self, key: str) -> Phrase:
        return self.sentences.phrase(key, "bare")

    def _see_also(
        self, document: Document, entity: Entity, facts: Sequence[Fact], rng: random.Random
    ) -> None:
        """A section with the kinds of links that lead to no article."""
        document.heading(self.labels["see_also"])
        name = entity.names[self.language]
        if facts:
            line = document.line()
            self.links.mention(line, facts[0].subject, self._bare(facts[0].subject), None, rng)
            line.text(" ").raw("&amp;", "&").text(" ")
            self.links.mention(line, facts[0].object, self._bare(facts[0].object), None, rng)
            document.item(line, rng.choice(("*", "#", ":")))
        words = self.labels["wiktionary"]
        category = self.namespaces[14]
        choices = (
            (f"[[wikt:{name}|{words}]]", words),
            (f"[[:{category}:{name}|{category}]]", category),
            (f"[https://www.example.org/{entity.qid} {self.labels['site']}]", self.labels["site"]),
            (
                f"[[{self.namespaces[100]}:{name}|{self.labels['overview']}]]",
                self.labels["overview"],
            ),
        )
        for wikitext, shown in rng.sample(choices, 2):
            document.item(document.line().raw(wikitext, shown))
        if rng.random() < 0.3:
            line = document.line().text(self.labels["markup"]).text(" ")
            title = entity.titles[self.language]
            line.raw(f"<nowiki>[[{title}|''x'']]</nowiki>", f"[[{title}|''x'']]")
            document.paragraph(line)

    def _bottom(self, document: Document, entity: Entity, rng: random.Random) -> None:
        if rng.random() < 0.6:
            document.heading(self.labels["references"])
            document.hidden("<references />")
        category = self.namespaces[14]
        name = entity.names[self.language]
        document.hidden(f"{{{{DEFAULTSORT:{name}}}}}")
        document.hidden(f"[[{category}:{self.labels[KIND_LABELS[entity.kind]]}|{name}]]")
        if rng.random() < 0.1:
            other = "en" if self.language != "en" else "de"
            document.hidden(f"[[{other}:{entity.titles[other]}]]")


KIND_LABELS = {
    "continent": "continents",
    "language": "languages",
    "occupation": "occupations",
    "country": "countries",
    "city": "cities",
    "river": "rivers",
    "person": "people",
    "work": "works",
    "organisation": "organisations",
}
