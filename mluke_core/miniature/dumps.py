"""Multistream pages-articles dumps with index, status and checksum lists, as on the real server.

A multistream file is a row of bz2 streams: the header with the wiki's ``<siteinfo>``, then some
pages per stream, then the end of the root element. The index has a line ``offset:id:title`` per
page, where offset is the first byte of the page's stream.
"""

from __future__ import annotations

import bz2
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from mluke_core.io.files import file_digest, write_json, write_text
from mluke_core.miniature.encyclopaedia import Page
from mluke_core.miniature.tables import labels, namespaces

PAGES_PER_STREAM = 40
SCHEMA = "0.10"

_QUOTED = {'"': "&quot;"}
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def write_dump(
    folder: Path, language: str, date: str, pages: Sequence[Page], parts: int
) -> list[Path]:
    """Write the dump of one Wikipedia into ``folder`` (``dumps.wikimedia.org/<wiki>/<date>``).

    Args:
        folder: made when it does not exist.
        language: of the wiki.
        date: of the dump, ``YYYYMMDD``.
        pages: in the order of their ids.
        parts: number of files the pages are split into; 1 writes the names of an unsplit dump.

    Returns:
        The dump's files, without the lists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wiki = f"{language}wiki"
    stem = f"{wiki}-{date}-pages-articles-multistream"
    written = []
    for number in range(parts):
        start, end = (len(pages) * i // parts for i in (number, number + 1))
        part = pages[start:end]
        first = 1 if number == 0 else pages[start - 1].page_id + 1
        span = f"p{first}p{part[-1].page_id}"
        names = (
            (f"{stem}.xml.bz2", f"{stem}-index.txt.bz2")
            if parts == 1
            else (f"{stem}{number + 1}.xml-{span}.bz2", f"{stem}-index{number + 1}.txt-{span}.bz2")
        )
        dump, index = multistream(language, date, part)
        for name, content in zip(names, (dump, index), strict=True):
            (folder / name).write_bytes(content)
            written.append(folder / name)
    write_status(folder, wiki, date, "articlesmultistreamdump", written)
    write_sums(folder, wiki, date, written)
    return written


def multistream(language: str, date: str, pages: Sequence[Page]) -> tuple[bytes, bytes]:
    """The multistream file of ``pages`` and its index, both compressed."""
    streams = [bz2.compress(_header(language).encode())]
    offset = len(streams[0])
    index = []
    for start in range(0, len(pages), PAGES_PER_STREAM):
        batch = pages[start : start + PAGES_PER_STREAM]
        stream = bz2.compress("".join(_page(page, date) for page in batch).encode())
        index += [f"{offset}:{page.page_id}:{page.title}\n" for page in batch]
        offset += len(stream)
        streams.append(stream)
    streams.append(bz2.compress(b"</mediawiki>\n"))
    return b"".join(streams), bz2.compress("".join(index).encode())


def write_status(folder: Path, wiki: str, date: str, job: str, paths: Sequence[Path]) -> None:
    """Write ``dumpstatus.json`` of a dump with one finished job, whose files are ``paths``."""
    files = {
        path.name: {
            "size": path.stat().st_size,
            "url": f"/{wiki}/{date}/{path.name}",
            "md5": file_digest(path, "md5"),
            "sha1": file_digest(path, "sha1"),
        }
        for path in sorted(paths)
    }
    updated = f"{date[:4]}-{date[4:6]}-{date[6:]} 12:00:00"
    jobs: dict[str, Any] = {
        job: {"status": "done", "updated": updated, "files": files},
        # A job that never ran, as every real status file has some.
        "flowhistorydump": {"status": "waiting", "updated": ""},
    }
    write_json(folder / "dumpstatus.json", {"version": "0.8", "jobs": jobs})


def write_sums(folder: Path, stem: str, date: str, paths: Sequence[Path]) -> None:
    """Write the lists of the sha1 and md5 sums of ``paths``."""
    for algorithm in ("sha1", "md5"):
        lines = [f"{file_digest(path, algorithm)}  {path.name}\n" for path in sorted(paths)]
        write_text(folder / f"{stem}-{date}-{algorithm}sums.txt", "".join(lines))


def _header(language: str) -> str:
    schema = f"http://www.mediawiki.org/xml/export-{SCHEMA}"
    names = []
    for number, name in namespaces(language).items():
        attributes = f'key="{number}" case="first-letter"'
        names.append(
            f"      <namespace {attributes}>{escape(name)}</namespace>\n"
            if name
            else f"      <namespace {attributes} />\n"
        )
    return (
        f'<mediawiki xmlns="{schema}/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{schema}/ {schema}.xsd" version="{SCHEMA}" xml:lang="{language}">\n'
        "  <siteinfo>\n"
        f"    <sitename>{escape(labels(language)['sitename'])}</sitename>\n"
        f"    <dbname>{language}wiki</dbname>\n"
        f"    <base>https://{language}.wikipedia.org/wiki/</base>\n"
        "    <generator>MediaWiki 1.36.0-wmf.18</generator>\n"
        "    <case>first-letter</case>\n"
        f"    <namespaces>\n{''.join(names)}    </namespaces>\n"
        "  </siteinfo>\n"
    )


def _page(page: Page, date: str) -> str:
    text = page.wikitext
    content = text.encode()
    minute = page.page_id % 1440
    clock = f"{minute // 60:02d}:{minute % 60:02d}:00"
    stamp = f"{int(date[:4]) - 1}-06-{page.page_id % 28 + 1:02d}T{clock}Z"
    redirect = (
        f'    <redirect title="{escape(page.redirect.target, _QUOTED)}" />\n'
        if page.redirect
        else ""
    )
    model = ("Scribunto", "text/plain") if page.namespace == 828 else ("wikitext", "text/x-wiki")
    return (
        "  <page>\n"
        f"    <title>{escape(page.title, _QUOTED)}</title>\n"
        f"    <ns>{page.namespace}</ns>\n"
        f"    <id>{page.page_id}</id>\n"
        f"{redirect}"
        "    <revision>\n"
        f"      <id>{page.page_id * 10 + 3}</id>\n"
        f"      <parentid>{page.page_id * 10 + 2}</parentid>\n"
        f"      <timestamp>{stamp}</timestamp>\n"
        "      <contributor>\n"
        f"        <ip>192.0.2.{page.page_id % 250 + 1}</ip>\n"  # addresses for documentation
        "      </contributor>\n"
        "      <comment>[[x]] &lt;text&gt;</comment>\n"
        f"      <model>{model[0]}</model>\n"
        f"      <format>{model[1]}</format>\n"
        f'      <text bytes="{len(content)}" xml:space="preserve">{escape(text, _QUOTED)}</text>\n'
        f"      <sha1>{_sha1_base36(content)}</sha1>\n"
        "    </revision>\n"
        "  </page>\n"
    )


def _sha1_base36(content: bytes) -> str:
    """SHA-1 as MediaWiki writes it: 31 digits of base 36."""
    number = int(hashlib.sha1(content, usedforsecurity=False).hexdigest(), 16)
    digits = []
    for _ in range(31):
        number, digit = divmod(number, 36)
        digits.append(_BASE36[digit])
    return "".join(reversed(digits))
