"""Large dumps for the benchmarks, made of small real ones.

The pages of a sample of real dumps are repeated until the XML has the wanted size; every copy has
its own titles and ids, and streams hold 100 pages as in the dumps of Wikimedia. Without the sample
the pages of the miniature world are taken: real markup in kind, but shorter pages.
"""

from __future__ import annotations

import bz2
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from _bench import CACHE, ROOT

MIRROR = ROOT.parent / "shared" / "mirror"
PAGES_PER_STREAM = 100
_PAGE = re.compile(r"  <page>.*?</page>\n", re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>")
_ID = re.compile(r"<id>(\d+)</id>")


def sample_files(language: str, mirror: Path = MIRROR) -> list[Path]:
    """Dump files of a language in the mirror, in page order; empty when there are none."""
    return sorted(
        path
        for path in (mirror / "dumps.wikimedia.org" / f"{language}wiki").glob("*/*.bz2")
        if "-index" not in path.name
    )


def sample_languages(mirror: Path = MIRROR) -> list[str]:
    """Languages that the mirror has dumps of."""
    names = (path.name for path in (mirror / "dumps.wikimedia.org").glob("*wiki"))
    return sorted(name.removesuffix("wiki") for name in names if name != "wikidatawiki")


def read_xml(path: Path) -> str:
    """A whole dump file, decompressed."""
    return bz2.decompress(path.read_bytes()).decode("utf-8")


def replicated(files: Sequence[Path], megabytes: float, name: str) -> Path:
    """A multistream dump of at least ``megabytes`` of XML, made once in the cache.

    Args:
        files: dumps of one wiki whose pages are repeated.
        megabytes: least size of the XML, in 10^6 bytes.
        name: beginning of the file's name.
    """
    path = CACHE / "dumps" / f"{name}-{megabytes:g}MB.xml.bz2"
    if path.is_file():
        return path
    texts = [read_xml(file) for file in files]
    header = texts[0][: texts[0].index("</siteinfo>") + len("</siteinfo>\n")]
    # wikipedia2vec stops at a redirect that names no title, which one page of the sample is.
    pages = [page for text in texts for page in _PAGE.findall(text) if "<redirect />" not in page]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with open(unfinished, "wb") as output:
        output.write(bz2.compress(header.encode()))
        stream: list[str] = []
        for page in _copies(pages, int(megabytes * 1e6)):
            stream.append(page)
            if len(stream) == PAGES_PER_STREAM:
                output.write(bz2.compress("".join(stream).encode()))
                stream = []
        output.write(bz2.compress("".join(stream).encode()))
        output.write(bz2.compress(b"</mediawiki>\n"))
    unfinished.rename(path)
    return path


def _copies(pages: Sequence[str], size: int) -> Iterator[str]:
    written = copy = number = 0
    while written < size:
        for page in pages:
            number += 1
            if copy:
                page = _TITLE.sub(rf"<title>\1 ({copy})</title>", page, count=1)
            page = _ID.sub(f"<id>{number}</id>", page, count=1)
            written += len(page.encode())
            yield page
            if written >= size:
                return
        copy += 1
