"""Second half of the wikitext extractor: paragraphs of plain text with exact link spans.

One pass over the reduced text (see :mod:`mluke_core.corpus.reduce`): a regular expression finds
the next piece of markup, the text before it is copied, and a running offset says where a link
begins and ends, so spans are exact by construction. Every alternative of that expression begins
with a literal character: ``re`` then skips plain text with a character table, three times faster.
"""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote

from mluke_core.corpus.reduce import UNPROTECT, Reducer, clean_characters, drop_controls
from mluke_core.corpus.templates import TextTemplates
from mluke_core.corpus.titles import ARTICLE, Titles
from mluke_core.corpus.wikis import Wiki

Link = tuple[int, int, str]
"""Start and end (characters of the paragraph's text, end exclusive) and the normalised target."""


class Paragraph(NamedTuple):
    """A paragraph, list item or heading."""

    text: str
    """Plain text without line feeds; white space is single spaces, none at the ends."""
    links: list[Link]
    """Sorted, not overlapping, none empty; ``text[start:end]`` is the anchor."""
    kind: str = "text"
    """``text``, ``item`` (of a list, or indented) or ``heading``."""


_PROTOCOL = r"(?:https?:|ftps?:|sftp:|ircs?:|mailto:|news:|gopher:|svn:|git:|geo:|tel:|//)"
# Numbers of the groups that tell the alternatives of the expression below apart.
_SIMPLE, _COMPLEX, _EXTERNAL, _CLOSE, _QUOTES, _TAG, _ENTITY, _SWITCH = 3, 4, 5, 6, 7, 8, 9, 10
_LINE, _HEADING, _LIST = 11, 12, 13
_TOKENS = (
    r"\[\[([^][|\n<>{}]*+)(?:\|([^][|]*+))?+\]\](%s)"  # 1-3 link without brackets inside
    r"|\[\[(?!\[)()"  # 4 any other link
    rf"|\[(?:{_PROTOCOL}"  # 5 external link: the address
    r"[^][\s<>\"]*+)( ?+)"
    r"|\]()"  # 6
    r"|''+()"  # 7
    r"|<([/a-zA-Z][^<>]*+)>"  # 8
    r"|&(\#(?:\d{1,8}|[xX][0-9a-fA-F]{1,7});|[A-Za-z][A-Za-z0-9]{1,30};)"  # 9
    r"|__([^\W_]+(?:_[^\W_]+)*+)__"  # 10
    # 11 blank lines, then what the next line begins with: 12 heading, 13 list, 14 rule,
    # 15 the remains of a table or template
    r"|\n((?:\ ?\n)*+)\ ?+(?:(=++)(?=[^\n]*=\ ?(?:\n|\Z))|([*\#:;]++)|(----+)|(\|[^\n]*+))?+"
)
_BRACKETS = re.compile(r"\[\[(?!\[)|\]\]|\n=")
_INLINE = re.compile(
    rf"''+|<[/a-zA-Z][^<>]*+>|\[{_PROTOCOL}[^][\s<>\"]*+ ?+([^][\n]*+)\]|__[^\W_]+__"
)
_LABEL_SPACE = re.compile(r"\s+")
_TAG_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]*)")

_BLOCK_TAGS = frozenset(
    "p div center blockquote ul ol li dl dt dd h1 h2 h3 h4 h5 h6 hr poem pre table caption tr td th "
    "tbody thead tfoot section article aside header footer nav figure figcaption address".split()
)
_INLINE_TAGS = frozenset(
    "b i u s em strong small big sub sup span font tt code kbd samp var cite abbr dfn q bdi bdo del "
    "ins strike mark ruby rb rbc rtc rt rp time wbr data a label acronym nobr blink nowiki noinclude "
    "includeonly onlyinclude translate tvar languages ref references math chem ce gallery timeline "
    "score syntaxhighlight source imagemap templatestyles graph hiero mapframe maplink inputbox "
    "categorytree indicator templatedata style script img noindex meta link phonos section "
    "dynamicpagelist charinsert listing rss".split()
)


