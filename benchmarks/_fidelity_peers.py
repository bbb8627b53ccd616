"""Other extractors on the parser tests: wikiextractor and mwparserfromhell, run as programs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _applicable import wiki_of
from _bench import peer_python
from _parser_tests import ParserTest

from mluke_core.corpus.characters import drop_controls
from mluke_core.corpus.pages import Page
from mluke_core.corpus.paragraphs import Paragraph
from mluke_core.corpus.siteinfo import SiteInfo
from mluke_core.corpus.titles import ARTICLE, Titles
from mluke_core.corpus.wikiextractor import COMMAND, OPTIONS, read_text, write_xml
from mluke_core.corpus.wikis import load_wiki
from mluke_core.corpus.wikitext import WikitextExtractor

MWPARSERFROMHELL = "mwparserfromhell==0.7.2"


def wikiextractor(tests: Sequence[ParserTest]) -> list[list[Paragraph]]:
    """Its paragraphs of every test, all in one dump; none where it writes no text."""
    names = load_wiki("en").canonical
    header = SiteInfo(language="en", namespaces={0: "", **names})
    pages = (
        Page(number, f"Test {number}", 0, None, drop_controls(test.wikitext or ""), "wikitext")
        for number, test in enumerate(tests, 1)
    )
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, "tests.xml")
        write_xml(pages, header, dump)
        output = subprocess.run(
            [*COMMAND, *OPTIONS, str(dump)], check=True, capture_output=True, text=True
        ).stdout
    texts = {}
    for line in output.splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            texts[int(found["id"])] = found["text"]
    return [
        read_text(texts.get(number, ""), WikitextExtractor(wiki_of(test)))
        for number, test in enumerate(tests, 1)
    ]


def mwparserfromhell(
    tests: Sequence[ParserTest], peer_path: Path | None
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Its text and links (normalised title, anchor) of every test."""
    python = peer_python("mwparserfromhell", [MWPARSERFROMHELL], peer_path)
    program = Path(__file__).with_name("_mwparser_peer.py")
    answer = subprocess.run(
        [python, program],
        input=json.dumps([test.wikitext for test in tests]),
        check=True,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    ).stdout
    results = []
    for test, found in zip(tests, json.loads(answer), strict=True):
        titles = Titles(wiki_of(test))
        links = []
        for raw, anchor in found["links"]:
            target = titles.parse(raw)
            if target.kind == ARTICLE and anchor.strip():
                links.append((target.title, " ".join(anchor.split())))
        results.append((found["text"], links))
    return results
