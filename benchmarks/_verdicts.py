"""Every applicable parser test judged: what a reader sees against what an extractor gives."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from _applicable import (
    count_pre_tags,
    exclusion,
    expected_html,
    groups,
    named_exclusions,
    title_of,
    wiki_of,
)
from _parser_tests import ParserTest
from _reader_view import ReaderView, redirect_to, without_loose_brackets

from mluke_core.corpus.extract import RedirectReader
from mluke_core.corpus.pages import Page
from mluke_core.corpus.paragraphs import Paragraph
from mluke_core.corpus.wikitext import WikitextExtractor

_MANY_PRE = 6
_NOWIKI = re.compile(r"<nowiki[^<>]*>(.*?)</nowiki", re.DOTALL | re.IGNORECASE)
_LEADS_OUT = frozenset({"interwiki", "interlanguage"})


@dataclass(frozen=True)
class Verdict:
    """One applicable test."""

    test: ParserTest
    groups: list[str]
    expected: list[list[Paragraph]]
    """What is right: the view of either of MediaWiki's parsers, as is and by our rule of loose
    brackets. They seldom differ."""
    ours: list[Paragraph]

    @property
    def is_redirect(self) -> bool:
        """Whether the page is a redirect, which other extractors do not read."""
        return any(view and view[0].kind == "redirect" for view in self.expected)

    @property
    def exact(self) -> bool:
        """Whether paragraphs, links and spans all agree."""
        return any(_plain(self.ours) == _plain(view) for view in self.expected)

    def same_text(self, text: str) -> bool:
        """Whether a whole text agrees, white space and paragraphs apart."""
        return any(_words(text) == _words(whole_text(view)) for view in self.expected)

    def same_links(self, links: Sequence[tuple[str, str]]) -> bool:
        """Whether the links agree in order: (target, anchor)."""
        return any(list(links) == links_of(view) for view in self.expected)


def judge(tests: Sequence[ParserTest]) -> tuple[list[Verdict], Counter[str]]:
    """Verdicts of the applicable tests, and how many are left out for which reason."""
    named = named_exclusions()
    left_out: Counter[str] = Counter()
    verdicts = []
    for test in tests:
        reason = exclusion(test, named)
        if reason is not None:
            left_out[reason] += 1
            continue
        expected = list(_expected(test))
        verdicts.append(Verdict(test, groups(test), expected, extracted(test)))
    return verdicts, left_out


def _expected(test: ParserTest) -> Iterator[list[Paragraph]]:
    protects_brackets = any("[[" in text for text in _NOWIKI.findall(test.wikitext or ""))
    for source in expected_html(test):
        for pre_tags in _choices(source.count("<pre"), count_pre_tags(test)):
            seen = ReaderView(wiki_of(test), title_of(test), pre_tags)(source)
            yield seen
            if not protects_brackets:
                yield without_loose_brackets(seen)
                yield without_loose_brackets(seen, empty_label=True)


def _choices(shown: int, tags: int) -> Iterator[Container[int]]:
    """Which of ``shown`` elements can come from ``tags`` tags: the HTML does not say."""
    if tags >= shown or not tags or shown > _MANY_PRE:
        yield range(shown if tags else 0)
    else:
        yield from itertools.combinations(range(shown), tags)


def extracted(test: ParserTest) -> list[Paragraph]:
    """What our extractor makes of a test's wikitext."""
    extract = WikitextExtractor(wiki_of(test))
    text = test.wikitext or ""
    redirects = RedirectReader(extract.wiki, extract.titles)
    target = redirects.target(Page(1, title_of(test), 0, None, text, "wikitext"))
    if target is not None:
        return redirect_to("" if target.kind in _LEADS_OUT else target.title)
    return extract(text)


def whole_text(paragraphs: Sequence[Paragraph]) -> str:
    """The paragraphs' text in one."""
    return " ".join(paragraph.text for paragraph in paragraphs)


def links_of(paragraphs: Sequence[Paragraph]) -> list[tuple[str, str]]:
    """Target and anchor of every link, in order."""
    return [
        (target, paragraph.text[start:end])
        for paragraph in paragraphs
        for start, end, target in paragraph.links
    ]


def _plain(paragraphs: Sequence[Paragraph]) -> list[tuple[str, list[tuple[int, int, str]]]]:
    return [(paragraph.text, list(paragraph.links)) for paragraph in paragraphs]


def _words(text: str) -> str:
    return " ".join(text.split())
