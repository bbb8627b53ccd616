"""Searching pages of wikitext fast: what ``re`` and ``str`` are good and bad at.

``re`` tries alternatives one by one, but passes over those that begin with another character or
set of characters at once, unless case is ignored. It looks a set that leaves out two characters up
by comparing, a third slower than one that leaves out three, which it looks up in a table;
:data:`NO_CHARACTER` is a third that costs nothing. ``str`` finds one character many bytes at a
time, but two by looking at each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

# In a set: the character that neither XML nor a page that went through drop_controls can hold.
NO_CHARACTER = r"\0"


def any_name(names: Iterable[str]) -> str:
    """An expression that matches any of ``names``, in upper and lower case, by common beginnings.

    >>> any_name(["rt", "ref", "references"])
    '[rR](?:[eE][fF](?:[eE][rR][eE][nN][cC][eE][sS])?|[tT])'
    """
    ordered = sorted(set(names))
    branches = [
        _letter(first) + any_name(name[1:] for name in group)
        for first, group in groupby(filter(None, ordered), key=lambda name: name[0])
    ]
    if "" in ordered:
        return f"(?:{'|'.join(branches)})?" if branches else ""
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


def holds_pair(text: str, pair: str) -> bool:
    """Whether ``pair``, two characters, stands in ``text``.

    Where the first is rare this takes a tenth of the time of ``in``, for a single character is
    looked for many bytes at once.

    >>> holds_pair("{a {{b}}", "{{"), holds_pair("{a {b", "{{")
    (True, False)
    """
    first, second = pair[0], pair[1]
    place = text.find(first)
    while place >= 0:
        if text.startswith(second, place + 1):
            return True
        place = text.find(first, place + 1)
    return False


def _letter(letter: str) -> str:
    return f"[{letter}{letter.upper()}]" if letter.isalpha() else re.escape(letter)
