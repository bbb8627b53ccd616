"""Whatever the input, spans are exact, links do not overlap, and the answer is the same again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.corpus.wikis import load_wiki
from mluke_core.corpus.wikitext import Paragraph, WikitextExtractor

MARKUP = [
    *("[[", "]]", "[", "]", "|", "{{", "}}", "{|", "|}", "\n", "\n\n", "\n* ", "\n; ", "\n== "),
    *(" ==", "''", "'''", "'''''", "<ref>", "</ref>", "<ref/>", "<!--", "-->", "<nowiki>", "<b>"),
    *("</nowiki>", "<br>", "<div>", "<foo>", "[http://a ", "&nbsp;", "&amp;", "&#91;", "__TOC__"),
    *("-{", "}-", "zh-hans:", ";", ":", "File:", "Category:", "de:", "#", "%41", "{{lang|la|"),
    *("{{nowrap|", "{{!}}", "{{ill|a|b", "a", "b c", "é", "ال", "猫", "\u200d", "\u3000", "\x01"),
    *(" ", "  ", "<table>", "</table>", "<math>", "=", "<"),
]
EXTRACTORS = {language: WikitextExtractor(load_wiki(language)) for language in ("en", "ar", "zh")}


def check(paragraphs: list[Paragraph]) -> None:
    for text, links, kind in paragraphs:
        assert text and text == " ".join(text.split()), repr(text)
        assert kind in ("text", "item", "heading")
        previous = 0
        for start, end, target in links:
            assert previous <= start < end <= len(text)
            anchor = text[start:end]
            assert anchor == anchor.strip()
            assert target and target == target.strip()
            previous = end


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(MARKUP), max_size=40).map("".join), st.sampled_from(["en", "ar", "zh"])
)
def test_invariants_on_markup(text: str, language: str) -> None:
    extractor = EXTRACTORS[language]
    paragraphs = extractor(text)
    check(paragraphs)
    assert extractor(text) == paragraphs


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_invariants_on_any_text(text: str) -> None:
    check(EXTRACTORS["en"](text))


@settings(max_examples=100, deadline=None)
@given(
    st.text(alphabet="abcdéß", min_size=1, max_size=8),
    st.text(alphabet="xyz ", min_size=1, max_size=8).filter(str.strip),
)
def test_an_anchor_is_its_label(title: str, label: str) -> None:
    (paragraph,) = EXTRACTORS["en"](f"1 [[{title}|{label}]] 2")
    ((start, end, target),) = paragraph.links
    assert paragraph.text[start:end] == " ".join(label.split())
    assert target[1:] == title[1:]


HOSTILE = [
    *("[[", "[[a|", "[[a|b ", "[[File:a|", "{{", "{{a|", "{", "\n{|", "<ref>", "<!--", "<nowiki>"),
    *("<table>\n==a==\n", "[http://a ", "'''a ''b", "\n==a==b==", ";a:", "{{lang|", "-{a", "<a <b"),
    *("&", "__A", "%20", "\n|", "<ref>{{[[", "[[a\n", "{{nowrap|[[a|", "<ref <gallery>\n", "]]"),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_large_hostile_pages_end(unit: str) -> None:
    """A pass that is not linear would take minutes on these."""
    size = 200_000
    check(EXTRACTORS["zh" if "-{" in unit else "ar"]((unit * (size // len(unit) + 1))[:size]))


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[[a|", "]]"), ("{{a|", "}}"), ("{{lang|", "}}"), ("\n{|", "\n|}"), ("<ref>", "</ref>")],
)
def test_deep_nesting_ends(opening: str, closing: str) -> None:
    depth = 200_000 // (len(opening) + len(closing))
    check(EXTRACTORS["en"](opening * depth + "x" + closing * depth))
    check(EXTRACTORS["en"](opening * depth + "x" + closing * (depth // 2)))
