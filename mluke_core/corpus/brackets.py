"""Second third of the wikitext extractor: links whose inside holds brackets.

Most links hold none and are left to :mod:`mluke_core.corpus.wikitext`, which then need not look
ahead. Here go pictures with links in their captions; what MediaWiki makes no link of loses its
brackets; single brackets inside a label become stand-ins.
"""

from __future__ import annotations

import re
from collections import Counter

from mluke_core.corpus.inline import PROTOCOL
from mluke_core.corpus.reduce import protect
from mluke_core.corpus.titles import INVALID, Titles

# What the last third takes for a link.
SIMPLE = r"\[\[([^][|\n<>{}]*+)(?:\|([^][]*+))?+\]\]"
_OTHER = re.compile(r"\[\[(?!\[)(?![^][|\n<>{}]*+(?:\|[^][]*+)?+\]\])")
_FLAT = r"[^][\n]++|\n(?!=)|\[(?!\[)|\](?!\])"
# A link with links inside, as in a picture's caption: most need no look at the whole page.
_CAPTION = re.compile(rf"\[\[(?:{_FLAT}|\[\[(?:{_FLAT})*+\]\])*+\]\]")
_BRACKETS = re.compile(r"\[\[(?!\[)|\]\]|\n=")
_EXTERNAL = re.compile(rf"\[{PROTOCOL}[^][\s<>\"]*+ ?+([^][\n]*+)\]")
# Longer than any title with a fragment: a target is not looked for beyond it.
_TARGET_LIMIT = 1000


def simplify_links(text: str, titles: Titles, dropped: Counter[str]) -> tuple[str, bool]:
    """``text`` in which every ``[[`` that has a partner begins a link without brackets inside.

    Args:
        text: reduced wikitext.
        titles: tells what a target is.
        dropped: counts what is no link to an article, by reason; added to.

    Returns:
        The text, and whether it now holds stand-ins (see :func:`mluke_core.corpus.reduce.protect`).
    """
    kept: list[str] = []
    position = 0
    pairs: dict[int, int] | None = None
    omitted: list[int] = []
    protected = False
    for match in _OTHER.finditer(text):
        start = match.start()
        if start < position:
            continue
        caption = _CAPTION.match(text, start)
        if caption:
            close = caption.end() - 2
        else:
            if pairs is None:
                pairs = _pair_brackets(text)
            close = pairs.get(start, -1)
        raw, label = _raw_target(text, start + 2, close)
        target = titles.parse(raw)
        while omitted and omitted[-1] < start:
            end = omitted.pop()
            if end >= position:
                kept.append(text[position:end])
                position = end + 2
        kept.append(text[position:start])
        # Of three brackets the first closes an external link inside.
        third = text.startswith("]", close + 2) and (
            text.count("[", start + 2, close) > text.count("]", start + 2, close)
        )
        if target.hidden:
            dropped[target.kind if close >= 0 else "invalid"] += 1
            position = close + 2 + third
            if close < 0:
                position = text.find("\n", start)
                position = len(text) if position < 0 else position
            continue
        if close < 0 or label < 0 or target is INVALID or "[[" in text[label:close]:
            # MediaWiki makes no link of it; what stands inside is ordinary text.
            dropped["invalid"] += 1
            position = label if close >= 0 and label >= 0 else start + 2
            if close >= 0:
                omitted.append(close)
            continue
        inside = text[label : close + third]
        position = close + 2 + third
        inside = _EXTERNAL.sub(r"\1", inside)
        inside = inside.replace("[", protect("[")).replace("]", protect("]"))
        protected = True
        kept.append(f"[[{raw}|{inside}]]")
    for end in reversed(omitted):
        if end >= position:
            kept.append(text[position:end])
            position = end + 2
    if not position:
        return text, False
    kept.append(text[position:])
    return "".join(kept), protected


def _pair_brackets(text: str) -> dict[int, int]:
    """Position of the closing brackets of every ``[[``; pairs do not reach across a heading."""
    pairs: dict[int, int] = {}
    stack: list[int] = []
    for match in _BRACKETS.finditer(text):
        token = match.group()
        if token == "[[":
            stack.append(match.start())
        elif token == "\n=":
            stack.clear()
        elif stack:
            pairs[stack.pop()] = match.start()
    return pairs


def _raw_target(text: str, start: int, close: int) -> tuple[str, int]:
    """Target of a link whose inside begins at ``start``, and where its label begins (-1: none)."""
    end = start + _TARGET_LIMIT
    if 0 <= close < end:
        end = close
    bar = text.find("|", start, end)
    raw = text[start : bar if bar >= 0 else end]
    return (raw if "\n" not in raw else raw.partition("\n")[0] + "<"), bar + 1 if bar >= 0 else -1
