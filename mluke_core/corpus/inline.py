"""Small rules of inline wikitext: brackets, quotes, tags, labels, definition lists."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

from mluke_core.corpus.characters import clean_characters, drop_controls

Link = tuple[int, int, str]
"""Start and end (characters of the paragraph's text, end exclusive) and the normalised target."""

PROTOCOL = r"(?:https?:|ftps?:|sftp:|ircs?:|mailto:|news:|gopher:|svn:|git:|geo:|tel:|//)"
_BRACKETS = re.compile(r"\[\[(?!\[)|\]\]|\n=")
_INLINE = re.compile(
    rf"''+|<[/a-zA-Z][^<>]*+>|\[{PROTOCOL}[^][\s<>\"]*+ ?+([^][\n]*+)\]|__[^\W_]+__"
)
_FLAT = r"[^][\n]++|\n(?!=)|\[(?!\[)|\](?!\])"
# A link with links inside, as in a picture's caption: most need no look at the whole page.
CAPTION = re.compile(rf"\[\[(?:{_FLAT}|\[\[(?:{_FLAT})*+\]\])*+\]\]")
_LABEL_SPACE = re.compile(r"\s+")
_TAG_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]*)")

_BLOCKS = """
p div center blockquote ul ol li dl dt dd h1 h2 h3 h4 h5 h6 hr poem pre table caption tr td th tbody
thead tfoot section article aside header footer nav figure figcaption address
"""
_INLINES = """
b i u s em strong small big sub sup span font tt code kbd samp var cite abbr dfn q bdi bdo del ins
strike mark ruby rb rbc rtc rt rp time wbr data a label acronym nobr blink nowiki noinclude
includeonly onlyinclude translate tvar languages ref references math chem ce gallery timeline score
syntaxhighlight source imagemap templatestyles graph hiero mapframe maplink inputbox categorytree
indicator templatedata style script img noindex meta link phonos dynamicpagelist charinsert listing
rss
"""
_BLOCK_TAGS = frozenset(_BLOCKS.split())
_INLINE_TAGS = frozenset(_INLINES.split())

# Longer than any title with a fragment: a target is not looked for beyond it.
_TARGET_LIMIT = 1000
_EFFECTS_SIZE = 5000
_effects: dict[str, str] = {}


def pair_brackets(text: str) -> dict[int, int]:
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


def raw_target(text: str, start: int, close: int) -> tuple[str, int]:
    """Target of a link whose inside begins at ``start``, and where its label begins (-1: none)."""
    end = start + _TARGET_LIMIT
    if 0 <= close < end:
        end = close
    bar = text.find("|", start, end)
    raw = text[start : bar if bar >= 0 else end]
    return (raw if "\n" not in raw else raw.partition("\n")[0] + "<"), bar + 1 if bar >= 0 else -1


def restore_apostrophe(
    parts: list[str], links: list[Link], bold_marks: list[tuple[int, int]]
) -> int:
    """Turn one bold mark of a line into an apostrophe and italics, as MediaWiki does.

    It does so when the numbers of bold and of italic marks are both odd, preferring a mark behind
    a one-letter word, as in French ``l\'\'\'amour\'\'``. Returns how much longer the text is.
    """
    long_word = after_space = None
    chosen = None
    for mark in bold_marks:
        before = parts[mark[0] - 1][-2:] if mark[0] else ""
        if before[-1:] == " ":
            after_space = after_space or mark
        elif before[:1] == " ":
            chosen = mark
            break
        else:
            long_word = long_word or mark
    index, offset = chosen or long_word or after_space or bold_marks[0]
    parts.insert(index, "'")
    links[:] = [(s + 1, e + 1, t) if s >= offset else (s, e, t) for s, e, t in links]
    return 1


def definition_split(text: str, links: list[Link]) -> int:
    """Where the colon stands that ends the term of ``; term : meaning``; -1 when there is none."""
    position = text.find(":")
    for start, end, _ in links:
        if 0 <= position < start:
            break
        if position < end:
            position = text.find(":", end)
    return position


def prefix_length(plain: str, prefix: re.Pattern[str]) -> int:
    """Number of characters at the end of ``plain`` that join the link behind it."""
    length = 0
    while length < len(plain) and prefix.match(plain[-1 - length]):
        length += 1
    return length


def decoded(target: str) -> str:
    """A target as a reader sees it when the link has no label."""
    if "%" in target:
        target = unquote(target)
    return clean_characters(drop_controls(unescape(target))).strip(" :\n")


def plain_label(label: str) -> str:
    """A label without markup; a space at its ends stays, for the caller to move out of the link."""
    label = _INLINE.sub(lambda match: match.group(1) or "", label)
    if "[[" in label:
        label = label.replace("[[", "")
    if "&" in label:
        label = clean_characters(drop_controls(unescape(label)))
    return _LABEL_SPACE.sub(" ", label)


def tag_effect(tag: str) -> str:
    """What a tag does to the text: ``none``, ``space``, ``break`` (a block) or ``literal``."""
    effect = _effects.get(tag)
    if effect is None:
        match = _TAG_NAME.match(tag)
        name = match.group(1).lower() if match else ""
        if name in _INLINE_TAGS:
            effect = "none"
        elif name == "br":
            effect = "space"
        elif name in _BLOCK_TAGS:
            effect = "break"
        else:
            effect = "literal"
        if len(_effects) >= _EFFECTS_SIZE:
            _effects.clear()
        _effects[tag] = effect
    return effect
