"""Fill sentence templates with names and keep track of where each name stands."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from mluke_core.miniature.datasets.grammar import inflect

SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True)
class Filler:
    """A name for a slot and the kind of its entity."""

    name: str
    kind: str


@dataclass(frozen=True)
class Sentence:
    """A sentence and the character span of the name in each slot, end exclusive."""

    text: str
    spans: dict[str, tuple[int, int]]

    def moved(self, by: int) -> dict[str, tuple[int, int]]:
        """The spans when ``by`` characters stand before the sentence."""
        return {slot: (start + by, end + by) for slot, (start, end) in self.spans.items()}


def fill(template: str, language: str, fillers: Mapping[str, Filler]) -> Sentence:
    """``template`` with its slots ``{slot}`` or ``{slot:form}`` filled, first letter upper case.

    >>> fill("ella vive {o:in}", "es", {"o": Filler("Países Bajos", "country")})
    Sentence(text='Ella vive en los Países Bajos', spans={'o': (17, 29)})
    """
    pieces: list[str] = []
    spans: dict[str, tuple[int, int]] = {}
    length = position = 0
    for slot in SLOT.finditer(template):
        filler = fillers[slot[1]]
        phrase = inflect(filler.name, filler.kind, slot[2] or "", language)
        before = template[position : slot.start()] + phrase.before
        start = length + len(before)
        spans[slot[1]] = (start, start + len(phrase.surface))
        pieces += [before, phrase.surface, phrase.after]
        length = start + len(phrase.surface) + len(phrase.after)
        position = slot.end()
    text = "".join([*pieces, template[position:]])
    return Sentence(capitalise(text, language), spans)


def capitalise(text: str, language: str) -> str:
    """``text`` with an upper-case first letter, of the same length; Turkish i becomes İ."""
    first = "İ" if language == "tr" and text[:1] == "i" else text[:1].upper()
    return first + text[1:] if len(first) == 1 else text


def slot_order(template: str) -> list[str]:
    """Names of the slots in the order in which they stand."""
    return [slot[1] for slot in SLOT.finditer(template)]


def pick(random: Random, values: Sequence[Any]) -> Any:
    """One of ``values``; takes exactly one number from the generator."""
    return values[int(random.random() * len(values))]


@cache
def bundled(name: str) -> Any:
    """A bundled JSON file of templates or facts, ``data/<name>.json``."""
    text = resources.files(__package__).joinpath("data", f"{name}.json").read_text("utf-8")
    return json.loads(text)
