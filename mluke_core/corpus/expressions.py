"""Regular expressions as the module ``re`` runs them fast.

Two things matter on pages of wikitext. Alternatives are tried one by one, but those that begin
with a character or a set of characters are passed over at once, unless case is ignored. And a set
that leaves out two characters is looked up by comparing, a third slower than one that leaves out
three, which is looked up in a table; :data:`NO_CHARACTER` is a third that costs nothing.
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


def _letter(letter: str) -> str:
    return f"[{letter}{letter.upper()}]" if letter.isalpha() else re.escape(letter)
