"""Last third of the wikitext extractor: paragraphs of plain text with exact link spans.

The text comes reduced (:mod:`mluke_core.corpus.reduce`) and with simple links only
(:mod:`mluke_core.corpus.brackets`). One regular expression cuts it at every piece of markup; the
text between is copied, and a running offset says where a link begins and ends, so spans are exact
by construction. Every alternative of that expression begins with a literal character: ``re`` then
skips plain text with a character table, three times faster. What a piece of markup other than a
link does is remembered, since nearly all of them recur.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from typing import NamedTuple

from mluke_core.corpus.brackets import SIMPLE, is_block, simplify_links
from mluke_core.corpus.characters import ENTITY, clean_characters, decode_entities, drop_controls
from mluke_core.corpus.inline import (
    ADDRESS,
    BLOCK_TAGS,
    INLINE_TAGS,
    Link,
    collapse_spaces,
    decoded,
    plain_label,
    prefix_length,
    restore_apostrophe,
)
from mluke_core.corpus.reduce import Reducer, shown
from mluke_core.corpus.templates import TextTemplates
from mluke_core.corpus.titles import ARTICLE, INVALID, Titles
from mluke_core.corpus.wikis import Wiki


class Paragraph(NamedTuple):
    """A paragraph, list item or heading."""

    text: str
    """Plain text without line feeds; white space is single spaces, none at the ends."""
    links: list[Link]
    """Sorted, not overlapping, none empty; ``text[start:end]`` is the anchor."""
    kind: str = "text"
    """``text``, ``item`` (of a list, or indented) or ``heading``."""


_TAGS = "|".join(sorted(BLOCK_TAGS | INLINE_TAGS | {"br"}, key=lambda name: (-len(name), name)))
# One group, so that splitting gives plain text and markup in turn.
_MARKUP = (
    rf"({SIMPLE}%s"
    rf"|\[{ADDRESS}"
    r"|\]"
    r"|''+"
    rf"|</?+(?i:{_TAGS})(?=[\s/>])[^<>]*+>"
    rf"|{ENTITY}"
    r"|__(?:[^\W_]+(?:_[^\W_]+)*+)__"
    # Blank lines, then what the next line begins with: a heading, a list, a rule, the remains of a
    # table or template, or a space.
    r"|\n(?:\ ?\n)*+(?:=++(?=[^\n]*=\ ?(?:\n|\Z))|[*\#:;]++\ ?+|----+\ ?+|\ ?\|[^\n]*+|\ )?+)"
)
# Behind a page: the end of its last paragraph.
_END = "\n\n"
# Behaviour switches in English work in any case on every wiki.
_SWITCHES = frozenset(
    {"notoc", "forcetoc", "toc", "noeditsection", "nogallery", "index", "noindex", "hiddencat"}
    | {"newsectionlink", "nonewsectionlink", "staticredirect", "notitleconvert", "notc"}
    | {"nocontentconvert", "nocc", "disambig"}
)
_DEEPEST_HEADING = 6
_INDENTED, _NEWLY_INDENTED = "indented", "newly indented"
_ALL_INDENTED = (_INDENTED, _NEWLY_INDENTED)
_TAG_NAME = re.compile(r"</?([a-zA-Z0-9]+)")

# What a piece of markup does.
(
    _NOTHING,
    _LINK,  # is a link to an article
    _SPACED_LINK,  # the same; spaces at the ends of its text are not part of the anchor
    _UNLINKED,  # shows its text, but is no link to an article
    _HIDDEN,  # is a link that shows nothing; behind it may be a trail
    _BLOCK_IMAGE,  # is a picture that stands between paragraphs
    _LINE,  # ends a line
    _QUOTES,
    _TEXT,  # is text
    _OPEN,  # begins an external link
    _CLOSE,  # ends one, or is a bracket
    _BREAK,  # begins or ends a block
) = range(12)
_Effect = tuple[int, str, str]
"""What it does; its text, or of a line the kind of paragraph that may begin; and of a link the
article's title, or the reason why it is no link to one."""
_REMEMBERED = 100_000
_REMEMBERED_LENGTH = 100


