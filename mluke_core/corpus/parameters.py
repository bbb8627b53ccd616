"""Template parameters, ``{{{name|default}}}``: on a page that is no template, their defaults.

Braces pair as in MediaWiki's preprocessor: a run of closing braces closes the innermost run of
opening ones, three at a time (a parameter), else two (a template).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKENS = re.compile(r"\{\{++|\}\}++|\||\[\[|\]\]")


@dataclass(slots=True)
class _Opened:
    """A run of opening braces, some of which may have been closed."""

    start: int
    braces: int
    first_bar: int = -1
    second_bar: int = -1
    links: int = 0
    """Links that are open at this place: their bars are their own."""

    def bar(self, position: int) -> None:
        if self.links:
            return
        if self.first_bar < 0:
            self.first_bar = position
        elif self.second_bar < 0:
            self.second_bar = position


def show_parameters(text: str, opening: str, closing: str) -> str:
    """``text`` with each parameter's default in its place; one without stands as it is written.

    Args:
        text: wikitext.
        opening: what stands for the braces in front of a parameter without a default.
        closing: and for those behind it.

    >>> show_parameters("a {{{c|[[d|e]]|f}}} {{lang|la|{{{1|{{x|y}}}}}}} {{{g}}}", "<", ">")
    'a [[d|e]] {{lang|la|{{x|y}}}} <g>'
    """
    edits: list[tuple[int, int, str]] = []
    stack: list[_Opened] = []
    for match in _TOKENS.finditer(text):
        token = match.group()
        if token[0] == "{":
            stack.append(_Opened(match.start(), len(token)))
        elif not stack:
            continue
        elif token == "|":
            stack[-1].bar(match.start())
        elif token == "[[":
            stack[-1].links += 1
        elif token == "]]":
            stack[-1].links = max(0, stack[-1].links - 1)
        else:
            _close(stack, match.start(), match.end(), edits, opening, closing)
    if not edits:
        return text
    edits.sort()
    kept: list[str] = []
    position = 0
    for start, end, shown in edits:
        # What lies inside an extra argument is gone with it.
        if start >= position:
            kept.append(text[position:start] + shown)
            position = end
    kept.append(text[position:])
    return "".join(kept)


def _close(
    stack: list[_Opened],
    start: int,
    end: int,
    edits: list[tuple[int, int, str]],
    opening: str,
    closing: str,
) -> None:
    """Pair the closing braces from ``start`` to ``end`` with what is open."""
    while stack and end - start >= 2:
        opened = stack[-1]
        pair = min(3, opened.braces, end - start)
        if pair < 2:
            stack.pop()
            continue
        opened.braces -= pair
        begin = opened.start + opened.braces
        if pair == 3:
            if opened.first_bar < 0:
                edits += [(begin, begin + 3, opening), (start, start + 3, closing)]
            else:
                behind = start if opened.second_bar < 0 else opened.second_bar
                edits += [(begin, opened.first_bar + 1, ""), (behind, start + 3, "")]
        start += pair
        if opened.braces:
            # What is left of the run begins something around the pair.
            stack[-1] = _Opened(opened.start, opened.braces)
        else:
            stack.pop()
