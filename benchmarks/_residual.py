"""Markup left in extracted text, and whether a reader of the page would see it too.

A reader sees ``[[`` where the page protects it: inside ``<nowiki>``, or written as an entity
(``&#91;``, ``&amp;nbsp;``). Apostrophes are also shown in the title of a link without a label, and
where four of them are unpaired: MediaWiki then shows the fourth, and makes an apostrophe and
italics of the other three when both kinds of marks are odd in number in their line. Whether a hit
is of that kind is found by extracting the page a second time with all these characters replaced:
what is then still there is a fault of the extractor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

from _dumps import read_xml, sample_files, sample_languages

from mluke_core.corpus.pages import Page, parse_pages
from mluke_core.corpus.wikis import load_wiki
from mluke_core.corpus.wikitext import WikitextExtractor

MARKUP = re.compile(r"\[\[|\{\{|<ref|''|&nbsp;")
_MARKUP_CHARACTERS = frozenset("[{<'&")
_MASK = "x"
_NOWIKI = re.compile(r"(<nowiki(?:\s[^<>]*)?>)(.*?)(</nowiki\s*>)", re.DOTALL | re.IGNORECASE)
_UNLABELLED = re.compile(r"\[\[[^][|\n]*''[^][|\n]*\]\]")
_FOUR_APOSTROPHES = re.compile(r"(?<!')'{4}(?!')")
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9A-Fa-f]+|[A-Za-z]+);")
_CONTEXT = 30


@dataclass
class Residue:
    """What is left in the articles of some dumps."""

    characters: int = 0
    protected: int = 0
    """Hits that the page itself protects."""
    unprotected: list[str] = field(default_factory=list)
    """The others: language, title and context."""


def without_protected(wikitext: str) -> str:
    """``wikitext`` with the markup characters that it protects replaced by letters.

    >>> without_protected("<nowiki>[[a]]</nowiki> &#91;&amp;nbsp; ''b'' [[''c'']]")
    "<nowiki>xxa]]</nowiki> xxnbsp; ''b'' [[xxcxx]]"
    """
    wikitext = _NOWIKI.sub(
        lambda match: match.group(1) + _masked(match.group(2)) + match.group(3), wikitext
    )
    wikitext = _UNLABELLED.sub(lambda match: match.group().replace("'", _MASK), wikitext)
    wikitext = _FOUR_APOSTROPHES.sub(_MASK + "'''", wikitext)
    return _ENTITY.sub(
        lambda match: _MASK if unescape(match.group()) in _MARKUP_CHARACTERS else match.group(),
        wikitext,
    )


def _masked(text: str) -> str:
    return "".join(_MASK if character in _MARKUP_CHARACTERS else character for character in text)


def measure(mirror: Path, largest_bytes: int) -> Residue:
    """Extract all dumps of the sample that are not larger than ``largest_bytes``."""
    residue = Residue()
    for language in sample_languages(mirror):
        extract = WikitextExtractor(load_wiki(language))
        for path in sample_files(language, mirror):
            if path.stat().st_size > largest_bytes:
                continue
            for page in _articles(path):
                _add(residue, extract, page, language)
    return residue


def _articles(path: Path) -> Iterator[Page]:
    xml = read_xml(path)
    pages = xml[xml.index("<page>") : xml.rindex("</page>") + len("</page>")]
    for page in parse_pages(pages.encode()):
        if isinstance(page, Page) and page.namespace == 0 and page.redirect is None:
            yield page


def _add(residue: Residue, extract: WikitextExtractor, page: Page, language: str) -> None:
    hits = []
    for paragraph in extract(page.text):
        residue.characters += len(paragraph.text)
        for match in MARKUP.finditer(paragraph.text):
            start = max(0, match.start() - _CONTEXT)
            hits.append(paragraph.text[start : match.end() + _CONTEXT])
    if not hits:
        return
    masked = [
        paragraph.text[max(0, match.start() - _CONTEXT) : match.end() + _CONTEXT]
        for paragraph in extract(without_protected(page.text))
        for match in MARKUP.finditer(paragraph.text)
    ]
    residue.protected += max(0, len(hits) - len(masked))
    residue.unprotected += [f"{language}: {page.title}: …{hit}…" for hit in masked]
