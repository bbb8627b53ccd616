"""What a reader sees of MediaWiki's HTML, after the rules of docs/corpus.md.

Those rules drop tables, references, galleries, formulas and pictures with their captions, and a
blank line ends a paragraph even where lines begin with a space; the rest is paragraphs of text, and
links to articles with the exact span of their anchor. A redirect is one paragraph of its own kind,
with its target as a link.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from lxml import html
from lxml.etree import _Comment

from mluke_core.corpus.characters import clean_characters
from mluke_core.corpus.paragraphs import Paragraph
from mluke_core.corpus.wikis import Wiki

_BLOCK_NAMES = """
address article aside blockquote center dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr
li main nav ol p poem pre section table ul
"""
# Dropped by the rules of docs/corpus.md; <rt>, <rp> and <rtc> are the reading aids of <ruby>.
_DROPPED_NAMES = "table figure math rp rt rtc script style audio video map object embed noscript"
_DROPPED_CLASS_NAMES = """
reference references mw-references-wrap gallery mw-editsection toc thumb mw-broken-media autonumber
mw-ext-cite-error mwe-math-element noresize
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_DROPPED_TAGS = frozenset(_DROPPED_NAMES.split())
_DROPPED_CLASSES = frozenset(_DROPPED_CLASS_NAMES.split())
_DROPPED_TYPES = re.compile(
    r"mw:(?:File|Image|Video|Audio|Extension/(?:ref|references|gallery|math|imagemap|indicator))\b"
)
_DROPPED_MARKERS = re.compile(r"mw:(?:editsection|tocplace|toc)\Z")
_SPACES = re.compile(r"[ \n\r\t\f]+")
_END = re.compile("\f")
_BLANK_LINE = re.compile(r"\n[ \t]*\n|\f")
# A line that begins with a bar is what is left of a table; our rules drop it.
_TABLE_REMAINS = re.compile(r"\n ?\|[^\n]*")
# Double brackets that MediaWiki left in the text because it made no link of them.
_LOOSE_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]]*)\]\]")
_LOOSE_LABELLED = re.compile(r"\[\[(?:[^\[\]|]*\|(?=[^\[\]]))?([^\[\]]*?)\|?\]\]")
_LOOSE_BRACKETS = re.compile(r"\[\[(?!\[)|\]\]")


def redirect_to(title: str) -> list[Paragraph]:
    """What stands for a redirect; ``title`` is empty when it leads out of the wiki."""
    return [Paragraph("#REDIRECT", [(0, 9, title)], "redirect")]


def without_loose_brackets(
    paragraphs: list[Paragraph], empty_label: bool = False
) -> list[Paragraph]:
    """Apply a rule of docs/corpus.md: what is no link loses its brackets and keeps its label.

    Args:
        paragraphs: what a reader sees.
        empty_label: whether a label without text stays empty, as one that is a picture does; else
            the target is kept, as that of ``[[target|]]`` is.

    >>> without_loose_brackets([Paragraph("[[a<b|it]] and x", [(15, 16, "X")])])
    [Paragraph(text='it and x', links=[(7, 8, 'X')], kind='text')]
    """
    result = []
    for text, links, _ in paragraphs:
        while match := (_LOOSE_LINK if empty_label else _LOOSE_LABELLED).search(text):
            text, links = _cut(text, links, match.end(1), match.end())
            text, links = _cut(text, links, match.start(), match.start(1))
        while match := _LOOSE_BRACKETS.search(text):
            text, links = _cut(text, links, match.start(), match.end())
        builder = _Builder()
        position = 0
        for start, end, target in links:
            builder.add(text[position:start])
            begin = len(builder.text)
            builder.add(text[start:end])
            builder.link(begin, target)
            position = end
        builder.add(text[position:])
        builder.end()
        result += builder.paragraphs
    return result


def _cut(
    text: str, links: list[tuple[int, int, str]], start: int, end: int
) -> tuple[str, list[tuple[int, int, str]]]:
    """Text and links without the characters ``start`` to ``end``."""

    def moved(position: int) -> int:
        return position - (min(position, end) - start) if position > start else position

    kept = [(moved(s), moved(e), target) for s, e, target in links]
    return text[:start] + text[end:], [link for link in kept if link[0] < link[1]]


@dataclass
class _Builder:
    """Collects paragraphs: white space collapsed, spans counted in what is left."""

    paragraphs: list[Paragraph] = field(default_factory=list)
    text: str = ""
    links: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, text: str | None, blank_lines: bool = False, line_start: bool = False) -> None:
        """Append text; ``blank_lines``: they end the paragraph, as remains of tables always do."""
        if not text:
            return
        if "|" in text:
            text = (
                _TABLE_REMAINS.sub("\f", "\n" + text)[1:]
                if line_start
                else (_TABLE_REMAINS.sub("\f", text))
            )
        first, *others = (_BLANK_LINE if blank_lines else _END).split(text)
        self._append(first)
        for piece in others:
            self.end()
            self._append(piece)

    def _append(self, text: str) -> None:
        text = _SPACES.sub(" ", clean_characters(text))
        if text[:1] == " " and (not self.text or self.text[-1] == " "):
            text = text[1:]
        self.text += text

    def link(self, start: int, target: str) -> None:
        """The text from ``start`` on is a link; spaces at its ends stay outside."""
        start = min(start, len(self.text))
        anchor = self.text[start:]
        end = start + len(anchor.rstrip(" "))
        start += len(anchor) - len(anchor.lstrip(" "))
        if start < end:
            self.links.append((start, end, target))

    def end(self) -> None:
        if text := self.text.rstrip(" "):
            self.paragraphs.append(Paragraph(text, self.links))
        self.text, self.links = "", []


