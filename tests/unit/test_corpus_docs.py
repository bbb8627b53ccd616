"""Every example of docs/corpus.md is what the extractor does."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from mluke_core.corpus.wikis import load_wiki
from mluke_core.corpus.wikitext import WikitextExtractor

PAGE = Path(__file__).parent.parent.parent / "docs" / "corpus.md"
HEADER = "| rule | wiki | wikitext | text | links |"
_CELL = re.compile(r"(?<!\\)\|")


def examples() -> list[list[str]]:
    """Wiki, wikitext, text and links of every row."""
    rows = []
    inside = False
    for line in PAGE.read_text("utf-8").splitlines():
        if line == HEADER:
            inside = True
        elif inside and line.startswith("| "):
            cells = [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[2:-1]]
            rows.append([cells[0], *(cell.strip("`") for cell in cells[1:])])
        elif not line.startswith("|---"):
            inside = False
    return rows


@cache
def extractor(language: str) -> WikitextExtractor:
    return WikitextExtractor(load_wiki(language))


@pytest.mark.parametrize(("wiki", "wikitext", "text", "links"), examples())
def test_examples(wiki: str, wikitext: str, text: str, links: str) -> None:
    paragraphs = extractor(wiki)(wikitext.replace("⏎", "\n"))
    assert " ¶ ".join(paragraph.text for paragraph in paragraphs) == text
    found = [
        f"{paragraph.text[start:end]} → {target}"
        for paragraph in paragraphs
        for start, end, target in paragraph.links
    ]
    assert "; ".join(found) == links


def test_there_are_examples() -> None:
    assert len(examples()) > 80
