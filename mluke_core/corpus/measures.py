"""The text of ``{{convert|15|km|mi}}``: the quantity as the author wrote it, unconverted."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DIGIT = re.compile(r"\d")
_RANGES = {
    "to": " to ",
    "to(-)": " to ",
    "-": "–",
    "–": "–",
    "and": " and ",
    "and(-)": " and ",
    "or": " or ",
    "by": " by ",
    "x": " × ",
    "×": " × ",
    "*": " × ",
    "+/-": " ± ",
    "±": " ± ",
}
# Larger and smaller unit of one quantity: five feet and ten inches.
_PAIRS = frozenset(
    {
        ("ft", "in"),
        ("lb", "oz"),
        ("st", "lb"),
        ("mi", "yd"),
        ("mi", "ft"),
        ("yd", "ft"),
        ("mi", "ch"),
    }
)
_SYMBOLS = {
    "c": "°C",
    "f": "°F",
    "sqmi": "sq mi",
    "sqft": "sq ft",
    "cuft": "cu ft",
    "cumi": "cu mi",
    "kph": "km/h",
    "acre": "acres",
    "foot": "feet",
}
_POWER = re.compile(r"(?<=[A-Za-z])([23])\b")
_SUPERSCRIPTS = {"2": "²", "3": "³"}


def measure(arguments: Sequence[str]) -> str:
    """Value and unit of the positional arguments.

    >>> measure(["15", "km2", "sqmi"]), measure(["10", "to", "20", "C", "F"])
    ('15 km²', '10 to 20 °C')
    >>> measure(["5", "ft", "10", "in", "m"])
    '5 ft 10 in'
    """
    values = [argument.strip() for argument in arguments]
    if not values or not _DIGIT.search(values[0]):
        return values[0] if values else ""
    text = values[0]
    position = 1
    while position + 1 < len(values) and values[position] in _RANGES:
        text += _RANGES[values[position]] + values[position + 1]
        position += 2
    if position >= len(values) or _DIGIT.fullmatch(values[position]) or not values[position]:
        return text
    unit = values[position]
    text += " " + _shown(unit)
    following = values[position + 1 : position + 3]
    if len(following) == 2 and (unit, following[1]) in _PAIRS and _DIGIT.search(following[0]):
        text += f" {following[0]} {_shown(following[1])}"
    return text


def _shown(unit: str) -> str:
    return _SYMBOLS.get(unit.lower()) or _POWER.sub(lambda m: _SUPERSCRIPTS[m.group(1)], unit)
