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

from mluke_core.corpus.measures import measure
from mluke_core.corpus.template_patterns import (
    Arguments,
    Parts,
    compile_pattern,
    names_pattern,
    render,
)

_PASSES = 12
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
    """Names of one wiki's templates and what to do with them."""

    actions: dict[str, Shown]
    names: str
    families: list[tuple[re.Pattern[str], Shown]]
    """Of names that are expressions."""
    pattern: re.Pattern[str]

    def action(self, name: str) -> Shown | None:
        return self.actions.get(name.lower()) or next(
            (action for family, action in self.families if family.fullmatch(name)), None
        )


# Laying out the names takes some milliseconds.
@cache
def _known(language: str, enabled: bool) -> _Known:
    actions = _actions(language) if enabled else {}
    names = names_pattern(list(actions))
    families = [
        (re.compile(name, re.IGNORECASE), action) for name, action in actions.items() if "[" in name
    ]
    arguments = r"[^{}]*+(?:[{}](?![{}])[^{}]*+)*+"
    pattern = rf"\{{\{{[ \n_]*+({names})[ \n_]*+(?:\|({arguments}))?\}}\}}"
    return _Known(actions, names, families, re.compile(pattern))


class TextTemplates:
    """Replaces the templates of this module by their text.

    Args:
        language: whose templates are known besides those of all wikis; empty: every language's.
        enabled: false: none is known, so all are dropped.

    >>> TextTemplates("fr").expand("au {{s-|XIX}}, {{unité|350|km}} et {{lang|la|urbs}}")
    'au XIXe siècle, 350 km et urbs'
    """

    def __init__(self, language: str = "", enabled: bool = True) -> None:
        self._known = _known(language, enabled)
        self.names = self._known.names
        """Regular expression of their names."""

    def expand(self, text: str) -> str:
        """``text`` with these templates replaced, innermost first."""
        for _ in range(_PASSES):
            text, count = self._known.pattern.subn(self._replace, text)
            if not count or "{{" not in text:
                break
        return text

    def _replace(self, match: re.Match[str]) -> str:
        written = _SPACES.sub(" ", match.group(1).strip(" \n_"))
        action = self._known.action(written)
        positional, named = split_arguments(match.group(2) or "")
        return action(Arguments(written, positional, named)) if action else ""
