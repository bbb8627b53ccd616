"""Links in all the ways editors write them."""

from __future__ import annotations

import random
from urllib.parse import quote

from mluke_core.miniature.facts import World, capitalize_first
from mluke_core.miniature.grammar import Phrase
from mluke_core.miniature.wikitext import Line

LINK_SHARE = 0.8
"""Share of the mentions that are links."""

ALIAS_SHARE = 0.06
"""Share of the links that go through a redirect, where there is one."""

UNUSUAL_SHARE = 0.10
"""Share of the links that are written in an unusual way."""


class LinkWriter:
    """Writes mentions of entities into lines.

    Args:
        world: the facts.
        language: of the articles.
        section: a heading that a link may point to behind ``#``.
    """

    def __init__(self, world: World, language: str, section: str) -> None:
        self.world = world
        self.language = language
        self.section = section

    def mention(
        self,
        line: Line,
        key: str,
        phrase: Phrase,
        article: str | None,
        rng: random.Random,
        quoted: bool = False,
        share: float = LINK_SHARE,
    ) -> None:
        """Add an entity's name to ``line``, as a link unless the article is on that entity.

        ``quoted`` says that an apostrophe follows, next to which markup of apostrophes is unsafe.
        """
        line.text(phrase.before)
        quoted = quoted or bool(phrase.after) or phrase.before.endswith("'")
        if key == article or rng.random() >= share:
            self._unlinked(line, key, phrase, rng, quoted)
        else:
            self._linked(line, key, phrase, rng, quoted)
        line.text(phrase.after)

    def _unlinked(
        self, line: Line, key: str, phrase: Phrase, rng: random.Random, quoted: bool
    ) -> None:
        shown = phrase.prefix + phrase.name + phrase.trail
        is_work = self.world.entities[key].kind == "work"
        if is_work and not quoted and "'" not in shown and rng.random() < 0.5:
            line.raw("''").text(shown).raw("''")
        else:
            line.text(shown)

    def _linked(
        self, line: Line, key: str, phrase: Phrase, rng: random.Random, quoted: bool
    ) -> None:
        entity = self.world.entities[key]
        title = entity.titles[self.language]
        shown = phrase.name
        aliases = entity.aliases.get(self.language, [])
        nominative = shown == entity.names[self.language] and not phrase.before
        if aliases and rng.random() < ALIAS_SHARE:
            alias = rng.choice(aliases)
            target = capitalize_first(alias, self.language)
            if nominative and not phrase.prefix + phrase.trail and rng.random() < 0.5:
                line.link(target, alias, alias)
            else:
                line.link(target, shown, f"{alias}|{shown}", phrase.prefix, phrase.trail)
            return
        inner = shown if capitalize_first(shown, self.language) == title else f"{title}|{shown}"
        if rng.random() < UNUSUAL_SHARE:
            inner = rng.choice(self._unusual(title, shown, quoted))
        line.link(title, shown, inner, phrase.prefix, phrase.trail)

    def _unusual(self, title: str, shown: str, quoted: bool) -> list[str]:
        ways = [
            f"{title.replace(' ', '_')}|{shown}",
            f"{title}#{self.section}|{shown}",
            f" {title} |{shown}",
            f":{title}|{shown}",
            f"{title}|<span>{shown}</span>",
        ]
        small = title[0].lower() if self.language != "tr" else _turkish_lower(title[0])
        if len(small) == 1 and capitalize_first(small + title[1:], self.language) == title:
            ways.append(f"{small}{title[1:]}|{shown}")
        if not quoted and "'" not in shown:
            ways += [f"{title}|'''{shown}'''", f"{title}|''{shown}''"]
        if " " in shown:
            ways.append(f"{title}|{shown.replace(' ', '&nbsp;')}")
        if not title.isascii() and len(title) < 10:
            ways.append(f"{quote(title, safe=' ')}|{shown}")
        return ways


def _turkish_lower(letter: str) -> str:
    return {"I": "ı", "İ": "i"}.get(letter, letter.lower())
