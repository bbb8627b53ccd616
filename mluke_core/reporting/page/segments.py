"""Text with marked spans, which may overlap, as a list of pieces for a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Mark:
    """Characters ``start`` to ``end`` (exclusive) of a text, with a kind and a label."""

    start: int
    end: int
    kind: str
    """``head``, ``tail``, ``gold``, ``first``, ``second`` or ``entity``: a class of the page."""
    label: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece of text under the same marks."""

    text: str
    kinds: str
    label: str


def pieces(text: str, marks: Sequence[Mark]) -> list[Piece]:
    """Cut a text where marks begin and end; labels stand at the last piece of their mark.

    >>> [(p.text, p.kinds) for p in pieces("born in Rome", [Mark(8, 12, "gold")])]
    [('born in ', ''), ('Rome', 'gold')]
    """
    inside = [mark for mark in marks if 0 <= mark.start < mark.end <= len(text)]
    edges = sorted({0, len(text), *(m.start for m in inside), *(m.end for m in inside)})
    found = []
    for start, end in pairwise(edges):
        over = [mark for mark in inside if mark.start <= start and end <= mark.end]
        found.append(
            Piece(
                text[start:end],
                " ".join(dict.fromkeys(mark.kind for mark in over)),
                ", ".join(dict.fromkeys(m.label for m in over if m.label and m.end == end)),
            )
        )
    return found


def clipped(
    text: str, marks: Sequence[Mark], around: int, more: Sequence[Mark] = ()
) -> tuple[str, list[Mark]]:
    """The text around its first marks, with ellipses where it was cut, and the marks moved.

    ``more`` are marks that say nothing about where to cut.

    >>> clipped("a" * 50 + "Rome" + "b" * 50, [Mark(50, 54, "gold")], 3)
    ('…aaaRomebbb…', [Mark(start=4, end=8, kind='gold', label='')])
    """
    first = min((mark.start for mark in marks), default=0)
    last = max((mark.end for mark in marks if mark.start < first + 2 * around), default=0)
    start, end = max(first - around, 0), min(max(last, first) + around, len(text))
    before, after = "…" if start else "", "…" if end < len(text) else ""
    shift = len(before) - start
    moved = [
        Mark(mark.start + shift, mark.end + shift, mark.kind, mark.label)
        for mark in (*marks, *more)
        if start <= mark.start and mark.end <= end
    ]
    return before + text[start:end] + after, moved
