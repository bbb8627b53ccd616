"""Second third of the wikitext extractor: links whose inside holds brackets.

Most links hold none and are left to :mod:`mluke_core.corpus.wikitext`, which then need not look
ahead. Here go pictures with links in their captions; what MediaWiki makes no link of loses its
brackets; single brackets inside a label become stand-ins.
"""

from __future__ import annotations

import re
from collections import Counter

from mluke_core.corpus.expressions import NO_CHARACTER
from mluke_core.corpus.inline import ADDRESS, PROTOCOL, decoded
from mluke_core.corpus.reduce import protect
from mluke_core.corpus.titles import INVALID, Titles


def _simple_inside(refused: str = "") -> str:
    """Target and label without brackets inside; ``refused`` must not be in the target either."""
    return rf"[^][|\n<>{{}}{refused}]*+(?:\|[^][{NO_CHARACTER}]*+)?+\]\]"


# What the last third takes for a link.
SIMPLE = rf"\[\[{_simple_inside()}"
# Most targets have neither of the signs that every address has, and are asked nothing more.
_PLAIN_INSIDE = _simple_inside(":/")
# [[http://… is an external link in brackets.
_OTHER = re.compile(rf"\[\[(?!{_PLAIN_INSIDE})(?:\[++|(?={PROTOCOL}())|(?!{_simple_inside()}))")
_FLAT = r"[^][\n]++|\n(?!=)|\[(?!\[)|\](?!\])"
# A link with links inside, as in a picture's caption: most need no look at the whole page.
_CAPTION = re.compile(rf"\[\[(?:{_FLAT}|\[\[(?:{_FLAT})*+\]\])*+\]\]")
_BRACKETS = re.compile(r"\[\[(?!\[)|\]\]|\n=")
_EXTERNAL = re.compile(rf"\[{ADDRESS}([^][\n]++)\]")
# Longer than any title with a fragment: a target is not looked for beyond it.
_TARGET_LIMIT = 1000


def is_block(options: str, blocks: frozenset[str]) -> bool:
    """Whether one of a picture's options takes it out of its line.

    >>> is_block("200px|left|a cat", frozenset({"left"})), is_block("thumb=x", frozenset({"thumb"}))
    (True, True)
    """
    return any(part.partition("=")[0].strip() in blocks for part in options.split("|"))


def simplify_links(text: str, titles: Titles, dropped: Counter[str]) -> tuple[str, bool]:
    """``text`` in which every ``[[`` that has a partner begins a link without brackets inside.

    Args:
        text: reduced wikitext.
        titles: tells what a target is.
        dropped: counts what is no link to an article, by reason; added to.

    Returns:
        The text, and whether it now holds stand-ins (see :func:`mluke_core.corpus.reduce.protect`).
    """
    blocks = titles.wiki.block_images
    kept: list[str] = []
    position = 0
    pairs: dict[int, int] | None = None
    omitted: list[int] = []
    protected = False
    for match in _OTHER.finditer(text):
        start = match.start()
        if start < position:
            continue
        while omitted and omitted[-1] < start:
            end = omitted.pop()
            if end >= position:
                kept.append(text[position:end])
                position = end + 2
        if match.lastindex:  # [[http://…
            kept.append(text[position:start] + protect("["))
            position = start + 1
            protected = True
            continue
        # MediaWiki pairs brackets from the left: of five, the fifth is part of the target.
        run = match.end() - start
        is_odd = run & 1 == 1
        begun = start
        start = match.end() - 2
        caption = _CAPTION.match(text, start)
        if caption:
            close = caption.end() - 2
        else:
            if pairs is None:
                pairs = _pair_brackets(text)
            close = pairs.get(start, -1)
        raw, label = _raw_target(text, start + 2, close)
        target = titles.parse(raw)
        kept.append(text[position:begun] + "[" * is_odd)
        if close < 0:
            dropped["invalid"] += 1
            # What follows must not become a list item.
            kept.append("<wbr>")
            position = start + 2
            continue
        if target.hidden and not is_odd:
            dropped[target.kind] += 1
            position = close + 2 + _closes_inside(text, start, close)
            if label >= 0 and target.kind == "file" and is_block(text[label:close], blocks):
                kept.append("<hr>")
            continue
        if is_odd or target.kind == INVALID.kind or text.find("[[", start + 2, close) >= 0:
            # MediaWiki makes no link of it; what stands inside is ordinary text.
            dropped["invalid"] += 1
            position = label if label >= 0 else start + 2
            omitted.append(close)
            continue
        third = _closes_inside(text, start, close)
        inside = text[label : close + third] if label >= 0 else decoded(raw)
        position = close + 2 + third
        inside = _EXTERNAL.sub(r"\1", inside)
        if run > 2 and text.startswith("]" * (run - 2), position):
            position += run - 2
        if label < 0:
            inside = protect(inside)
        # A section may hold what SIMPLE excludes; that there is one is enough.
        page, sign, _ = raw.partition("#")
        raw = f"{page}#s" if sign else page
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


def _closes_inside(text: str, start: int, close: int) -> bool:
    """Whether of three brackets at ``close`` the first closes an external link of the inside."""
    return text.startswith("]", close + 2) and (
        text.count("[", start + 2, close) > text.count("]", start + 2, close)
    )


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
    nested = text.find("[[", start, end)
    bar = text.find("|", start, nested if nested >= 0 else end)
    # Brackets inside make a target invalid: the first of them says as much as all.
    raw = text[start : bar if bar >= 0 else nested + 1 if nested >= 0 else end]
    return (raw if "\n" not in raw else raw.partition("\n")[0] + "<"), bar + 1 if bar >= 0 else -1
