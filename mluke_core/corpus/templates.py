"""Templates that carry running text, and what of them is text.

Templates are not expanded: most make boxes, notes and flags, and are dropped. A few wrap or write
words of a sentence; dropping those would leave holes, so their text is kept. Which they are is in
``data/templates.json``: those known on many wikis (``all``), and those of one language. Per entry
it has patterns (see :mod:`mluke_core.corpus.template_patterns`) and the names they apply to:
``text``; ``links`` with title and label; ``measures`` such as ``{{convert}}``; and ``characters``.
The names were chosen by counting which templates stand inside the lines of text of real dumps of
the 24 languages (2023). They are compared without regard to case, and underscores are spaces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import Any

from mluke_core.corpus.expressions import NO_CHARACTER, holds_pair
from mluke_core.corpus.measures import measure
from mluke_core.corpus.remembered import Remembered
from mluke_core.corpus.template_patterns import (
    Arguments,
    Parts,
    compile_pattern,
    render,
)

# Left where quotes or letters on both sides of what is dropped would else join.
SEPARATOR = "<wbr>"
_PASSES = 12
_REMEMBERED = 5000
_LONGEST_NAME = 100
# Of templates that carry text, those as long as this are remembered; {{s-|XIX}} recurs most.
_LONGEST_WRITTEN = 60
_SPACES = re.compile(r"[\s_]+")
_NAMED = re.compile(r"\s*([\w -]{1,30}?)\s*=(.*)", re.DOTALL)
_PARTS = re.compile(r"\[\[[^\[\]]*\]\]|\|")


def split_arguments(body: str) -> tuple[list[str], dict[str, str]]:
    """Positional and named arguments of a template; ``|`` inside a link does not separate.

    >>> split_arguments("la|[[Roma|urbs]]|size=2")
    (['la', '[[Roma|urbs]]'], {'size': '2'})
    """
    pieces: list[str] = []
    start = 0
    for match in _PARTS.finditer(body):
        if match.group() == "|":
            pieces.append(body[start : match.start()])
            start = match.end()
    pieces.append(body[start:])
    positional: list[str] = []
    named: dict[str, str] = {}
    for piece in pieces:
        match_named = _NAMED.fullmatch(piece) if "=" in piece else None
        if match_named is None:
            positional.append(piece)
            continue
        name, value = match_named.group(1), match_named.group(2).strip()
        if name.isdecimal() and int(name) == len(positional) + 1:
            positional.append(value)
        else:
            named[name.lower()] = value
    return positional, named


@cache
def _facts() -> dict[str, Any]:
    path = resources.files("mluke_core.corpus").joinpath("data/templates.json")
    facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return facts


Shown = Callable[[Arguments], str]
_Acting = tuple[str, Shown]
"""A template's name with single spaces, and what to do with it."""


def _actions(language: str) -> dict[str, Shown]:
    """What to do with each template of a language (empty: of any), by lower-case name."""
    actions: dict[str, Shown] = {}
    facts = _facts()
    entries = [facts["all"], facts.get(language, {})] if language else reversed(facts.values())
    for entry in entries:
        for pattern, names in entry.get("text", {}).items():
            actions.update(dict.fromkeys(names, partial(render, compile_pattern(pattern))))
        for link in entry.get("links", ()):
            title, label = compile_pattern(link["title"]), compile_pattern(link["label"])
            actions.update(dict.fromkeys(link["names"], partial(_link, title, label)))
        actions.update(dict.fromkeys(entry.get("measures", ()), _measure))
        for character, names in entry.get("characters", {}).items():
            actions.update(dict.fromkeys(names, partial(_constant, character)))
    return actions


def _link(title_parts: Parts, label_parts: Parts, arguments: Arguments) -> str:
    title, label = render(title_parts, arguments), render(label_parts, arguments)
    if not title or "[[" in title:
        return label or title
    return f"[[{title}|{label}]]" if label and label != title else f"[[{title}]]"


