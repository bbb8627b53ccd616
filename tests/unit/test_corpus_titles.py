"""Normal form of link targets."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.corpus.siteinfo import SiteInfo
from mluke_core.corpus.titles import Titles, upper_first
from mluke_core.corpus.wikis import known_languages, load_wiki


def titles(language: str = "en", siteinfo: SiteInfo | None = None) -> Titles:
    return Titles(load_wiki(language, siteinfo))


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("new_York", "New York"),
        ("  a \xa0_ b ", "A b"),
        ("caf%C3%A9", "Café"),
        ("100% Wolf", "100% Wolf"),
        ("R&amp;B", "R&B"),
        ("a&copy=1", "A&copy=1"),
        ("x &sect B", "X &sect B"),
        ("a&#769;", "Á"),
        ("\u200ea\u202a", "A"),
        (":a", "A"),
        ("a#b#c", "A"),
        ("Star Trek: x", "Star Trek: x"),
        ("EN : a", "A"),
        ("ﬀ", "ﬀ"),
        ("ქართული", "ქართული"),
        ("ǆ", "Ǆ"),
        ("ᾳ", "ᾼ"),
        ("a:", "A:"),
    ],
)
def test_articles(raw: str, title: str) -> None:
    assert titles().article(raw) == title


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("", "invalid"),
        ("::a", "invalid"),
        ("a[b", "invalid"),
        ("a%ZZ%41%", "article"),
        ("%FF", "invalid"),
        ("a%2541", "invalid"),
        ("é" * 128, "invalid"),
        ("é" * 127, "article"),
        ("..", "invalid"),
        ("a/../b", "invalid"),
        ("...And Justice", "article"),
        ("#a", "section"),
        ("File:a", "file"),
        ("IMAGE :a", "file"),
        ("Media:a", "file"),
        ("category:a", "category"),
        ("Help:a", "namespace"),
        ("TALK:a", "namespace"),
        ("fr:a", "interlanguage"),
        ("zh-min-nan:a", "interlanguage"),
        ("en:", "interwiki"),
        ("wikt:a", "interwiki"),
        ("commons:File:a", "interwiki"),
        ("Q:a", "interwiki"),
        ("Foo:a", "article"),
    ],
)
def test_kinds(raw: str, kind: str) -> None:
    assert titles().parse(raw).kind == kind


def test_hidden_only_without_a_leading_colon() -> None:
    parse = titles().parse
    assert parse("File:a").hidden and parse("de:a").hidden and parse("Category:a").hidden
    assert not parse(":File:a").hidden and not parse(":de:a").hidden
    assert not parse("Media:a").hidden and not parse("User:a").hidden


def test_a_title_in_another_namespace_gets_its_english_name() -> None:
    assert titles("de").parse("Kategorie:katzen").title == "Category:Katzen"
    assert titles("de").namespace("Kategorie:Katzen") == 14
    assert titles("de").namespace("Alien: Romulus") == 0


def test_case_sensitive_wikis_keep_the_first_letter() -> None:
    assert titles("en", SiteInfo(case="case-sensitive")).article("cat") == "cat"


def test_upper_first_of_turkish() -> None:
    assert upper_first("izmir", "tr") == "İzmir"
    assert upper_first("ılıca", "tr") == "Ilıca"
    assert upper_first("", "en") == ""


def test_an_unknown_language_works_from_the_header(caplog: pytest.LogCaptureFixture) -> None:
    siteinfo = SiteInfo(namespaces={0: "", 6: "Skeudenn", 14: "Rummad"})
    with caplog.at_level(logging.WARNING, "mluke"):
        parse = titles("br", siteinfo).parse
    assert parse("Skeudenn:a").kind == "file" and parse("Rummad:a").kind == "category"
    assert parse("File:a").kind == "file" and parse("Kazh").kind == "article"
    assert parse("br:Kazh").title == "Kazh"
    assert "no facts about the Wikipedia 'br'" in caplog.text


def test_the_cache_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mluke_core.corpus.titles.CACHE_SIZE", 10)
    parser = titles()
    assert [parser.article(f"a{i}") for i in range(50)] == [f"A{i}" for i in range(50)]
    assert len(parser._targets) <= 10


@pytest.mark.parametrize("language", known_languages())
def test_every_language_knows_its_own_words(language: str) -> None:
    wiki = load_wiki(language)
    assert "REDIRECT" in wiki.redirects
    assert wiki.namespaces["file"] == wiki.namespaces["image"] == 6
    assert set(range(-2, 16)) - {0} <= set(wiki.namespaces.values())
    assert language in wiki.languages and "commons" in wiki.interwiki
    assert not wiki.languages & wiki.interwiki


def test_there_are_the_24_languages_and_serbian() -> None:
    assert len(known_languages()) == 25 and "sr" in known_languages()


@given(st.text(st.sampled_from("aİiǆé語Ω  _\xa0\u2009\u200e#%4&amp;<[|~./\n\t\x7f"), min_size=1))
def test_a_plain_title_is_what_taking_it_apart_gives(raw: str) -> None:
    # A colon in front changes nothing about an article, but is nothing that a plain title has.
    assert titles().parse(raw) == titles().parse(":" + raw)
