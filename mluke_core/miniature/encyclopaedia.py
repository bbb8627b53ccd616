"""All pages of one language's Wikipedia: articles, lists, disambiguation, redirects, the rest."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from mluke_core.miniature.articles import KIND_LABELS, ArticleWriter
from mluke_core.miniature.facts import World, capitalize_first
from mluke_core.miniature.tables import labels, namespaces
from mluke_core.miniature.wikitext import Document, Paragraph

MISSING_SHARE = 0.10
"""Share of the articles on cities (no capitals), rivers, people, works and organisations that a
Wikipedia lacks. The English one has them all."""

RARE_SHARE = 0.04
"""Share of these entities that only the English Wikipedia and one other write about."""

_MAY_BE_MISSING = ("city", "river", "person", "work", "organisation")

# Label of the shared name -> the entities that bear it.
DISAMBIGUATIONS = {
    "curie": ("marie_curie", "pierre_curie"),
    "humboldt": ("alexander_von_humboldt", "wilhelm_von_humboldt", "humboldt_university"),
    "schumann": ("robert_schumann", "clara_schumann"),
}

_FIRST_PAGE_ID = 5


@dataclass(frozen=True)
class Redirect:
    """A redirect as extraction must give it."""

    source: str
    target: str
    fragment: str | None


@dataclass(frozen=True)
class Page:
    """One page of a dump."""

    page_id: int
    namespace: int
    title: str
    """Full title with the namespace's name."""
    wikitext: str
    paragraphs: tuple[Paragraph, ...] = ()
    redirect: Redirect | None = None
    key: str | None = None
    """The entity an article is on."""

    @property
    def is_article(self) -> bool:
        """Whether extraction must give this page."""
        return self.namespace == 0 and self.redirect is None


@dataclass
class _Draft:
    namespace: int
    title: str
    wikitext: str
    paragraphs: list[Paragraph] = field(default_factory=list)
    redirect: Redirect | None = None
    key: str | None = None


def articles_by_language(world: World, languages: list[str], seed: int) -> dict[str, list[str]]:
    """Which entities each Wikipedia has an article on, by key in the order of the world."""
    rng = random.Random(f"{seed} articles")
    capitals = {fact.object for fact in world.by_relation("P36")}
    chosen: dict[str, list[str]] = {language: [] for language in languages}
    others = [language for language in languages if language != "en"]
    for key, entity in world.entities.items():
        may_be_missing = entity.kind in _MAY_BE_MISSING and key not in capitals
        rare = may_be_missing and rng.random() < RARE_SHARE
        only = rng.choice(others) if others else ""
        for language in languages:
            missing = rng.random() < MISSING_SHARE
            if language == "en" or not may_be_missing:
                has_article = True
            else:
                has_article = language == only if rare else not missing
            if has_article:
                chosen[language].append(key)
    return chosen