class WikitextExtractor:
    """Turns wikitext into paragraphs with links, for one wiki.

    Args:
        wiki: the rules of the wiki.
        link_trails: whether letters right behind a link belong to its anchor, as readers see it
            (``[[cat]]s``); false: they are plain text.

    ``kept`` counts links and ``dropped`` counts the others by reason: ``file``, ``category``,
    ``namespace``, ``interlanguage``, ``interwiki``, ``section`` (of the page itself), ``invalid``
    and ``empty`` (nothing to show).

    >>> from mluke_core.corpus.wikis import load_wiki
    >>> extractor = WikitextExtractor(load_wiki("en"))
    >>> extractor("The ''[[cat]]s'' of [[New York City|NYC]].<ref>x</ref>")
    [Paragraph(text='The cats of NYC.', links=[(4, 8, 'Cat'), (12, 15, 'New York City')], kind='text')]
    """

    def __init__(self, wiki: Wiki, link_trails: bool = True) -> None:
        self.wiki = wiki
        self.titles = Titles(wiki)
        self.kept = 0
        self.dropped: Counter[str] = Counter()
        self._reduce = Reducer(TextTemplates(), wiki.variants)
        trail = f"[{wiki.trail}]*+" if wiki.trail and link_trails else ""
        self._tokens = re.compile(_TOKENS % trail)
        self._trail = re.compile(trail)
        prefix = wiki.prefix if link_trails else ""
        self._prefix = re.compile(f"[{prefix}]") if prefix else None

    def __call__(self, text: str, clean: bool = False) -> list[Paragraph]:
        """Paragraphs of a page.

        Args:
            text: wikitext.
            clean: ``text`` holds no control characters (it comes from an XML parser).
        """
        if not clean:
            text = drop_controls(text)
        text, protected = self._reduce(text)
        paragraphs = self._scan("\n" + clean_characters(text))
        if protected:
            paragraphs = [
                Paragraph(text.translate(UNPROTECT), links, kind)
                for text, links, kind in paragraphs
            ]
        return paragraphs

    def _scan(self, text: str) -> list[Paragraph]:  # noqa: C901
        paragraphs: list[Paragraph] = []
        parts: list[str] = []
        links: list[Link] = []
        length = line_length = 0
        space = True  # the last character is a space, or there is none
        kind = "text"
        bold = italic = external = 0
        bold_marks: list[tuple[int, int]] = []
        pairs: dict[int, int] | None = None
        ignored: set[int] = set()
        position = 0
        size = len(text)
        parse = self.titles.parse
        prefix = self._prefix
        tokens = self._tokens.finditer
        found = tokens(text)
        while (match := next(found, None)) is not None:
            start = match.start()
            plain = ""
            if start > position:
                plain = text[position:start]
                if space and plain[0] == " ":
                    plain = plain[1:]
                if plain:
                    parts.append(plain)
                    length += len(plain)
                    space = plain[-1] == " "
            position = match.end()
            group = match.lastindex
            jump = False
            if group == _SIMPLE:
                raw, label, trail = match.group(1, 2, 3)
            elif group == _COMPLEX:
                if pairs is None:
                    pairs = _pair_brackets(text)
                close = pairs.get(start, -1)
                raw, label_start = _raw_target(text, position, close)
                target = parse(raw)
                jump = True
                if close < 0:
                    self.dropped["invalid"] += 1
                    if target.hidden:
                        position = text.find("\n", position)
                        position = size if position < 0 else position
                        found = tokens(text, position)
                    continue
                if not target.hidden:
                    if label_start < 0 or text.find("[[", position, close) >= 0:
                        # MediaWiki makes no link of it; what stands inside is ordinary text.
                        self.dropped["invalid"] += 1
                        ignored.update((close, close + 1))
                        if label_start >= 0:
                            position = label_start
                            found = tokens(text, position)
                        continue
                    label = text[label_start:close]
                    position = close + 2
                    if text.startswith("]", position) and label.count("[") > label.count("]"):
                        label += "]"
                        position += 1
                    ending = self._trail.match(text, position)
                    trail = ending.group() if ending else ""
                    position += len(trail)
                else:
                    label, trail = "", ""
                    position = close + 2
            elif group == _QUOTES:
                run = position - start
                literal = 1 if run == 4 else run - 5 if run > 5 else 0
                if literal:
                    parts.append("'" * literal)
                    length += literal
                    space = False
                if run == 2:
                    italic += 1
                elif run < 5:
                    bold += 1
                    bold_marks.append((len(parts), length))
                else:
                    italic += 1
                    bold += 1
                continue
            elif group is not None and group >= _LINE:
                if bold_marks:
                    if bold & 1 and italic & 1:
                        length += _restore_apostrophe(parts, links, bold_marks)
                    bold_marks = []
                bold = italic = external = 0
                if (
                    group == _LINE
                    and kind == "text"
                    and length > line_length
                    and not match.group(_LINE)
                ):
                    if not space:
                        parts.append(" ")
                        length += 1
                        space = True
                    line_length = length
                    continue
                if parts:
                    self._finish(paragraphs, parts, links, kind)
                    parts, links, length, space = [], [], 0, True
                line_length = 0
                if group == _HEADING:
                    kind = "heading"
                elif group == _LIST:
                    kind = "definition" if match.group(_LIST)[-1] == ";" else "item"
                else:
                    kind = "text"
                continue
            elif group == _ENTITY:
                shown = clean_characters(unescape("&" + match.group(_ENTITY)))
                if shown.isspace():
                    shown = "" if space else " "
                if shown:
                    parts.append(shown)
                    length += len(shown)
                    space = shown == " "
                continue
            elif group == _TAG:
                effect = _tag_effect(match.group(_TAG))
                if effect == "break":
                    if parts:
                        self._finish(paragraphs, parts, links, kind)
                        parts, links, length, space, bold_marks = [], [], 0, True, []
                    line_length = 0
                elif effect == "space":
                    if not space:
                        parts.append(" ")
                        length += 1
                        space = True
                elif effect == "literal":
                    parts.append("<")
                    length += 1
                    space = False
                    position = start + 1
                    found = tokens(text, position)
                continue
            elif group == _CLOSE:
                if start in ignored:
                    continue
                if external:
                    external -= 1
                    continue
                parts.append("]")
                length += 1
                space = False
                continue
            elif group == _EXTERNAL:
                external += 1
                continue
            else:
                word = match.group(_SWITCH)
                if word != word.upper():
                    parts.append(match.group())
                    length += position - start
                    space = False
                continue

            target = parse(raw)
            if jump:
                found = tokens(text, position)
            if target.hidden:
                self.dropped[target.kind] += 1
                if trail:
                    parts.append(trail)
                    length += len(trail)
                    space = False
                continue
            if not label:
                label = raw.lstrip(" :").rstrip(" ")
                if "%" in label or "&" in label:
                    label = _decoded(label)
            if trail:
                label += trail
            if "\n" in label or "<" in label or "&" in label or "''" in label or "[" in label:
                label = _plain_label(label)
            if label[:1] == " ":
                label = label.lstrip(" ")
                if not space:
                    parts.append(" ")
                    length += 1
            if label[-1:] == " ":
                label = label.rstrip(" ")
                following = True
            else:
                following = False
            if not label:
                self.dropped["empty"] += 1
                space = not parts or parts[-1][-1] == " "
                continue
            if target.kind == ARTICLE:
                begin = length
                if prefix is not None and plain:
                    begin -= _prefix_length(plain, prefix)
                links.append((begin, length + len(label), target.title))
            else:
                self.dropped[target.kind] += 1
            parts.append(label)
            length += len(label)
            space = following
            if following:
                parts.append(" ")
                length += 1
        if position < size:
            plain = text[position:]
            parts.append(plain[1:] if space and plain[0] == " " else plain)
        if parts:
            if bold_marks and bold & 1 and italic & 1:
                _restore_apostrophe(parts, links, bold_marks)
            self._finish(paragraphs, parts, links, kind)
        return paragraphs

    def _finish(
        self, paragraphs: list[Paragraph], parts: list[str], links: list[Link], kind: str
    ) -> None:
        """Append the paragraph that ``parts`` make up, if there is anything in it."""
        text = "".join(parts)
        if text[-1:] == " ":
            text = text[:-1]
        if kind == "heading":
            end = links[-1][1] if links else 0
            text = text[: max(end, len(text.rstrip("= ")))]
        elif kind == "definition":
            kind = "item"
            split = _definition_split(text, links)
            if split >= 0:
                term, meaning = text[:split].rstrip(" "), text[split + 1 :]
                offset = len(text) - len(meaning.lstrip(" "))
                if term:
                    inside = [link for link in links if link[1] <= split]
                    paragraphs.append(Paragraph(term, inside, kind))
                    self.kept += len(inside)
                links = [(s - offset, e - offset, t) for s, e, t in links if s > split]
                text = text[offset:]
        if text:
            paragraphs.append(Paragraph(text, links, kind))
            self.kept += len(links)


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


