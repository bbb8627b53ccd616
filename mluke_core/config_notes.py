"""Notes in the configuration that quote other values of it: ``{tasks.qa.seeds}``.

A note under a table says what is done otherwise than in the paper. Written with the key instead of
the number, it stays true when somebody changes the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_KEY = re.compile(r"\{([\w.-]+)\}")


def quoted_keys(note: str) -> list[str]:
    """Keys that a note quotes.

    >>> quoted_keys("k is not stated ({probes.modularity.neighbours}).")
    ['probes.modularity.neighbours']
    """
    return _KEY.findall(note)


def setting(config: Mapping[str, Any], key: str) -> Any:
    """The value of a key with dots.

    Raises:
        KeyError: there is none.
    """
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping):
            raise KeyError(key)
        value = value[part]
    return value


def fill_note(note: str, config: Mapping[str, Any]) -> str:
    """The note with every key followed by its value.

    >>> fill_note("k is not stated ({probe.k}).", {"probe": {"k": 3}})
    'k is not stated (probe.k: 3).'
    """
    return _KEY.sub(lambda found: f"{found[1]}: {_text(setting(config, found[1]))}", note)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_text(member)}" for key, member in value.items())
    if isinstance(value, list):
        return ", ".join(_text(member) for member in value)
    return f"{value:g}" if isinstance(value, float) else "null" if value is None else str(value)