class ReaderView:
    """Reads the HTML of one test.

    Args:
        wiki: rules of the test's wiki, to tell articles from other pages.
        title: title of the test's page.
        pre_tags: which ``<pre>`` of the HTML, counted from 0, come from a tag in the wikitext
            (whose content is dropped) and not from lines that begin with a space. Not asked where
            the HTML says so itself, as Parsoid's does.
    """

    def __init__(self, wiki: Wiki, title: str, pre_tags: Container[int] = ()) -> None:
        self._wiki = wiki
        self._title = title
        self._pre_tags = pre_tags
        self._pre_seen = 0

    def __call__(self, source: str) -> list[Paragraph]:
        """Paragraphs of a fragment of HTML.

        >>> from mluke_core.corpus.wikis import load_wiki
        >>> view = ReaderView(load_wiki("en"), "Parser test")
        >>> view('<p>The <a href="/wiki/Cat" title="Cat">cats</a> </p><table><td>x</td></table>')
        [Paragraph(text='The cats', links=[(4, 8, 'Cat')], kind='text')]
        """
        root = html.fragment_fromstring(source, create_parent="div")
        for element in root.iter("link"):
            if element.get("rel") == "mw:PageProp/redirect":
                href = element.get("href", "")
                local = href.startswith("./")
                return redirect_to(unquote(href[2:]).replace("_", " ") if local else "")
        builder = _Builder()
        self._pre_seen = 0
        self._walk(root, builder)
        return builder.paragraphs

    def _walk(self, element: html.HtmlElement, builder: _Builder, in_pre: bool = False) -> None:
        if isinstance(element, _Comment) or not isinstance(element.tag, str):
            return
        tag = element.tag.lower()
        in_pre = in_pre or tag == "pre"
        block = tag in _BLOCKS
        if block:
            builder.end()
        if not self._dropped(element, tag):
            start = len(builder.text)
            if tag == "br":
                builder.add(" ")
            elif tag == "img" and (source := _external_image(element)):
                builder.add(source)
            builder.add(element.text, in_pre, line_start=block)
            for child in element:
                self._walk(child, builder, in_pre)
                builder.add(child.tail, in_pre)
            if tag == "a" and (target := self._article(element)):
                builder.link(start, target)
        if block:
            builder.end()

    def _dropped(self, element: html.HtmlElement, tag: str) -> bool:
        if tag in _DROPPED_TAGS or _DROPPED_MARKERS.match(tag):
            return True
        classes = set(element.get("class", "").split())
        if classes & _DROPPED_CLASSES or element.get("id") == "toc":
            return True
        kind = element.get("typeof", "")
        if _DROPPED_TYPES.search(kind):
            return True
        if tag == "pre":
            parsoid = element.get("data-parsoid")
            if parsoid is None and not kind:
                self._pre_seen += 1
                return self._pre_seen - 1 in self._pre_tags
            return "mw:Extension/pre" in kind or '"stx":"html"' in (parsoid or "")
        # A link to a picture that does not exist stands in the picture's place.
        return tag == "a" and "wpDestFile=" in element.get("href", "")

    def _article(self, element: html.HtmlElement) -> str:
        """Normalised title of the article that an ``<a>`` leads to; empty when to none."""
        classes = element.get("class", "").split()
        if "extiw" in classes or "external" in classes or "internal" in classes:
            return ""
        href = element.get("href")
        rel = element.get("rel", "")
        if href is None:
            return self._title if "mw-selflink" in classes or "selflink" in classes else ""
        if "mw:" in rel and rel.split()[0] != "mw:WikiLink":
            return ""
        parts = urlsplit(href if not href.startswith("./") else "/wiki/" + href[2:])
        if parts.scheme or parts.netloc:
            return ""
        if parts.path == "/index.php":
            query = parse_qs(parts.query, keep_blank_values=True)
            title = query.get("title", [""])[0]
        elif parts.path.startswith("/wiki/"):
            title = unquote(parts.path[len("/wiki/") :])
            if parts.query and "redlink" not in parts.query:
                title += "?" + unquote(parts.query)
        else:
            return ""
        title = title.replace("_", " ")
        if "mw:" in rel and parts.fragment and title == self._title:
            return ""  # Parsoid writes a link to a section of the same page in full
        prefix, colon, _ = title.partition(":")
        if colon and self._wiki.namespaces.get(prefix.lower(), 0) != 0:
            return ""
        return title


def _external_image(element: html.HtmlElement) -> str:
    """Address of a picture on another site, which Wikipedia shows as the address itself."""
    source = element.get("src", "")
    hosted = source.startswith(("http://example.com/images/", "/", "data:"))
    return "" if hosted or element.get("resource") or element.get("data-file-width") else source
