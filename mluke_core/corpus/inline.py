"""Small rules of inline wikitext: brackets, quotes, tags, labels, definition lists."""

from __future__ import annotations

import re
from urllib.parse import unquote

from mluke_core.corpus.characters import clean_characters, decode_entities
from mluke_core.corpus.paragraphs import Columns, Link

# Most targets are refused by the look ahead, at a fraction of the cost of trying the names.
PROTOCOL = (
    r"(?=[a-zA-Z]++:|//)"
    r"(?i:(?:https?|ftps?|sftp|ircs?|gopher|svn|git|ssh|telnet|nntp|mms|redis|worldwind)://"
    r"|(?:mailto|news|geo|tel|sips?|sms|urn|xmpp|magnet|bitcoin|matrix):|//)"
)
# An address and the space behind it; two apostrophes are the beginning of its text.
ADDRESS = rf"{PROTOCOL}(?:\[[0-9a-fA-F:.]*+\])?+[^][\s<>\"']*+(?:'(?!')[^][\s<>\"']*+)*+\ ?+"
_INLINE = re.compile(rf"''+|<[/a-zA-Z][^<>]*+>|\[{ADDRESS}([^][\n]*+)\]|__[^\W_]+__")
_LABEL_SPACE = re.compile(r"\s+")
_SPACES = re.compile("  ++")

_BLOCKS = """
p div center blockquote ul ol li dl dt dd h1 h2 h3 h4 h5 h6 hr poem pre table caption tr td th
"""
_INLINES = """
b i u s em strong small big sub sup span font tt code kbd samp var cite abbr dfn q bdi bdo del ins
strike mark ruby rb rbc rtc rt rp time wbr data a label acronym nobr blink includeonly translate
tvar languages ref math chem ce gallery timeline score syntaxhighlight source imagemap
templatestyles graph hiero mapframe maplink inputbox categorytree indicator templatedata style
script img noindex meta link phonos dynamicpagelist charinsert listing rss
"""
BLOCK_TAGS = frozenset(_BLOCKS.split())
INLINE_TAGS = frozenset(_INLINES.split())


def restore_apostrophe(
    parts: list[str], columns: Columns, first: int, bold_marks: list[tuple[int, int]]
) -> int:
    """Turn one bold mark of a line into an apostrophe and italics, as MediaWiki does.

    It does so when the numbers of bold and of italic marks are both odd, preferring a mark behind
    a one-letter word, as in French ``l\'\'\'amour\'\'``.

    Args:
        parts: of the paragraph; added to.
        columns: where its links are; those behind the mark are moved along.
        first: number of its first link.
        bold_marks: part in front of which, and offset at which, each mark of the line stands.

    Returns:
        How much longer the text is.
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
    for link in range(first, len(columns.starts)):
        moved = columns.starts[link] >= offset
        columns.starts[link] += moved
        columns.ends[link] += moved
    return 1


# Both alternatives begin with what most lines do not begin with, so those are passed over at once.
_TERM_OR_RULE = re.compile(r"\n(?:[*\#:;][*\#:;]*+(?<=;)([^\n]*+)|===++\ ?+(?=\n|\Z))")
_TERM_TOKENS = re.compile(rf"\[|\]|-\{{|\}}-|<(/?)[a-zA-Z][^<>]*+>|{PROTOCOL}|(:)")
_DEEPEST_HEADING = 6


def split_lines(text: str) -> str:
    """Put the meaning of ``; term : meaning`` into a line of its own, as MediaWiki does.

    Colons inside links, addresses and elements do not end the term. A line of nothing but equals
    signs is a heading of the ones in the middle.
    """
    return _TERM_OR_RULE.sub(_split_line, text)


def _split_line(match: re.Match[str]) -> str:
    term = match.group(1)
    if term is None:
        count = match.group().count("=")
        level = min((count - 1) // 2, _DEEPEST_HEADING)
        return f"\n{'=' * level} {'=' * (count - 2 * level)} {'=' * level}"
    marks = match.string[match.start() + 1 : match.start(1)]
    depth = 0
    for token in _TERM_TOKENS.finditer(term):
        first = token.group()[0]
        if first == "[" or first == "-":
            depth += 1
        elif token.group(1) == "":
            depth += not token.group().endswith("/>")
        elif first in "]}<":
            depth = max(depth - 1, 0)
        elif token.group(2) and not depth:
            colon = token.start()
            return f"\n{marks}{term[:colon]}\n{marks[:-1]}: {term[colon + 1 :]}"
    return str(match.group())


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
    return clean_characters(decode_entities(target).replace("\n", " ")).strip(" ")


def plain_label(label: str) -> str:
    """A label without markup; a space at its ends stays, for the caller to move out of the link."""
    label = _INLINE.sub(lambda match: match.group(1) or "", label)
    if "[[" in label:
        label = label.replace("[[", "")
    if "&" in label:
        label = clean_characters(decode_entities(label))
    return _LABEL_SPACE.sub(" ", label)


def collapse_spaces(text: str, links: list[Link]) -> tuple[str, list[Link]]:
    """``text`` without spaces at its beginning and with single ones, and its links moved along."""
    pieces: list[str] = []
    moved: list[Link] = []
    length = position = 0
    for start, end, target in [*links, (len(text), len(text), "")]:
        for piece, is_link in ((text[position:start], False), (text[start:end], True)):
            piece = _SPACES.sub(" ", piece)
            if piece[:1] == " " and (not length or pieces[-1][-1] == " "):
                piece = piece[1:]
            if not piece:
                continue
            if is_link:
                moved.append((length, length + len(piece), target))
            pieces.append(piece)
            length += len(piece)
        position = end
    return "".join(pieces), moved
