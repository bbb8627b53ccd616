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

from mluke_core.corpus.brackets import SIMPLE, is_block, simplify_links
from mluke_core.corpus.characters import ENTITY, clean_characters, decode_entities, drop_controls
from mluke_core.corpus.expressions import NO_CHARACTER, any_name
from mluke_core.corpus.inline import (
    ADDRESS,
    BLOCK_TAGS,
    INLINE_TAGS,
    collapse_spaces,
    decoded,
    plain_label,
    prefix_length,
    restore_apostrophe,
)
from mluke_core.corpus.paragraphs import Columns, Paragraph
from mluke_core.corpus.reduce import Reducer, shown
from mluke_core.corpus.remembered import Remembered
from mluke_core.corpus.templates import TextTemplates
from mluke_core.corpus.titles import (
    ARTICLE,
    INVALID,
    LONGEST_PLAIN_TITLE,
    PLAIN_TITLE,
    Titles,
)
from mluke_core.corpus.wikis import Wiki

_TAGS = any_name(BLOCK_TAGS | INLINE_TAGS | {"br"})
# One group, so that splitting gives plain text and markup in turn.
_MARKUP = (
    rf"({SIMPLE}%s"
    rf"|\[{ADDRESS}"
    r"|\]"
    r"|''+"
    rf"|</?+{_TAGS}(?=[\s/>])[^<>{NO_CHARACTER}]*+>"
    rf"|{ENTITY}"
    r"|__(?:[^\W_]+(?:_[^\W_]+)*+)__"
    # Blank lines, then what the next line begins with: a heading, a list, a rule, the remains of a
    # table or template, or a space.
    r"|\n(?:\ ?\n)*+(?:=++(?=[^\n]*=\ ?(?:\n|\Z))|[*\#:;]++\ ?+|----+\ ?+|\ ?\|[^\n]*+|\ )?+)"
)
# Most links: to a plain title, with a label that is shown as it is written, or none.
_PLAIN_LINK = re.compile(
    rf"\[\[({PLAIN_TITLE})(?:\|(?! )([^\n<&'\]]++(?:'(?!')[^\n<&'\]]*+)*+)(?<! ))?+\]\](.*+)"
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
_KINDS = ("text", "item")
_BOLD_AND_ITALIC = 5
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
    _ITALIC,  # is two quotes
    _QUOTES,  # is more of them
    _TEXT,  # is text
    _OPEN,  # begins an external link
    _CLOSE,  # ends one, or is a bracket
    _BREAK,  # begins or ends a block
) = range(13)
_Effect = tuple[int, str, str]
"""What it does; its text, or of a line the kind of paragraph that may begin; and of a link the
article's title, or the reason why it is no link to one; of quotes, whether they are italic too."""
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
        # What pieces of markup do.
        self._effects = Remembered(self._effect, _REMEMBERED, _REMEMBERED_LENGTH)

    def __call__(self, text: str) -> list[Paragraph]:
        """Paragraphs of a page."""
        columns = Columns()
        self.extract(drop_controls(text), columns)
        return columns.paragraphs()

    def extract(self, text: str, columns: Columns) -> None:
        """Add a page's paragraphs to ``columns``.

        Args:
            text: wikitext without control characters; what an XML parser gives has none.
            columns: added to.
        """
        text, protected = self._reduce(text)
        if "[" in text:
            text, in_labels = simplify_links(text, self.titles, self.dropped)
            protected |= in_labels
        if self._paragraph_per_line:
            text = text.replace("\n", "\n\n")
        paragraphs, links = len(columns.texts), len(columns.starts)
        self._scan(clean_characters(f"\n{text}{_END}"), columns)
        self.kept += len(columns.starts) - links
        if protected:
            columns.texts[paragraphs:] = map(shown, columns.texts[paragraphs:])

    def _scan(self, source: str, columns: Columns) -> None:
        starts, ends, targets = columns.starts, columns.ends, columns.targets
        texts, kinds, counts = columns.texts, columns.kinds, columns.links
        parts: list[str] = []
        length = 0
        first = len(starts)  # link of the paragraph
        line_length = line_part = 0  # characters and parts of the paragraph before its last line
        kind = "text"
        # Whether the paragraph may be more than its parts joined: there may be spaces side by side
        # where something has been left out. Most paragraphs hold nothing but links.
        rough = False
        bold = italic = external = 0
        bold_marks: list[tuple[int, int]] = []
        prefix = self._prefix
        # Plain text and markup in turn; nothing is behind the end.
        pieces = iter(self._cut(source))
        effects = map(self._effects.__getitem__, pieces)
        for plain, (effect, payload, title) in zip(pieces, effects, strict=False):
            if plain:
                parts.append(plain)
                length += len(plain)
            if effect == _LINK:
                if prefix is not None and plain:
                    starts.append(length - prefix_length(plain, prefix))
                else:
                    starts.append(length)
                length += len(payload)
                ends.append(length)
                targets.append(title)
                parts.append(payload)
            elif effect == _LINE:
                if rough:
                    if bold & 1 and italic & 1 and bold_marks:
                        length += restore_apostrophe(parts, columns, first, bold_marks)
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
                    rough = True
                    continue
                if parts:
                    text = "".join(parts)
                    if (
                        kind not in _KINDS
                        or text[0] == " "
                        or text[-1] == " "
                        or (rough and "  " in text)
                    ):
                        self._finish(columns, text, first, kind, rough)
                    else:
                        texts.append(text)
                        kinds.append(kind)
                        counts.append(len(starts) - first)
                    parts, first, length = [], len(starts), 0
                line_length = line_part = 0
                kind = payload or "text"
                rough = False
            elif effect == _ITALIC:
                rough = True
                italic += 1
            elif effect == _QUOTES:
                rough = True
                if payload:
                    parts.append(payload)
                    length += len(payload)
                bold += 1
                if title:
                    italic += 1
                else:
                    bold_marks.append((len(parts), length))
            elif effect == _TEXT:
                rough = True
                parts.append(payload)
                length += len(payload)
            elif effect == _SPACED_LINK:
                rough = True
                start = length + (payload[0] == " ")
                if prefix is not None and plain and start == length:
                    start -= prefix_length(plain, prefix)
                starts.append(start)
                length += len(payload)
                ends.append(length - (payload[-1] == " "))
                targets.append(title)
                parts.append(payload)
            elif effect == _UNLINKED:
                rough = True
                self.dropped[title] += 1
                if payload:
                    parts.append(payload)
                    length += len(payload)
            elif effect == _HIDDEN:
                rough = True
                self.dropped[title] += 1
                # A line with nothing but such links is none to the reader.
                line_length = -1
                if payload:
                    parts.append(payload)
                    length += len(payload)
            elif effect == _OPEN:
                rough = True
                external += 1
            elif effect == _CLOSE:
                rough = True
                if external:
                    external -= 1
                else:
                    parts.append("]")
                    length += 1
            elif effect == _BREAK:
                rough = True
                if parts:
                    line = 0 if payload else line_part
                    self._finish_lines(columns, parts, first, kind, line)
                    parts, first, length, bold_marks = [], len(starts), 0, []
                line_part = 0
                # The rest of a line behind the end of a block is a paragraph of its own.
                line_length = sys.maxsize if payload else 0
            elif effect == _BLOCK_IMAGE:
                rough = True
                self.dropped[title] += 1
                if parts:
                    self._finish_lines(columns, parts, first, kind, line_part)
                    parts, first, length, bold_marks = [], len(starts), 0, []
                line_length = line_part = 0
                if payload:
                    parts.append(payload)
                    length += len(payload)
            else:
                rough = True

    def _finish_lines(
        self, columns: Columns, parts: list[str], first: int, kind: str, line: int
    ) -> None:
        """Finish before a block: its line, from part ``line`` on, is a paragraph of its own."""
        if 0 < line < len(parts):
            start = sum(map(len, parts[:line]))
            links = columns.take_links(first)
            columns.put_links(link for link in links if link[0] < start)
            behind = [(s - start, e - start, target) for s, e, target in links if s >= start]
            self._finish(columns, "".join(parts[:line]), first, kind, True)
            parts, first = parts[line:], len(columns.starts)
            columns.put_links(behind)
        self._finish(columns, "".join(parts), first, kind, True)

    def _finish(self, columns: Columns, text: str, first: int, kind: str, rough: bool) -> None:
        """Add a paragraph, if there is anything in it."""
        gap = text[0] == " "
        if (rough and "  " in text) or (gap and len(columns.starts) > first):
            text, links = collapse_spaces(text, columns.take_links(first))
            columns.put_links(links)
        elif gap:
            text = text[1:]
        if text[-1:] == " ":
            text = text[:-1]
        if kind not in _KINDS:
            text = _heading(text, kind, gap, columns, first) if kind[0] == "=" else text
            kind = "heading" if kind[0] == "=" else "text"
        if text:
            columns.texts.append(text)
            columns.kinds.append(kind)
            columns.links.append(len(columns.starts) - first)

    def _effect(self, markup: str) -> _Effect:
        """What a piece of markup does."""
        if not markup.startswith("[["):
            return _effect_of(markup)
        match = _PLAIN_LINK.fullmatch(markup)
        if match:
            raw, label, trail = match.groups()
            if len(raw) <= LONGEST_PLAIN_TITLE:
                return _LINK, (label or raw) + trail, self.titles.plain(raw)
        return self._link(markup)

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


def _heading(text: str, mark: str, gap: bool, columns: Columns, first: int) -> str:
    """The text of a heading without the signs at its end, which may be fewer than in ``mark``."""
    end = columns.ends[-1] if len(columns.ends) > first else 0
    stripped = text[: max(end, len(text.rstrip("=")))]
    level = min(len(mark), len(text) - len(stripped), _DEEPEST_HEADING)
    text = text[: len(text) - level].rstrip(" ")
    if 0 < level < len(mark):
        # Signs that are not part of the heading's mark are text.
        signs = "=" * (len(mark) - level) + " " * gap
        text = (signs + text).rstrip(" ")
        links = columns.take_links(first)
        columns.put_links((s + len(signs), e + len(signs), target) for s, e, target in links)
    return text


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
        if run == 2:
            return _ITALIC, "", ""
        is_both = run >= _BOLD_AND_ITALIC
        shown = "'" * (run - _BOLD_AND_ITALIC if is_both else run == 4)
        return _QUOTES, shown, "italic" if is_both else ""
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