# Longer than any title with a fragment: a target is not looked for beyond it.
_TARGET_LIMIT = 1000


def _raw_target(text: str, start: int, close: int) -> tuple[str, int]:
    """Target of a link whose inside begins at ``start``, and where its label begins (-1: none)."""
    end = start + _TARGET_LIMIT
    if 0 <= close < end:
        end = close
    bar = text.find("|", start, end)
    raw = text[start : bar if bar >= 0 else end]
    return (raw if "\n" not in raw else raw.partition("\n")[0] + "<"), bar + 1 if bar >= 0 else -1


def _restore_apostrophe(
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


def _definition_split(text: str, links: list[Link]) -> int:
    """Where the colon stands that ends the term of ``; term : meaning``; -1 when there is none."""
    position = text.find(":")
    for start, end, _ in links:
        if 0 <= position < start:
            break
        if position < end:
            position = text.find(":", end)
    return position


def _prefix_length(plain: str, prefix: re.Pattern[str]) -> int:
    """Number of characters at the end of ``plain`` that join the link behind it."""
    length = 0
    while length < len(plain) and prefix.match(plain[-1 - length]):
        length += 1
    return length


def _decoded(target: str) -> str:
    """A target as a reader sees it when the link has no label."""
    if "%" in target:
        target = unquote(target)
    return drop_controls(unescape(target)).strip(" :\n")


def _plain_label(label: str) -> str:
    """A label without markup; a space at its ends stays, for the caller to move out of the link."""
    label = _INLINE.sub(lambda match: match.group(1) or "", label)
    if "[[" in label:
        label = label.replace("[[", "")
    if "&" in label:
        label = clean_characters(drop_controls(unescape(label)))
    return _LABEL_SPACE.sub(" ", label)


_effects: dict[str, str] = {}
_EFFECTS_SIZE = 5000


def _tag_effect(tag: str) -> str:
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
