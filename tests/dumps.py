"""Small dumps written by the tests."""

from __future__ import annotations

import bz2
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

FOOTER = "</mediawiki>\n"


def header(language: str = "en", schema: str = "0.10", database: str = "", before: str = "") -> str:
    """The first lines of a dump."""
    return (
        f'{before}<mediawiki xmlns="http://www.mediawiki.org/xml/export-{schema}/" '
        f'version="{schema}" xml:lang="{language}">\n  <siteinfo>\n'
        f"    <dbname>{database or language + 'wiki'}</dbname>\n    <case>first-letter</case>\n"
        '    <namespaces>\n      <namespace key="0" case="first-letter" />\n'
        '      <namespace key="6" case="first-letter">File</namespace>\n'
        '      <namespace key="10" case="first-letter">Template</namespace>\n'
        "    </namespaces>\n  </siteinfo>\n"
    )


def page(
    page_id: int, title: str, text: str, namespace: int | None = 0, redirect: str | None = None
) -> str:
    """One page; ``redirect`` is the tag's title, empty for a tag without one."""
    tag = ""
    if redirect is not None:
        tag = f'    <redirect title="{escape(redirect)}" />\n' if redirect else "    <redirect />\n"
    ns = "" if namespace is None else f"    <ns>{namespace}</ns>\n"
    return (
        f"  <page>\n    <title>{escape(title)}</title>\n{ns}    <id>{page_id}</id>\n{tag}"
        f"    <revision>\n      <id>{page_id}1</id>\n      <model>wikitext</model>\n"
        f'      <text xml:space="preserve">{escape(text)}</text>\n    </revision>\n  </page>\n'
    )


def multistream(path: Path, streams: Sequence[str], head: str = "", foot: str = FOOTER) -> Path:
    """Write a multistream dump: header, the given groups of pages, footer."""
    blocks = [head or header(), *streams, foot]
    path.write_bytes(b"".join(bz2.compress(block.encode()) for block in blocks if block))
    return path


def single(path: Path, content: str) -> Path:
    """Write everything as one stream."""
    path.write_bytes(bz2.compress(content.encode()))
    return path


def articles(count: int, per_stream: int = 3, first: int = 1) -> list[str]:
    """Streams of articles ``Title N`` that link to ``Target N``."""
    numbers = range(first, first + count)
    pages = [page(n, f"Title {n}", f"Text of [[target {n}]]s. {'x' * (n % 7)}") for n in numbers]
    return ["".join(pages[i : i + per_stream]) for i in range(0, count, per_stream)]