class WikitextExtractor:
    """Turns wikitext into paragraphs with links, for one wiki.

    Args:
        wiki: the rules of the wiki.
        link_trails: whether letters right behind a link belong to its anchor, as readers see it
            (``[[cat]]s``); false: they are plain text.
        template_text: whether the text of templates such as ``{{lang}}`` is kept.
        paragraph_per_line: whether every line is a paragraph of its own.

    ``kept`` counts links and ``dropped`` counts the others by reason: ``file``, ``category``,
    ``namespace``, ``interlanguage``, ``interwiki``, ``section`` (of the page itself), ``invalid``
    and ``empty`` (nothing to show).

    >>> from mluke_core.corpus.wikis import load_wiki
    >>> extractor = WikitextExtractor(load_wiki("en"))
    >>> extractor("The ''[[cat]]s'' of [[Rome|it]].<ref>x</ref>")
    [Paragraph(text='The cats of it.', links=[(4, 8, 'Cat'), (12, 14, 'Rome')], kind='text')]
    """

    def __init__(
        self,
        wiki: Wiki,
        link_trails: bool = True,
        template_text: bool = True,
        paragraph_per_line: bool = False,
    ) -> None:
        self.wiki = wiki
        self.titles = Titles(wiki)
        self.kept = 0
        self.dropped: Counter[str] = Counter()
        self._paragraph_per_line = paragraph_per_line
        self._reduce = Reducer(TextTemplates(wiki.language, template_text), wiki.variant_rules)
        trail = f"[{wiki.trail}]*+" if wiki.trail and link_trails else ""
        self._cut = re.compile(_MARKUP % trail).split
        prefix = wiki.prefix if link_trails else ""
        self._prefix = re.compile(f"[{prefix}]") if prefix else None
        self._effects: dict[str, _Effect] = {}

    def __call__(self, text: str, clean: bool = False) -> list[Paragraph]:
        """Paragraphs of a page.

        Args:
            text: wikitext.
            clean: ``text`` holds no control characters (it comes from an XML parser).
        """
        if not clean:
            text = drop_controls(text)
        text, protected = self._reduce(text)
        if "[" in text:
            text, in_labels = simplify_links(text, self.titles, self.dropped)
            protected |= in_labels
        if self._paragraph_per_line:
            text = text.replace("\n", "\n\n")
        paragraphs = self._paragraphs(clean_characters(f"\n{text}{_END}"))
        if protected:
            paragraphs = [Paragraph(shown(text), links, kind) for text, links, kind in paragraphs]
        return paragraphs

    def _paragraphs(self, source: str) -> list[Paragraph]:
        paragraphs: list[Paragraph] = []
        parts: list[str] = []
        links: list[Link] = []
        length = 0
        line_length = line_part = 0  # characters and parts of the paragraph before its last line
        kind = "text"
        bold = italic = external = 0
        bold_marks: list[tuple[int, int]] = []
        effects, prefix = self._effects, self._prefix
        pieces = iter(self._cut(source))
        for plain, markup in zip(pieces, pieces, strict=False):  # nothing is behind the end
            if plain:
                parts.append(plain)
                length += len(plain)
            effect, payload, title = effects.get(markup) or self._effect(markup)
            if effect == _LINK:
                start = length
                length += len(payload)
                if prefix is not None and plain:
                    start -= prefix_length(plain, prefix)
                links.append((start, length, title))
                parts.append(payload)
            elif effect == _LINE:
                if bold_marks:
                    if bold & 1 and italic & 1:
                        length += restore_apostrophe(parts, links, bold_marks)
                    bold_marks = []
                bold = italic = external = 0
                # A line with a space alone is blank.
                if (
                    length > line_length
                    and (
                        (not payload and kind == "text")
                        or (payload == _INDENTED and kind in _ALL_INDENTED)
                    )
                    and (not parts or length > line_length + (parts[-1] == " "))
                ):
                    parts.append(" ")
                    length += 1
                    line_length = length
                    line_part = len(parts)
                    continue
                if parts:
                    self._finish(paragraphs, parts, links, kind)
                    parts, links, length = [], [], 0
                line_length = line_part = 0
                kind = payload or "text"
            elif effect == _QUOTES:
                run = len(markup)
                if payload:
                    parts.append(payload)
                    length += len(payload)
                if run == 2:
                    italic += 1
                elif run < 5:
                    bold += 1
                    bold_marks.append((len(parts), length))
                else:
                    italic += 1
                    bold += 1
            elif effect == _TEXT:
                parts.append(payload)
                length += len(payload)
            elif effect == _SPACED_LINK:
                start = length + (payload[0] == " ")
                end = length + len(payload) - (payload[-1] == " ")
                if prefix is not None and plain and start == length:
                    start -= prefix_length(plain, prefix)
                links.append((start, end, title))
                parts.append(payload)
                length += len(payload)
            elif effect == _UNLINKED:
                self.dropped[title] += 1
                if payload:
                    parts.append(payload)
                    length += len(payload)
            elif effect == _HIDDEN:
                self.dropped[title] += 1
                # A line with nothing but such links is none to the reader.
                line_length = -1
                if payload:
                    parts.append(payload)
                    length += len(payload)
            elif effect == _OPEN:
                external += 1
            elif effect == _CLOSE:
                if external:
                    external -= 1
                else:
                    parts.append("]")
                    length += 1
            elif effect == _BREAK:
                if parts:
                    line = 0 if payload else line_part
                    self._finish_lines(paragraphs, parts, links, kind, line)
                    parts, links, length, bold_marks = [], [], 0, []
                line_part = 0
                # The rest of a line behind the end of a block is a paragraph of its own.
                line_length = sys.maxsize if payload else 0
            elif effect == _BLOCK_IMAGE:
                self.dropped[title] += 1
                if parts:
                    self._finish_lines(paragraphs, parts, links, kind, line_part)
                    parts, links, length, bold_marks = [], [], 0, []
                line_length = line_part = 0
                if payload:
                    parts.append(payload)
                    length += len(payload)
        return paragraphs

    def _finish_lines(
        self,
        paragraphs: list[Paragraph],
        parts: list[str],
        links: list[Link],
        kind: str,
        line: int,
    ) -> None:
        """Finish before a block: its line, from part ``line`` on, is a paragraph of its own."""
        if 0 < line < len(parts):
            start = sum(map(len, parts[:line]))
            before = [link for link in links if link[0] < start]
            links = [(s - start, e - start, t) for s, e, t in links[len(before) :]]
            self._finish(paragraphs, parts[:line], before, kind)
            parts = parts[line:]
        self._finish(paragraphs, parts, links, kind)

    def _finish(
        self, paragraphs: list[Paragraph], parts: list[str], links: list[Link], kind: str
    ) -> None:
        """Append the paragraph that ``parts`` make up, if there is anything in it."""
        text = "".join(parts)
        gap = " " if text[0] == " " else ""
        if "  " in text or (gap and links):
            text, links = collapse_spaces(text, links)
        elif gap:
            text = text[1:]
        if text[-1:] == " ":
            text = text[:-1]
        if kind[0] == "=":
            end = links[-1][1] if links else 0
            stripped = text[: max(end, len(text.rstrip("=")))]
            level = min(len(kind), len(text) - len(stripped), _DEEPEST_HEADING)
            text = text[: len(text) - level].rstrip(" ")
            if 0 < level < len(kind):
                # Signs that are not part of the heading's mark are text.
                signs = "=" * (len(kind) - level) + gap
                text = (signs + text).rstrip(" ")
                links = [(s + len(signs), e + len(signs), t) for s, e, t in links]
            kind = "heading"
        elif kind in _ALL_INDENTED:
            kind = "text"
        if text:
            paragraphs.append(Paragraph(text, links, kind))
            self.kept += len(links)

    def _effect(self, markup: str) -> _Effect:
        """What a piece of markup does; remembered."""
        effect = self._link(markup) if markup.startswith("[[") else _effect_of(markup)
        if len(markup) <= _REMEMBERED_LENGTH:
            if len(self._effects) >= _REMEMBERED:
                self._effects.clear()
            self._effects[markup] = effect
        return effect

    def _link(self, markup: str) -> _Effect:
        """What ``[[target|label]]trail`` shows, and where it leads."""
        inside, _, trail = markup[2:].rpartition("]]")
        raw, bar, label = inside.partition("|")
        target = self.titles.parse(raw)
        if target.hidden:
            is_apart = target.kind == "file" and is_block(label, self.wiki.block_images)
            return _BLOCK_IMAGE if is_apart else _HIDDEN, trail, target.kind
        if not label:
            shown = _shown_target(raw, target.kind) + trail
        elif "\n" in label or "<" in label or "&" in label or "''" in label:
            shown = plain_label(label + trail)
        else:
            shown = label + trail
        if not shown.strip(" "):
            return _UNLINKED, shown[:1], "empty"
        if bar and not label:  # [[cat|]]
            return _UNLINKED, shown, "invalid"
        if target.kind != ARTICLE:
            return _UNLINKED, shown, target.kind
        is_spaced = shown[0] == " " or shown[-1] == " "
        return _SPACED_LINK if is_spaced else _LINK, shown, target.title


