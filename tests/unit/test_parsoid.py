"""MediaWiki's parser tests: their format, what a reader of the HTML sees, the share we get."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from _applicable import exclusion, groups, named_exclusions, wiki_of
from _parser_tests import ParserTest, parse_options, read_folder, read_tests
from _reader_view import ReaderView, redirect_to, without_loose_brackets
from _residual import MARKUP, without_protected
from _verdicts import judge

from mluke_core.corpus.paragraphs import Paragraph
from mluke_core.corpus.wikis import load_wiki
from mluke_core.errors import DataError

DATA = Path(__file__).parent.parent / "data" / "parsoid"
LEAST_SHARE = 0.98


@pytest.fixture(scope="module")
def small() -> list[ParserTest]:
    return read_tests(DATA / "small.txt")


@pytest.fixture(scope="module")
def upstream(root: Path) -> list[ParserTest]:
    folder = root.parent / "shared" / "truth" / "parsoid"
    if not folder.is_dir():
        pytest.skip(f"no parser tests of MediaWiki at {folder}")
    return read_folder(folder)


def test_format(small: list[ParserTest]) -> None:
    assert [(test.line, test.name) for test in small] == [
        (10, "A link and a list"),
        (32, "Only the way back"),
        (42, "Same name"),
        (51, "Same name (2)"),
    ]
    first = small[0]
    assert first.key == "small: A link and a list"
    assert first.options == {
        "title": "User:A b",
        "language": "de",
        "parsoid": {"modes": ["wt2html", "wt2wt"], "suppressErrors": True},
        "notoc": True,
    }
    assert first.wikitext == "The [[main Page|page]]s.\n\n* one"
    assert set(first.sections) == {"config", "wikitext", "html/php", "html/parsoid"}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("cat\nsubpage", {"cat": True, "subpage": True}),
        ('replace=2,"a, b" thumbsize=220', {"replace": ["2", "a, b"], "thumbsize": "220"}),
        ('changes={"a": [[1]]} x', {"changes": {"a": [[1]]}, "x": True}),
    ],
)
def test_options(text: str, options: dict[str, object]) -> None:
    assert parse_options(text) == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!! test\na\n!! wikitext\nx", r"bad\.txt:1: the block that begins there has no !! end"),
        ("x\n!! test\na\n!! test\nb\n!! end", r"bad\.txt:4: !! test inside the block of line 2"),
        ("!! test\n!! wikitext\nx\n!! end", r"bad\.txt:1: a test without a name"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_tests(path)


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--tests DIR"):
        read_folder(tmp_path)


def test_small_file_is_judged(small: list[ParserTest]) -> None:
    verdicts, left_out = judge(small)
    assert [verdict.test.name for verdict in verdicts] == ["A link and a list", "Same name (2)"]
    assert all(verdict.exact for verdict in verdicts)
    assert verdicts[0].groups == ["links", "lists"]
    assert verdicts[1].is_redirect and verdicts[1].ours == redirect_to("Main Page")
    assert sorted(left_out.values()) == [1, 1]


@pytest.mark.parametrize(
    ("html", "seen"),
    [
        ("<p>a\n b</p>\n<p>c</p>", [("a b", [])]),
        ("a<br />b<ul><li>c<ul><li>d</li></ul></li></ul>", [("a b", []), ("c", []), ("d", [])]),
        ("<pre>a\n \nb</pre><p>c\n\nd</p>", [("a", []), ("b", []), ("c d", [])]),
        ("<h2><span>H</span><span class='mw-editsection'>[edit]</span></h2>", [("H", [])]),
        ("a<sup class='reference'>[1]</sup><table><td>x</td></table>b", [("a", []), ("b", [])]),
        ("<figure typeof='mw:File'><figcaption>x</figcaption></figure>", []),
        ("x<span class='mw-broken-media'>File:A.jpg</span>", [("x", [])]),
        (
            '<a href="/index.php?title=A_b&amp;action=edit&amp;redlink=1" class="new"> a  b </a>c',
            [("a b c", [(0, 3, "A b")])],
        ),
        ('<a class="mw-selflink selflink">it</a>', [("it", [(0, 2, "Here")])]),
        ('<a href="#x">x</a> <a rel="mw:WikiLink" href="./Here#x">y</a>', [("x y", [])]),
        ('<a href="/wiki/Help:X">x</a><a class="extiw" href="/wiki/Y">y</a>', [("xy", [])]),
        ('<a class="external autonumber" href="http://a.b">[1]</a>z', [("z", [])]),
        ('<a href="/wiki/C%26D" title="C&amp;D">e</a>', [("e", [(0, 1, "C&D")])]),
        ('<img src="http://far.example/a.png" alt="" />', [("http://far.example/a.png", [])]),
        ("<ruby>日<rp>(</rp><rt>ni</rt><rp>)</rp></ruby>", [("日", [])]),
    ],
)
def test_what_a_reader_sees(html: str, seen: list[tuple[str, list[tuple[int, int, str]]]]) -> None:
    if html.startswith("<p>a"):
        seen = [*seen, ("c", [])]
    view = ReaderView(load_wiki("en"), "Here")
    assert [(text, links) for text, links, _ in view(html)] == seen


def test_pre_tags_and_indented_lines() -> None:
    html = "<pre>a</pre>"
    assert ReaderView(load_wiki("en"), "Here", pre_tags=[0])(html) == []
    assert ReaderView(load_wiki("en"), "Here")(html) == [Paragraph("a", [])]
    html = """<pre data-parsoid='{"stx":"html"}'>a</pre><pre data-parsoid='{}'>b</pre>"""
    assert ReaderView(load_wiki("en"), "Here", pre_tags=[0])(html) == [Paragraph("b", [])]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("[[a]] [[ b", []), ("a b", [])),
        (("[[x|y [[z|w]]]] k", [(16, 17, "K")]), ("y w k", [(4, 5, "K")])),
        (("[[a|]] b", [(7, 8, "B")]), ("a b", [(2, 3, "B")])),
        (("[[[c]]]", []), ("[c]", [])),
    ],
)
def test_loose_brackets(
    before: tuple[str, list[tuple[int, int, str]]], after: tuple[str, list[tuple[int, int, str]]]
) -> None:
    assert without_loose_brackets([Paragraph(*before)]) == [Paragraph(*after)]


def test_loose_brackets_around_an_empty_label() -> None:
    before = [Paragraph("[[a|]] b", [(7, 8, "B")])]
    assert without_loose_brackets(before, empty_label=True) == [Paragraph("b", [(0, 1, "B")])]


def make_test(wikitext: str, options: str = "", **sections: str) -> ParserTest:
    named = {name.replace("_", "/"): text for name, text in sections.items()} or {"html": "x"}
    return ParserTest("f", 1, "n", parse_options(options), {"wikitext": wikitext, **named})


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (make_test("a"), None),
        (make_test("{{!}} <nowiki>{{x}}</nowiki><!-- {{y}} -->"), None),
        (make_test("{{x}}"), "needs templates"),
        (make_test("a", "disabled"), "disabled"),
        (make_test("a", "parsoid=wt2html,html2wt"), None),
        (make_test("a", "parsoid=wt2wt"), "HTML to wikitext"),
        (make_test("a", "pst"), "another transform"),
        (make_test("a", "cat"), "metadata"),
        (make_test("a", "cat", html_php="cat=A", html_parsoid="<p>a</p>"), None),
        (make_test("a", wikitext_edited="b"), "no expected HTML"),
        (make_test("<tag/>"), "test program"),
        (make_test("[[/x]]", "subpage"), "subpages"),
        (make_test("-{a}-", "language=sr variant=sr-ec"), None),
        (make_test("a", "language=fa"), "no facts"),
        (make_test("b -{a}-", "language=sr variant=sr-ec"), "tables that convert"),
        (make_test("-{H|zh:a;zh-tw:b}- a", "language=zh variant=zh-tw"), "rest of the page"),
        (make_test("-{zh:a;zh-tw:b}-", "language=zh variant=zh-tw"), None),
    ],
)
def test_which_tests_apply(test: ParserTest, reason: str | None) -> None:
    found = exclusion(test, {})
    assert (found is None) if reason is None else (found is not None and reason in found)
    assert exclusion(make_test("a"), {"f: n": "by name"}) == "by name"


def test_groups_and_wiki() -> None:
    test = make_test("== [[a]] ==\n* ''b'' &amp; <nowiki/>", "language=zh variant=zh-tw")
    assert groups(test) == [
        "links", "lists", "quotes", "entities", "headings", "nowiki", "variants",
    ]  # fmt: skip
    assert groups(make_test("x")) == ["other"]
    wiki = wiki_of(test)
    assert wiki.variant_rules is not None and wiki.variant_rules.wanted == "zh-tw"
    assert wiki.namespaces["memoryalpha"] == 100
    assert "meatball" in wiki.interwiki and "de" not in wiki.languages


def test_protected_markup_is_told_from_what_is_left() -> None:
    text = "<nowiki>''a'' &nbsp;</nowiki> &#91;[x]] &amp;nbsp; ''b''"
    assert len(MARKUP.findall(text)) == 5
    assert MARKUP.findall(without_protected(text)) == ["''", "''"]


def test_share_of_upstream_tests(upstream: list[ParserTest]) -> None:
    verdicts, left_out = judge(upstream)
    assert len(verdicts) + sum(left_out.values()) == len(upstream)
    failing = {verdict.test.key for verdict in verdicts if not verdict.exact}
    known = set(json.loads((DATA / "known_failing.json").read_text("utf-8")))
    assert failing - known == set(), "these were exact before"
    assert known - failing == set(), "exact now: take them out of known_failing.json"
    assert len(failing) <= (1 - LEAST_SHARE) * len(verdicts)


def test_exclusions_by_name_exist(upstream: list[ParserTest]) -> None:
    keys = {test.key for test in upstream}
    for name, reason in named_exclusions().items():
        assert name in keys and len(reason) > 20