def _measure(arguments: Arguments) -> str:
    return measure(arguments.positional)


def _constant(text: str, arguments: Arguments) -> str:
    return text


@dataclass
class _Known:
    """What to do with one wiki's templates, by name."""

    actions: dict[str, Shown]
    families: list[tuple[re.Pattern[str], Shown]]
    """Of names that are expressions."""

    def acting(self, name: str) -> _Acting | None:
        """What to do with a template by its name in wikitext; None: drop it."""
        written = _SPACES.sub(" ", name.strip(" \n_"))
        action = self.actions.get(written.lower()) or next(
            (action for family, action in self.families if family.fullmatch(written)), None
        )
        return None if action is None else (written, action)


@cache
def _known(language: str, enabled: bool) -> _Known:
    actions = _actions(language) if enabled else {}
    families = [
        (re.compile(name, re.IGNORECASE), action) for name, action in actions.items() if "[" in name
    ]
    return _Known(actions, families)


def _nested(depth: int) -> str:
    inner = rf"[^{{}}{NO_CHARACTER}]++" + r"|\{(?!\{)|\}(?!\})"
    return f"(?:{inner}|" + r"\{\{" + _nested(depth - 1) + r"\}\})*+" if depth else f"(?:{inner})*+"


# Name and arguments of a template; those nested deeper are found when the inner ones are gone.
_DEPTH = 4
_TEMPLATE = re.compile(r"\{\{([^{}|]*+)(" + _nested(_DEPTH) + r")\}\}")
_BEHIND_NAME = re.compile("[{}|]")


class TextTemplates:
    """Drops templates, but for the text of those that carry some.

    Args:
        language: whose templates are known besides those of all wikis; empty: every language's.
        enabled: false: none is known, so all are dropped.

    >>> templates = TextTemplates("fr")
    >>> templates.expand("au {{s-|XIX}}, {{unité|350|km}} et {{lang|la|urbs}}{{Infobox|{{s-|X}}}}")
    'au XIXe siècle, 350 km et urbs'
    """

    def __init__(self, language: str = "", enabled: bool = True) -> None:
        known = _known(language, enabled)
        # By name as written: few are written in more than one way, and nearly all recur.
        self._acting = Remembered(known.acting, _REMEMBERED, _LONGEST_NAME)
        # By name and arguments as written.
        self._texts = Remembered(self._text, _REMEMBERED, _LONGEST_WRITTEN)

    def expand(self, text: str) -> str:
        """``text`` with these templates replaced by their text and without all others."""
        for _ in range(_PASSES):
            pieces = _TEMPLATE.split(text)
            if len(pieces) == 1:
                break
            text = self._joined(pieces)
            if not holds_pair(text, "{{"):
                break
        return text

    def _joined(self, pieces: list[str]) -> str:
        """What is left of plain text and a template's name and arguments in turn."""
        plain, names, arguments = pieces[::3], pieces[1::3], pieces[2::3]
        acting = list(map(self._acting.__getitem__, names))
        kept: list[str] = []
        for text, known, name, given in zip(plain, acting, names, arguments, strict=False):
            kept.append(text)
            # Apostrophes before and behind a template are two marks, not one.
            if text[-1:] == "'":
                kept.append(SEPARATOR)
            if known is not None:
                kept.append(self._texts[name + given])
        kept.append(plain[-1])
        return "".join(kept)

    def _text(self, template: str) -> str:
        """Text of a template with an action; ``template`` is what stands in its braces."""
        name = _BEHIND_NAME.split(template, 1)[0]
        arguments = template[len(name) :]
        if "{{" in arguments:
            arguments = self._joined(_TEMPLATE.split(arguments))
        acting = self._acting[name]
        if acting is None or (arguments and arguments[0] != "|"):
            return ""
        written, action = acting
        return action(Arguments(written, *split_arguments(arguments[1:])))
