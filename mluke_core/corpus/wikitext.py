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
from collections import Counter
from typing import NamedTuple

from mluke_core.corpus.brackets import SIMPLE, simplify_links
from mluke_core.corpus.characters import clean_characters, decode_entities, drop_controls
from mluke_core.corpus.inline import (
    BLOCK_TAGS,
    INLINE_TAGS,
    PROTOCOL,
    Link,
    collapse_spaces,
    decoded,
    definition_split,
    plain_label,
    prefix_length,
    restore_apostrophe,
)
from mluke_core.corpus.reduce import Reducer, shown
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


_TAGS = "|".join(sorted(BLOCK_TAGS | INLINE_TAGS | {"br"}, key=lambda name: (-len(name), name)))
# Groups: 1 the piece of markup; of a link also 2 the target, 3 the label, 4 the trail.
_MARKUP = (
    rf"({SIMPLE}(%s)"
    rf"|\[(?i:{PROTOCOL})[^][\s<>\"]*+\ ?+"
    r"|\]"
    r"|''+"
    rf"|</?+(?i:{_TAGS})(?=[\s/>])[^<>]*+>"
    r"|&(?:\#(?:\d{1,8}|[xX][0-9a-fA-F]{1,7});|[A-Za-z][A-Za-z0-9]{1,30};)"
    r"|__(?:[^\W_]+(?:_[^\W_]+)*+)__"
    # Blank lines, then what the next line begins with: a heading, a list, a rule, or the remains
    # of a table or template.
    r"|\n(?:\ ?\n)*+\ ?+(?:=++(?=[^\n]*=\ ?(?:\n|\Z))|[*\#:;]++|----+|\|[^\n]*+)?+)"
)
_TAG_NAME = re.compile(r"</?([a-zA-Z0-9]+)")

# What a piece of markup does.
_NOTHING, _TEXT, _BREAK, _QUOTES, _LINE, _OPEN, _CLOSE = range(7)
_Effect = tuple[int, str]
# Of a target: the article (empty: none), the label where the link has none (None: the link shows
# nothing), and why it is no link to an article.
_Known = tuple[str, str | None, str]
_REMEMBERED = 5000
_REMEMBERED_LENGTH = 80
_REMEMBERED_TARGETS = 100_000


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
        self._reduce = Reducer(TextTemplates(wiki.language, template_text), wiki.variants)
        trail = f"[{wiki.trail}]*+" if wiki.trail and link_trails else ""
        self._cut = re.compile(_MARKUP % trail).split
        prefix = wiki.prefix if link_trails else ""
        self._prefix = re.compile(f"[{prefix}]") if prefix else None
        self._effects: dict[str, _Effect] = {}
        self._targets: dict[str, _Known] = {}

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
        paragraphs = self._paragraphs("\n" + clean_characters(text))
        if protected:
            paragraphs = [Paragraph(shown(text), links, kind) for text, links, kind in paragraphs]
        return paragraphs

    def _paragraphs(self, source: str) -> list[Paragraph]:
        paragraphs: list[Paragraph] = []
        parts: list[str] = []
        links: list[Link] = []
        length = line_length = 0
        kind = "text"
        bold = italic = external = 0
        bold_marks: list[tuple[int, int]] = []
        effects, targets, prefix = self._effects, self._targets, self._prefix
        cuts = self._cut(source)
        cuts += (None, None, None, None)
        stream = iter(cuts)
        for plain, markup, raw, label, trail in zip(*[stream] * 5, strict=True):
            if plain:
                parts.append(plain)
                length += len(plain)
            if raw is not None:
                title, anchor, reason = targets.get(raw) or self._target(raw)
                if anchor is None:
                    self.dropped[reason] += 1
                    if trail:
                        parts.append(trail)
                        length += len(trail)
                    continue
                following = False
                if label:
                    anchor = label + trail
                    if "\n" in label or "<" in label or "&" in label or "''" in label:
                        anchor = plain_label(anchor)
                    if anchor[:1] == " ":
                        anchor = anchor.lstrip(" ")
                        parts.append(" ")
                        length += 1
                    if anchor[-1:] == " ":
                        anchor = anchor.rstrip(" ")
                        following = True
                elif trail:
                    anchor += trail
                if not anchor:
                    self.dropped["empty"] += 1
                    continue
                start = length
                length += len(anchor)
                if title:
                    if prefix is not None and plain and parts[-1] == plain:
                        start -= prefix_length(plain, prefix)
                    links.append((start, length, title))
                else:
                    self.dropped[reason] += 1
                parts.append(anchor)
                if following:
                    parts.append(" ")
                    length += 1
                continue
            if markup is None:
                break
            effect, payload = effects.get(markup) or self._effect(markup)
            if effect == _LINE:
                if bold_marks:
                    if bold & 1 and italic & 1:
                        length += restore_apostrophe(parts, links, bold_marks)
                    bold_marks = []
                bold = italic = external = 0
                # A line with a space alone is blank.
                if (
                    not payload
                    and kind == "text"
                    and length > line_length
                    and length > line_length + (parts[-1] == " ")
                ):
                    parts.append(" ")
                    length += 1
                    line_length = length
                    continue
                if parts:
                    self._finish(paragraphs, parts, links, kind)
                    parts, links, length = [], [], 0
                line_length = 0
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
                    self._finish(paragraphs, parts, links, kind)
                    parts, links, length, bold_marks = [], [], 0, []
                line_length = 0
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
        if text[0] == " " or "  " in text:
            text, links = collapse_spaces(text, links)
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

    def _target(self, raw: str) -> _Known:
        """What a target names and shows; remembered."""
        target = self.titles.parse(raw)
        anchor: str | None = None
        if not target.hidden:
            anchor = raw.lstrip(" :").rstrip(" ")
            if "%" in anchor or "&" in anchor:
                anchor = decoded(anchor)
            anchor = plain_label(anchor)
        title = target.title if target.kind == ARTICLE else ""
        known = (title, anchor, target.kind)
        if len(self._targets) >= _REMEMBERED_TARGETS:
            self._targets.clear()
        self._targets[raw] = known
        return known

    def _effect(self, markup: str) -> _Effect:
        """What a piece of markup other than a link does; remembered."""
        effect = _effect_of(markup)
        if len(markup) <= _REMEMBERED_LENGTH:
            if len(self._effects) >= _REMEMBERED:
                self._effects.clear()
            self._effects[markup] = effect
        return effect


def _effect_of(markup: str) -> _Effect:
    first = markup[0]
    if first == "\n":
        mark = markup.lstrip("\n ")[:1]
        if mark == "=":
            return _LINE, "heading"
        if mark and mark in "*#:;":
            return _LINE, "definition" if markup[-1] == ";" else "item"
        return _LINE, "text" if mark or markup.count("\n") > 1 else ""
    if first == "'":
        run = len(markup)
        return _QUOTES, "'" * (1 if run == 4 else max(run - 5, 0))
    if first == "<":
        match = _TAG_NAME.match(markup)
        name = match.group(1).lower() if match else ""
        if name == "br":
            return _TEXT, " "
        return _BREAK if name in BLOCK_TAGS else _NOTHING, ""
    if first == "&":
        characters = clean_characters(decode_entities(markup))
        if characters.isspace():
            characters = " "
        return (_TEXT, characters) if characters else (_NOTHING, "")
    if first == "[":
        return _OPEN, ""
    if first == "]":
        return _CLOSE, ""
    return (_NOTHING, "") if markup == markup.upper() else (_TEXT, markup)
