"""What of a template's arguments is text: a small language for ``data/templates.json``.

| in a pattern | is |
|---|---|
| ``$1`` ``$2`` ``$-1`` | a positional argument, the last one |
| ``$name`` | a named argument |
| ``$*`` | all positional arguments, joined |
| ``$0`` ``$:`` | the name of the template as written; of a parser function what follows its colon |
| ``$(a|b|=word)`` | the first that is not empty; ``=word`` stands for itself |
| ``[…]`` | what is inside, unless a variable in it is empty |
| ``[?name …]`` ``[!name …]`` | what is inside, if the argument is (not) given |
| ``$$`` ``\\[`` | the character itself |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_TOKEN = re.compile(
    r"\$(?P<one>\$|\*|:|-?\d+|[A-Za-z]\w*)|\$\((?P<many>[^)]*)\)|\\(?P<literal>.)"
    r"|(?P<open>\[(?:[?!][^\s\]]+ )?)|(?P<close>\])|(?P<plain>[^$\\\[\]]+)",
    re.DOTALL,
)


@dataclass
class Arguments:
    """What a template was called with."""

    name: str
    """As written."""
    positional: list[str]
    named: dict[str, str] = field(default_factory=dict)
    """By lower-case name."""

    def get(self, key: str) -> str:
        """An argument by number or name; empty when it was not given."""
        if key == "0":
            return self.name
        if key == "*":
            return "".join(value.strip() for value in self.positional)
        if key == ":":
            return self.name.partition(":")[2].strip()
        if key.lstrip("-").isdecimal():
            index = int(key)
            if index < 0:
                index += len(self.positional) + 1
            return self.positional[index - 1].strip() if 0 < index <= len(self.positional) else ""
        return self.named.get(key, "")


class Variable(NamedTuple):
    """The first of some arguments that is not empty."""

    keys: tuple[str, ...]

    def value(self, arguments: Arguments) -> str:
        """Its text."""
        for key in self.keys:
            found = key[1:] if key.startswith("=") else arguments.get(key)
            if found:
                return found
        return ""


class Group(NamedTuple):
    """Parts that are left out together."""

    condition: str
    """``?name`` or ``!name``; empty: left out when a variable in it is empty."""
    parts: Sequence[str | Variable | Group]


Parts = Sequence[str | Variable | Group]


def compile_pattern(pattern: str) -> Parts:
    """Read a pattern.

    >>> render(compile_pattern("$1[ – $2]"), Arguments("circa", ["1200", "1250"]))
    '1200 – 1250'
    """
    stack: list[tuple[str, list[str | Variable | Group]]] = [("", [])]
    position = 0
    while position < len(pattern):
        match = _TOKEN.match(pattern, position)
        if match is None:
            raise ValueError(f"{pattern!r}: cannot be read from character {position} on")
        position = match.end()
        kind, text = match.lastgroup, match.group(match.lastgroup or 0)
        if kind == "open":
            stack.append((text[1:].strip(), []))
            continue
        if kind == "close":
            if len(stack) == 1:
                raise ValueError(f"{pattern!r}: ] without [")
            condition, parts = stack.pop()
            stack[-1][1].append(Group(condition, parts))
            continue
        if kind == "many":
            stack[-1][1].append(Variable(tuple(text.split("|"))))
        elif kind == "one" and text != "$":
            stack[-1][1].append(Variable((text,)))
        else:
            stack[-1][1].append(text)
    if len(stack) > 1:
        raise ValueError(f"{pattern!r}: [ without ]")
    return stack[0][1]


def render(parts: Parts, arguments: Arguments) -> str:
    """The text that a pattern gives for a template's arguments."""
    return "".join(_shown(part, arguments) for part in parts)


def _shown(part: str | Variable | Group, arguments: Arguments) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Variable):
        return part.value(arguments)
    if part.condition:
        given = bool(arguments.get(part.condition[1:]))
        shown = given == part.condition.startswith("?")
    else:
        shown = all(inner.value(arguments) for inner in part.parts if isinstance(inner, Variable))
    return render(part.parts, arguments) if shown else ""
