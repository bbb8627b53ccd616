"""The program wikiextractor as an alternative extractor, its links brought to our contract.

It is run as a program of its own on a temporary file with the part's articles (its licence, AGPL,
and its design ask for that), and its JSON lines are read back: each line of a text becomes a
paragraph, each ``<a href="target">anchor</a>`` a link. What it leaves out (list items without
text, tables, links whose title has a colon, link trails) stays left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote
from xml.sax.saxutils import escape, quoteattr

import orjson

from mluke_core.corpus.characters import clean_characters, drop_controls
from mluke_core.corpus.pages import Page
from mluke_core.corpus.paragraphs import Link, Paragraph
from mluke_core.corpus.siteinfo import SiteInfo
from mluke_core.corpus.titles import ARTICLE
from mluke_core.corpus.wikitext import WikitextExtractor
from mluke_core.errors import MlukeError

COMMAND = (sys.executable, "-m", "wikiextractor.WikiExtractor")
OPTIONS = ("--links", "--json", "--no-templates", "--quiet", "--processes", "1", "--output", "-")
# Its output is HTML-safe: the tags it adds are escaped together with the text.
_ANCHOR = re.compile(r'&lt;a href="([^"]*)"&gt;(.*?)&lt;/a&gt;')


def run_wikiextractor(
    articles: Iterator[Page], siteinfo: SiteInfo, extractor: WikitextExtractor, folder: Path
) -> Iterator[tuple[Page, list[Paragraph]]]:
    """Extract ``articles`` with wikiextractor, in their order.

    Args:
        articles: what to extract; an article it skips gets no paragraphs.
        siteinfo: header of the dump, from which it takes the namespaces.
        extractor: normalises the targets and counts links.
        folder: where the temporary file goes; it is as large as the part's XML.

    Raises:
        MlukeError: the program is not installed, or fails.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".wikiextractor-") as temporary:
        dump = Path(temporary, "articles.xml")
        pages = write_xml(articles, siteinfo, dump)
        with (
            open(Path(temporary, "messages"), "w+b") as messages,
            subprocess.Popen(
                [*COMMAND, *OPTIONS, str(dump)],
                stdout=subprocess.PIPE,
                stderr=messages,
                stdin=subprocess.DEVNULL,
            ) as process,
        ):
            assert process.stdout is not None
            waiting = iter(pages)
            for line in process.stdout:
                if not line.startswith(b"{"):
                    continue
                found = orjson.loads(line)
                for page in waiting:
                    if str(page.page_id) == found["id"]:
                        yield page, read_text(found["text"], extractor)
                        break
                    yield page, []
            for page in waiting:
                yield page, []
            if process.wait() != 0:
                messages.seek(0)
                last = messages.read().decode("utf-8", "replace").strip().splitlines()[-3:]
                raise MlukeError(
                    f"wikiextractor failed (status {process.returncode}): {' '.join(last)}. "
                    "Install it with pip install wikiextractor, or set corpus.extractor to mluke."
                )


def write_xml(articles: Iterator[Page], siteinfo: SiteInfo, path: Path) -> list[Page]:
    """Write articles as a dump that wikiextractor reads; return them without their text."""
    pages: list[Page] = []
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.write("<mediawiki>\n  <siteinfo>\n")
        stream.write(f"    <base>https://{siteinfo.language}.wikipedia.org/wiki/Main</base>\n")
        stream.write("    <namespaces>\n")
        for key, name in sorted(siteinfo.namespaces.items()):
            stream.write(
                f"      <namespace key={quoteattr(str(key))} "
                f'case="first-letter">{escape(name)}</namespace>\n'
            )
        stream.write("    </namespaces>\n  </siteinfo>\n")
        for page in articles:
            stream.write(
                f"  <page>\n    <title>{escape(page.title)}</title>\n    <ns>0</ns>\n"
                f"    <id>{page.page_id}</id>\n    <revision>\n      <id>1</id>\n"
                f'      <text xml:space="preserve">{escape(page.text)}</text>\n'
                "    </revision>\n  </page>\n"
            )
            pages.append(Page(page.page_id, page.title, 0, None, "", page.model))
        stream.write("</mediawiki>\n")
    return pages


def read_text(text: str, extractor: WikitextExtractor) -> list[Paragraph]:
    """Paragraphs of one text of wikiextractor's output."""
    paragraphs: list[Paragraph] = []
    for line in text.split("\n"):
        parts: list[str] = []
        links: list[Link] = []
        length = position = 0
        for match in _ANCHOR.finditer(line):
            plain = _plain(line[position : match.start()], space=not parts or parts[-1][-1] == " ")
            parts.extend([plain] if plain else [])
            length += len(plain)
            position = match.end()
            anchor = _plain(match.group(2), space=True).rstrip(" ")
            target = extractor.titles.parse(unquote(match.group(1)))
            if anchor and target.kind == ARTICLE:
                links.append((length, length + len(anchor), target.title))
            else:
                extractor.dropped[target.kind if anchor else "empty"] += 1
            parts.extend([anchor] if anchor else [])
            length += len(anchor)
        rest = _plain(line[position:], space=not parts or parts[-1][-1] == " ")
        joined = ("".join(parts) + rest).rstrip(" ")
        if joined:
            paragraphs.append(Paragraph(joined, links))
            extractor.kept += len(links)
    return paragraphs


def _plain(text: str, space: bool) -> str:
    """Text without escapes, in our white space; ``space``: none is wanted at its beginning."""
    plain = clean_characters(drop_controls(unescape(text)).replace("\n", " "))
    return plain.lstrip(" ") if space else plain
