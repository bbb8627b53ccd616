"""Wikitext and what a reader sees of it, written together from one structure.

Whatever is added to a :class:`Line` goes into the wikitext and into the gold text at once, so that
the two cannot drift apart. The gold follows the contract of ``pages/``: plain text, runs of
whitespace (no-break spaces too) are one space, links as character spans, and what MediaWiki joins
to a link (letters behind it, in Arabic also those in front) belongs to the anchor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Letters that MediaWiki joins to a link in front of them; empty: the language has no link trail.
LINK_TRAILS = {
    "ar": "a-zء-ي",
    "de": "a-zäöüß",
    "en": "a-z",
    "es": "a-záéíóúñ",
    "fr": "a-zàâçéèêîôûäëïöüùÇÉÂÊÎÔÛÄËÏÖÜÀÈÙ",
    "ja": "a-z",
    "nl": "a-zäöüïëéèà",
    "tr": "a-zÇĞçğİıÖöŞşÜüÂâÎîÛû",
    "zh": "",
}
# In these languages letters in front of a link belong to it as well.
LINK_PREFIXES = {"ar": re.compile(r"[a-zA-Z\u0080-\U0010ffff]\Z")}

_MARKUP = re.compile(r"\[\[|\]\]|\{\{|\}\}|''|[<>&\n]|__|\{\||^[*#:;=|!]")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Paragraph:
    """One paragraph as extraction must give it."""

    text: str
    links: tuple[tuple[int, int, str], ...]
    """start and end in characters of ``text``, normalised target."""


class Line:
    """One line of wikitext and its gold text, built piece by piece."""

    def __init__(self, language: str) -> None:
        trail = LINK_TRAILS[language]
        self._trail = re.compile(f"[{trail}]") if trail else None
        self._prefix = LINK_PREFIXES.get(language)
        self._wikitext: list[str] = []
        self._shown: list[str] = []
        self._length = 0
        self._links: list[tuple[int, int, str]] = []
        self._behind_link = False
        self._ends_in_space = True  # leading space is no text

    def text(self, text: str) -> Line:
        """Add plain text; it must not hold anything that is markup."""
        if not text:
            return self
        if _MARKUP.search(text):
            raise ValueError(f"markup within plain text: {text!r}")
        if self._behind_link and self._trail and self._trail.match(text):
            self._wikitext.append("<nowiki/>")
        self._wikitext.append(text)
        self._show(text)
        self._behind_link = False
        return self

    def raw(self, wikitext: str, shown: str = "") -> Line:
        """Add markup that is seen as ``shown`` (nothing, as a rule)."""
        self._wikitext.append(wikitext)
        self._show(shown)
        self._behind_link = False
        return self

    def link(
        self,
        target: str,
        shown: str,
        inner: str,
        prefix: str = "",
        trail: str = "",
    ) -> Line:
        """Add ``prefix[[inner]]trail``, seen as ``shown`` and leading to ``target``."""
        written = "".join(self._wikitext[-1:])
        if self._prefix and self._prefix.search(written):
            self._wikitext.append("<nowiki/>")
        self._wikitext.append(f"{prefix}[[{inner}]]{trail}")
        start = self._length
        self._show(prefix + shown + trail)
        self._links.append((start, self._length, target))
        self._behind_link = True
        return self

    def _show(self, text: str) -> None:
        text = _SPACES.sub(" ", text)
        if self._ends_in_space:
            text = text.removeprefix(" ")
        if text:
            self._shown.append(text)
            self._length += len(text)
            self._ends_in_space = text[-1] == " "

    @property
    def wikitext(self) -> str:
        """The line as an editor would have typed it."""
        return "".join(self._wikitext)

    @property
    def paragraph(self) -> Paragraph:
        """The line as a reader sees it."""
        return Paragraph("".join(self._shown).rstrip(" "), tuple(self._links))


@dataclass
class Document:
    """A page: blocks of wikitext, some of which show a paragraph."""

    language: str
    _blocks: list[tuple[str, str]] = field(default_factory=list)
    paragraphs: list[Paragraph] = field(default_factory=list)

    def line(self) -> Line:
        """A new empty line in the language of the page."""
        return Line(self.language)

    def paragraph(self, line: Line) -> None:
        """Add ``line`` as a paragraph of its own."""
        self._add("paragraph", line.wikitext, line.paragraph)

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading; it is a paragraph of its own."""
        marks = "=" * level
        self._add("heading", f"{marks} {text} {marks}", Paragraph(text, ()))

    def item(self, line: Line, marker: str = "*") -> None:
        """Add an item of a list; it is a paragraph of its own."""
        self._add("item", f"{marker} {line.wikitext}", line.paragraph)

    def hidden(self, wikitext: str) -> None:
        """Add markup of which no text is to be kept: templates, tables, files, categories."""
        self._blocks.append(("hidden", wikitext))

    def _add(self, kind: str, wikitext: str, paragraph: Paragraph) -> None:
        self._blocks.append((kind, wikitext))
        if paragraph.text:
            self.paragraphs.append(paragraph)

    @property
    def wikitext(self) -> str:
        """The whole page."""
        parts: list[str] = []
        previous = ""
        for kind, wikitext in self._blocks:
            if parts:
                together = previous in ("hidden", "heading") or kind == previous == "item"
                parts.append("\n" if together else "\n\n")
            parts.append(wikitext)
            previous = kind
        return "".join(parts)