def _shown_target(raw: str, kind: str) -> str:
    """What a link without a label shows."""
    shown = raw.strip(" ")
    if kind == INVALID.kind:
        return clean_characters(decode_entities(shown))
    shown = shown.removeprefix(":").lstrip(" ")
    return decoded(shown) if "%" in shown or "&" in shown else shown


def _effect_of(markup: str) -> _Effect:
    first = markup[0]
    if first == "\n":
        start = markup.strip("\n ")
        mark = start[:1]
        if mark == "=":
            return _LINE, start, ""
        if mark and mark in "*#:;":
            return _LINE, "item", ""
        blank = mark or markup.count("\n") > 1
        if not mark and markup[-1] == " ":
            return _LINE, _NEWLY_INDENTED if blank else _INDENTED, ""
        return _LINE, "text" if blank else "", ""
    if first == "'":
        run = len(markup)
        return _QUOTES, "'" * (1 if run == 4 else max(run - 5, 0)), ""
    if first == "<":
        match = _TAG_NAME.match(markup)
        name = match.group(1).lower() if match else ""
        if name == "br":
            return _TEXT, " ", ""
        if name in BLOCK_TAGS:
            return _BREAK, "/" if markup[1] == "/" else "", ""
        return _NOTHING, "", ""
    if first == "&":
        characters = clean_characters(decode_entities(markup))
        if characters.isspace():
            characters = " "
        return (_TEXT, characters, "") if characters else (_NOTHING, "", "")
    if first == "[":
        return _OPEN, "", ""
    if first == "]":
        return _CLOSE, "", ""
    known = markup == markup.upper() or markup.strip("_").lower() in _SWITCHES
    return (_NOTHING, "", "") if known else (_TEXT, markup, "")
