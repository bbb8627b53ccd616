"""Pieces of markup to make pages of, and what must be true of whatever comes out of a page."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from mluke_core.corpus.paragraphs import Paragraph
from mluke_core.corpus.titles import Titles
from mluke_core.corpus.wikitext import WikitextExtractor

MARKUP = [
    *("[[", "]]", "[", "]", "|", "{{", "}}", "{|", "|}", "\n", "\n\n", "\n* ", "\n; ", "\n== "),
    *(" ==", "''", "'''", "'''''", "<ref>", "</ref>", "<ref/>", "<!--", "-->", "<nowiki>", "<b>"),
    *("</nowiki>", "<br>", "<div>", "<foo>", "[http://a ", "&nbsp;", "&amp;", "&#91;", "__TOC__"),
    *("-{", "}-", "zh-hans:", "sr-el:", ";", ":", "=>", "File:", "Category:", "de:", "en:", "#"),
    *("%41", "%", "{{lang|la|", "{{nowrap|", "{{!}}", "{{=}}", "{{ill|a|b", "{{{", "}}}", "text="),
    *("{{仮リンク|", "{{snd}}", "{{s-|XIX}}", "{{quote|", "1=", "a", "b c", "é", "ال", "猫", "ß"),
    *("i", "İ", "\u0301", "\u200d", "\u200c", "\u200e", "\u3000", "\xad", "\x01", "\x05", "\x06"),
    *("\r\n", "\t", " ", "  ", "<table>", "</table>", "<math>", "<pre>", "=", "<", ">", "&", "😀"),
    *("<includeonly>", "</includeonly>", "<noinclude>", "<onlyinclude>", "</onlyinclude>", "~~~~"),
    *("<ruby>", "<rt>", "</rt>", "----", "\n:", "\n{|\n|", "/", "..", "http://x", "R|", "H|", "T|"),
]
"""What the wikitext of a hostile or careless editor is made of."""


def check_paragraphs(paragraphs: Sequence[Paragraph], titles: Titles | None = None) -> None:
    """Spans lie inside their text, anchors are what they enclose, and links do not overlap."""
    for text, links, kind in paragraphs:
        assert text and text == " ".join(text.split()), repr(text)
        assert kind in ("text", "item", "heading")
        previous = 0
        for start, end, target in links:
            assert previous <= start < end <= len(text)
            anchor = text[start:end]
            assert anchor == anchor.strip()
            assert target and target == target.strip()
            if titles is not None:
                assert titles.article(target) == target, f"not a normal form: {target!r}"
            previous = end


def check_page(extractor: WikitextExtractor, text: str) -> list[Paragraph]:
    """Extract ``text`` twice; both answers are the same, sound, and fully counted."""
    before = extractor.kept
    paragraphs = extractor(text)
    check_paragraphs(paragraphs, extractor.titles)
    assert extractor.kept - before == sum(len(paragraph.links) for paragraph in paragraphs)
    assert extractor(text) == paragraphs
    return paragraphs


def hostile_pages(size: int) -> dict[str, str]:
    """The pages of ``benchmarks/_hostile.py``."""
    path = Path(__file__).parent.parent / "benchmarks" / "_hostile.py"
    spec = importlib.util.spec_from_file_location("_hostile", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Callable[[int], dict[str, str]]", module.hostile_pages)(size)
