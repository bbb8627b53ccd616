"""Whatever the input, spans are exact, links do not overlap, and the answer is the same again."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mluke_core.corpus.wikis import known_languages, load_wiki
from mluke_core.corpus.wikitext import WikitextExtractor
from tests.wikitext_world import MARKUP, check_page, check_paragraphs, hostile_pages

EXTRACTORS = {language: WikitextExtractor(load_wiki(language)) for language in known_languages()}
LANGUAGES = st.sampled_from(sorted(EXTRACTORS))
PAGES = st.lists(st.sampled_from(MARKUP), max_size=40).map("".join)


@settings(max_examples=500, deadline=None)
@given(PAGES, LANGUAGES)
# Found by tests/fuzz.
@example("[[&nbsp;]]", "pl")
@example("http://x[[R|\n* ]]", "ar")
@example("[[%" + "&amp;" * 10 + "quote]]", "th")
@example("{{k-aİ|b}}", "fi")
@example("\n== =", "en")
def test_invariants_on_markup(text: str, language: str) -> None:
    check_page(EXTRACTORS[language], text)


@settings(max_examples=200, deadline=None)
@given(PAGES, st.booleans())
def test_another_extractor_gives_the_same(text: str, link_trails: bool) -> None:
    """What an extractor has seen before (its caches) changes nothing."""
    fresh = WikitextExtractor(load_wiki("tr"), link_trails)
    assert fresh(text) == check_page(WikitextExtractor(load_wiki("tr"), link_trails), text)
    if link_trails:
        assert fresh(text) == EXTRACTORS["tr"](text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), LANGUAGES)
def test_invariants_on_any_text(text: str, language: str) -> None:
    check_page(EXTRACTORS[language], text)


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


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(st.text(max_size=40), st.lists(st.sampled_from(MARKUP), max_size=8).map("".join)),
    LANGUAGES,
)
def test_a_normal_form_is_its_own_normal_form(raw: str, language: str) -> None:
    titles = EXTRACTORS[language].titles
    title = titles.article(raw)
    if title:
        assert titles.article(title) == title
        assert titles.article(title.replace(" ", "_")) == title
        assert titles.namespace(title) == 0
        assert len(title.encode()) <= 255


PARAMETERS = st.recursive(
    st.sampled_from(["a", "b c", "[[d]]", "[[e|f]]", " ", "", "\n\n"]),
    lambda inner: st.one_of(
        inner.map(lambda text: f"{{{{{{n|{text}}}}}}}"),
        inner.map(lambda text: f"{{{{{{|{text}|more}}}}}}"),
        inner.map(lambda text: f"{{{{lang|la|{text}}}}}"),
        st.lists(inner, min_size=2, max_size=3).map("".join),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(PARAMETERS)
def test_balanced_parameters_leave_no_braces(text: str) -> None:
    shown = "".join(paragraph.text for paragraph in check_page(EXTRACTORS["en"], text))
    assert not set(shown) & set("{}|"), shown


@pytest.mark.parametrize("language", ["ar", "zh"])
def test_hostile_pages_end(language: str) -> None:
    """A pass that is not linear would take minutes on these."""
    extractor = EXTRACTORS[language]
    for text in hostile_pages(40_000).values():
        check_paragraphs(extractor(text), extractor.titles)