class Encyclopaedia:
    """The pages of one language.

    Args:
        world: the facts.
        language: of the pages.
        keys: the entities that have an article.
        seed: of everything that is drawn.
    """

    def __init__(self, world: World, language: str, keys: list[str], seed: int) -> None:
        self.world = world
        self.language = language
        self.keys = keys
        self.seed = seed
        self.labels = labels(language)
        self.namespaces = namespaces(language)
        self.articles = ArticleWriter(world, language)

    def pages(self) -> list[Page]:
        """All pages in the order of their ids."""
        drafts = [
            *self._articles(),
            *self._lists(),
            *self._disambiguations(),
            *self._redirects(),
            *self._other_namespaces(),
        ]
        rng = random.Random(f"{self.seed} {self.language} order")
        rng.shuffle(drafts)
        pages = []
        page_id = _FIRST_PAGE_ID
        for draft in drafts:
            pages.append(
                Page(
                    page_id,
                    draft.namespace,
                    draft.title,
                    draft.wikitext,
                    tuple(draft.paragraphs),
                    draft.redirect,
                    draft.key,
                )
            )
            page_id += rng.randint(1, 4)
        return pages

    def _articles(self) -> Iterator[_Draft]:
        for key in self.keys:
            rng = random.Random(f"{self.seed} {self.language} {key}")
            document = self.articles.write(key, rng)
            yield _Draft(
                0,
                self.world.title(key, self.language),
                document.wikitext,
                document.paragraphs,
                key=key,
            )

    def list_title(self, kind: str) -> str:
        """Title of the list of everything of one kind; most have a colon in them."""
        title = self.labels["list_of"].replace("{x}", self.labels[KIND_LABELS[kind]])
        return capitalize_first(title, self.language)

    def _lists(self) -> Iterator[_Draft]:
        """A list of each kind, which links to every article on it."""
        for kind in KIND_LABELS:
            rng = random.Random(f"{self.seed} {self.language} list {kind}")
            document = Document(self.language)
            document.hidden("{| class=wikitable\n! [[x]]\n{| \n| nested\n|}\n|}")
            document.paragraph(document.line().text(self.labels["list_intro"]))
            entities = self.world.by_kind(kind)
            for entity in sorted(entities, key=lambda entity: entity.titles[self.language]):
                line = document.line()
                title = entity.titles[self.language]
                name = entity.names[self.language]
                shown = capitalize_first(name, self.language)
                line.link(title, shown, shown if shown == title else f"{title}|{shown}")
                objects = self.world.objects(entity.key, _LISTED.get(kind, ""))
                if objects:
                    phrase = self.articles.sentences.phrase(objects[0], "bare")
                    line.text(" ").raw("&ndash;", "–").text(" ")
                    self.articles.links.mention(line, objects[0], phrase, None, rng)
                document.item(line, "#" if kind == "continent" else "*")
            document.hidden(f"[[{self.namespaces[14]}:{self.list_title(kind)}]]")
            yield _Draft(0, self.list_title(kind), document.wikitext, document.paragraphs)

    def _disambiguations(self) -> Iterator[_Draft]:
        for label, keys in DISAMBIGUATIONS.items():
            rng = random.Random(f"{self.seed} {self.language} disambiguation {label}")
            document = Document(self.language)
            document.paragraph(document.line().text(self.labels["may_refer"]))
            for key in keys:
                line = document.line()
                phrase = self.articles.sentences.phrase(key, "bare")
                self.articles.links.mention(line, key, phrase, None, rng, share=1.0)
                document.item(line)
            document.hidden(f"{{{{{self.labels['disambiguation']}}}}}")
            yield _Draft(0, self.labels[label], document.wikitext, document.paragraphs)

    def _redirects(self) -> Iterator[_Draft]:
        """Aliases, chains of two and three, a cycle, dead ends, sections."""
        for entity in self.world.entities.values():
            for number, alias in enumerate(entity.aliases.get(self.language, ())):
                source = capitalize_first(alias, self.language)
                title = entity.titles[self.language]
                fragment = self.labels["history"] if number and entity.kind == "country" else None
                yield self._redirect(source, title, fragment, number)
                if number == 0 and entity.kind == "country":
                    second = f"{alias} ({self.labels['variant']})"
                    yield self._redirect(second, source, None, 1)
                    third = f"{second} 2"
                    yield self._redirect(third, second, self.labels["geography"], 2)
        name = self.labels["variant"]
        yield self._redirect(f"{name} A", f"{name} B", None, 0)
        yield self._redirect(f"{name} B", f"{name} C", None, 1)
        yield self._redirect(f"{name} C", f"{name} A", None, 2)
        yield self._redirect(f"{name} D", f"{name} D", None, 0)
        yield self._redirect(f"{name} E", f"{name} 0", None, 0)
        yield self._redirect(f"{name} F", f"{name} E", None, 1)

    def _redirect(self, source: str, target: str, fragment: str | None, way: int) -> _Draft:
        source = capitalize_first(source, self.language)
        target = capitalize_first(target, self.language)
        word = (self.labels["redirect"], "#REDIRECT", "#redirect")[way % 3]
        anchor = f"#{fragment}" if fragment else ""
        inner = (target, target.replace(" ", "_"), target)[way % 3]
        colon = (" ", ": ", "")[way % 3]
        wikitext = f"{word}{colon}[[{inner}{anchor}]]"
        if way == 0:
            wikitext += f"\n\n{{{{R|[[{source}]]}}}}\n[[{self.namespaces[14]}:R]]"
        return _Draft(0, source, wikitext, redirect=Redirect(source, target, fragment))

    def _other_namespaces(self) -> Iterator[_Draft]:
        """Pages that extraction must leave out."""
        for key in self.keys[::40]:
            title = self.world.title(key, self.language)
            yield self._other(1, title, f"== {title} ==\n{self.labels['talk']} [[{title}]]")
        for label in ("infobox", "stub", "cite"):
            text = f"<noinclude>[[{self.labels['talk']}]]</noinclude><includeonly>{{{{{{1}}}}}}"
            yield self._other(10, self.labels[label], text + "</includeonly>")
        for label in ("countries", "cities", "people"):
            yield self._other(14, self.labels[label], f"[[{self.namespaces[14]}:X]]")
        yield self._other(4, self.labels["overview"], f"[[{self.labels['overview']}]]")
        yield self._other(100, self.labels["geography"], "{{Portal}}")
        yield self._other(828, "Coordinates", "local p = {}\nreturn p -- [[x]]")
        target = f"{self.namespaces[10]}:{self.labels['infobox']}"
        yield self._other(10, "R", f"#REDIRECT [[{target}]]", target)

    def _other(self, namespace: int, title: str, text: str, target: str = "") -> _Draft:
        full = f"{self.namespaces[namespace]}:{capitalize_first(title, self.language)}"
        redirect = Redirect(full, target, None) if target else None
        return _Draft(namespace, full, text, redirect=redirect)


# What stands behind an entity in the list of its kind.
_LISTED = {
    "country": "P36",
    "city": "P17",
    "person": "P106",
    "river": "P17",
    "organisation": "P159",
}
