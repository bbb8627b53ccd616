"""Facts as sentences: templates of every language, filled with names and links.

A template of ``data/sentences.tsv`` holds ``{s}`` (subject), ``{o}`` (object), each with a form of
:class:`~mluke_core.miniature.grammar.Grammar` (``{o.dat}``), ``{y}`` (a number) and
``<a/b>``: b when the subject is a woman or its name is plural, else a.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from mluke_core.miniature.facts import Fact, World, capitalize_first
from mluke_core.miniature.grammar import Grammar, Phrase, with_capital
from mluke_core.miniature.links import LinkWriter
from mluke_core.miniature.tables import read_table
from mluke_core.miniature.wikitext import Line

_PIECE = re.compile(r"\{([soy])(?:\.(\w+))?\}|<([^/<>]*)/([^/<>]*)>")

# A relation whose sentence depends on what the subject is.
_BY_KIND = {"P17"}
# Works are "in a language" whatever they are.
_SAME_SENTENCES = {"P364": "P407"}


@dataclass(frozen=True)
class Mention:
    """An entity at its place in a sentence."""

    key: str
    phrase: Phrase


class SentenceWriter:
    """Writes sentences in one language.

    Args:
        world: the facts.
        language: of the sentences.
        links: decides how a mention is linked.
    """

    def __init__(self, world: World, language: str, links: LinkWriter) -> None:
        self.world = world
        self.language = language
        self.links = links
        self.grammar = Grammar(language)
        self.space = "" if language in ("ja", "zh") else " "

    @cached_property
    def _templates(self) -> dict[str, list[str]]:
        templates = defaultdict(list)
        for row in read_table("sentences"):
            if row["language"] == self.language:
                templates[row["key"]].append(row["template"])
        return dict(templates)

    def fact(self, line: Line, fact: Fact, article: str | None, rng: random.Random) -> None:
        """Add a sentence that states ``fact`` to an article on the entity ``article``."""
        key = _SAME_SENTENCES.get(fact.relation, fact.relation)
        if key == "P1376":
            key, fact = "P36", Fact(fact.object, "P36", fact.subject)
        if key in _BY_KIND:
            key = f"{key}:{self.world.entities[fact.subject].kind}"
        self._sentence(line, key, fact.subject, fact.object, "", article, rng)

    def value(self, line: Line, key: str, relation: str, rng: random.Random) -> None:
        """Add a sentence that states a number about ``key`` within its own article."""
        number = str(self.world.entities[key].values[relation])
        self._sentence(line, relation, key, "", number, key, rng)

    def kind(self, line: Line, key: str, rng: random.Random) -> bool:
        """Add a sentence that says what kind of thing ``key`` is, when there is one for it."""
        kind = self.world.entities[key].kind
        if kind not in self._templates:
            return False
        self._sentence(line, kind, key, "", "", key, rng)
        return True

    def phrase(self, key: str, form: str) -> Phrase:
        """Name of an entity in a form, in the nominative when it lacks that form."""
        entity = self.world.entities[key]
        phrase = self.grammar.phrase(entity, form) or self.grammar.phrase(entity, "")
        assert phrase is not None  # every name has a nominative
        return phrase

    def _sentence(
        self,
        line: Line,
        key: str,
        subject: str,
        object: str,
        number: str,
        article: str | None,
        rng: random.Random,
    ) -> None:
        templates = self._templates[key][:]
        rng.shuffle(templates)
        for template in templates:
            pieces = self._fill(template, subject, object, number)
            if pieces is not None:
                break
        else:
            raise ValueError(f"no sentence for {key} in {self.language} fits {subject}, {object}")
        self._capitalize(pieces)
        if line.wikitext:
            line.text(self.space)
        for index, piece in enumerate(pieces):
            if isinstance(piece, str):
                self._literal(line, piece, after_number=index > 0 and pieces[index - 1] == number)
            else:
                following = pieces[index + 1] if index + 1 < len(pieces) else ""
                quoted = isinstance(following, str) and following.startswith("'")
                self.links.mention(line, piece.key, piece.phrase, article, rng, quoted)

    def _fill(
        self, template: str, subject: str, object: str, number: str
    ) -> list[str | Mention] | None:
        """Pieces of the sentence; ``None`` when a name lacks a form that the template needs."""
        entity = self.world.entities[subject]
        second = entity.female or self.grammar.is_plural(entity)
        pieces: list[str | Mention] = []
        end = 0
        for match in _PIECE.finditer(template):
            pieces.append(template[end : match.start()])
            end = match.end()
            slot, form, first_choice, second_choice = match.groups()
            if slot is None:
                pieces.append(second_choice if second else first_choice)
            elif slot == "y":
                pieces.append(number)
            else:
                key = subject if slot == "s" else object
                of = self.world.entities[key]
                female = entity.female and of.kind == "occupation"
                phrase = self.grammar.phrase(of, form or "", female)
                if phrase is None:
                    return None
                pieces.append(Mention(key, phrase))
        pieces.append(template[end:])
        return [piece for piece in pieces if piece != ""]

    def _capitalize(self, pieces: list[str | Mention]) -> None:
        first = pieces[0]
        if isinstance(first, str):
            pieces[0] = capitalize_first(first, self.language)
            return
        phrase = first.phrase
        shown = phrase.before + phrase.prefix + phrase.name
        letter = capitalize_first(shown, self.language)[0]
        pieces[0] = Mention(first.key, with_capital(phrase, letter))

    def _literal(self, line: Line, text: str, after_number: bool) -> None:
        if after_number and text.startswith(" km"):
            line.raw("&nbsp;", " ")
            text = text[1:]
        line.text(text)
