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

from mluke_core.corpus.characters import clean_characters, drop_controls
from mluke_core.corpus.inline import (
    CAPTION,
    PROTOCOL,
    Link,
    decoded,
    definition_split,
    pair_brackets,
    plain_label,
    prefix_length,
    raw_target,
    restore_apostrophe,
    tag_effect,
)
from mluke_core.corpus.reduce import UNPROTECT, Reducer
from mluke_core.corpus.templates import TextTemplates
from mluke_core.corpus.titles import ARTICLE, Titles
from mluke_core.corpus.wikis import Wiki


class Paragraph(NamedTuple):
    """A paragraph, list item or heading."""

    text: str
    """Plain text without line feeds; white space is single spaces, none at the ends."""
    links: list[Link]
    """Sorted, not overlapping, none empty; ``text[start:end]`` is the anchor."""
    kind: str = "text"
    """``text``, ``item`` (of a list, or indented) or ``heading``."""


# Numbers of the groups that tell the alternatives of the expression below apart.
_SIMPLE, _COMPLEX, _EXTERNAL, _CLOSE, _QUOTES, _TAG, _ENTITY, _SWITCH = 3, 4, 5, 6, 7, 8, 9, 10
_LINE, _HEADING, _LIST = 11, 12, 13
_TOKENS = (
    r"\[\[([^][|\n<>{}]*+)(?:\|([^][|]*+))?+\]\](%s)"  # 1-3 link without brackets inside
    r"|\[\[(?!\[)()"  # 4 any other link
    rf"|\[(?:{PROTOCOL}"  # 5 external link: the address
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
    >>> extractor("The ''[[cat]]s'' of [[Rome|it]].<ref>x</ref>")
    [Paragraph(text='The cats of it.', links=[(4, 8, 'Cat'), (12, 14, 'Rome')], kind='text')]
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

    def _scan(self, text: str) -> list[Paragraph]:
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
                caption = CAPTION.match(text, start)
                if caption:
                    close = caption.end() - 2
                else:
                    if pairs is None:
                        pairs = pair_brackets(text)
                    close = pairs.get(start, -1)
                raw, label_start = raw_target(text, position, close)
                target = parse(raw)
                jump = True
                if close < 0:
                    self.dropped["invalid"] += 1
                    if target.hidden:
                        position = text.find("\n", position)
                        position = size if position < 0 else position
                        found = tokens(text, position)
                    continue
                if not target.hidden and (label_start < 0 or text.find("[[", position, close) >= 0):
                    # MediaWiki makes no link of it; what stands inside is ordinary text.
                    self.dropped["invalid"] += 1
                    ignored.update((close, close + 1))
                    if label_start >= 0:
                        position = label_start
                        found = tokens(text, position)
                    continue
                inside = position
                position = close + 2
                if text.startswith("]", position) and (
                    text.count("[", inside, close) > text.count("]", inside, close)
                ):
                    # Of three brackets the first closes an external link inside.
                    position += 1
                label = "" if target.hidden else text[label_start : position - 2]
                ending = self._trail.match(text, position)
                trail = ending.group() if ending else ""
                position += len(trail)
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
                        length += restore_apostrophe(parts, links, bold_marks)
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
                effect = tag_effect(match.group(_TAG))
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
                    label = decoded(label)
            if trail:
                label += trail
            if "\n" in label or "<" in label or "&" in label or "''" in label or "[" in label:
                label = plain_label(label)
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
                    begin -= prefix_length(plain, prefix)
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
                restore_apostrophe(parts, links, bold_marks)
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
            split = definition_split(text, links)
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
