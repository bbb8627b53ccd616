"""Pages out of a dump's XML, schemas 0.3 to 0.11.

Pages are cut out of the decompressed bytes at their tags (inside a page's text ``<`` is always
escaped, so this is exact) and parsed in batches; a batch that is not well-formed is parsed page by
page, so one broken page costs itself alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from mluke_core.corpus.page_texts import take_out_texts
from mluke_core.corpus.siteinfo import safe_parser

PAGE_START, PAGE_END, ROOT_END = b"<page>", b"</page>", b"</mediawiki>"
# MediaWiki's own limit for a page is 2 MB of text.
MAXIMUM_PAGE_BYTES = 64 << 20
_PAGE = re.compile(rb"<page>.*?</page>", re.DOTALL)
_ID = re.compile(rb"<id>\s*(\d+)\s*</id>")
_TITLE = re.compile(rb"<title>([^<]*)</title>")


@dataclass(slots=True)
class Page:
    """One page as it stands in the dump."""

    page_id: int
    title: str
    namespace: int | None
    """None before schema 0.6, which leaves it to the title."""
    redirect: str | None
    """Target the tag names; empty when the tag names none (schema 0.3); None without a tag."""
    text: str
    model: str
    """Content model; ``wikitext`` when the dump does not say."""


@dataclass(slots=True)
class BrokenPage:
    """A page that cannot be read."""

    page_id: int | None
    title: str
    error: str


class PageSplitter:
    """Collects decompressed pieces and hands out the whole pages in them.

    ``closed`` says whether the root element's end has been seen.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.closed = False

    def feed(self, piece: bytes | memoryview) -> bytes:
        """Add a piece; return the bytes from the first to the last whole page (maybe none)."""
        searched = max(0, len(self._rest) - len(PAGE_END))
        data = self._rest + piece
        end = data.rfind(PAGE_END, searched)
        if end < 0:
            self._rest = data
            return b""
        end += len(PAGE_END)
        begin = data.find(PAGE_START)
        self._rest = data[end:]
        return data[begin:end] if 0 <= begin < end else b""

    def too_long(self) -> bool:
        """Whether a page has begun that is longer than any page can be."""
        return len(self._rest) > MAXIMUM_PAGE_BYTES

    def finish(self) -> BrokenPage | None:
        """End of a stream or file: what is left, if a page was begun and not ended.

        The end of the root element is taken note of; what stands behind it is ignored.
        """
        rest, self._rest = self._rest, b""
        if ROOT_END in rest:
            self.closed = True
        begin = rest.find(PAGE_START)
        if begin < 0:
            return None
        return _broken(rest[begin:], "the page has no end")


def parse_pages(data: bytes) -> Iterator[Page | BrokenPage]:
    """Parse whole ``<page>`` elements."""
    around, contents = take_out_texts(data)
    try:
        root = etree.fromstring(b"<pages>%b</pages>" % around, safe_parser())
    except etree.XMLSyntaxError:
        for match in _PAGE.finditer(data):
            yield _parse_alone(match.group())
        return
    texts = dict(zip(root.iter("{*}text"), contents, strict=bool(contents)))
    for element in root:
        # Comments and references have no tag name; a dump has none between its pages.
        if element.tag == "page":
            yield _page(element, texts)


def _parse_alone(data: bytes) -> Page | BrokenPage:
    try:
        return _page(etree.fromstring(data, safe_parser()), {})
    except etree.XMLSyntaxError as error:
        return _broken(data, f"not well-formed XML: {error.msg}")


def _broken(data: bytes, error: str) -> BrokenPage:
    number = _ID.search(data)
    title = _TITLE.search(data)
    return BrokenPage(
        int(number.group(1)) if number else None,
        title.group(1).decode("utf-8", "replace") if title else "",
        error,
    )


def _page(element: etree._Element, texts: Mapping[etree._Element, str | None]) -> Page | BrokenPage:
    """A page out of its element; ``texts`` has those that were taken out of their elements."""
    title = number = namespace = ""
    redirect: str | None = None
    text = ""
    model = "wikitext"
    for child in element:
        tag = child.tag
        if tag == "title":
            title = child.text or ""
        elif tag == "ns":
            namespace = child.text or ""
        elif tag == "id":
            number = child.text or ""
        elif tag == "redirect":
            redirect = child.get("title", "")
        elif tag == "revision":
            # A dump with histories has several, the newest last.
            for part in child:
                if part.tag == "text":
                    if len(part):
                        return BrokenPage(None, title, "its text holds an entity or element")
                    text = texts.get(part) or part.text or ""
                elif part.tag == "model":
                    model = part.text or "wikitext"
    try:
        page_id = int(number)
        namespace_number = int(namespace) if namespace else None
    except ValueError:
        return BrokenPage(None, title, f"its id {number!r} or namespace {namespace!r} is no number")
    if not title:
        return BrokenPage(page_id, "", "it has no title")
    return Page(page_id, title, namespace_number, redirect, text, model)
