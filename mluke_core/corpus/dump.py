"""Read one part of a dump: the pages whose streams begin in a byte range of its files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mluke_core.corpus.bz2_streams import Piece, read_streams
from mluke_core.corpus.pages import BrokenPage, Page, PageSplitter, parse_pages
from mluke_core.corpus.siteinfo import (
    HEADER_END,
    HEADER_LIMIT,
    KNOWN_SCHEMAS,
    SiteInfo,
    parse_siteinfo,
)
from mluke_core.errors import DataError
from mluke_core.io.progress import Progress

log = logging.getLogger("mluke")

# Several blocks of bzip2, which have up to 900 kB: where a piece ends inside a block, the work on
# its text drives the block out of the processor's caches, and decompressing goes on slowly.
_PIECE_BYTES = 8 << 20
# So much of a piece is parsed at a time: what is worked out of it stays in a processor's caches.
_RUN_BYTES = 1 << 20


@dataclass(frozen=True)
class _Layout:
    siteinfo: SiteInfo
    pages_start: int
    """Offset of the first stream with pages; 0 when it is the header's own stream."""

    @property
    def multistream(self) -> bool:
        return self.pages_start > 0


class DumpReader:
    """The pages of part ``part`` of ``parts`` of a dump, in page order.

    The files count as one behind the other. Part I holds the streams that begin in the I-th of
    ``parts`` equal byte ranges, so every page is in exactly one part and the parts together give
    the same pages in the same order however many there are. A file whose pages are all in one
    stream, or whose streams do not begin at pages, belongs as a whole to the part its beginning
    falls into; the parts behind it are then empty.

    Args:
        files: bzip2-compressed XML, in page order.
        part: number of the part, from 0.
        parts: how many there are.
        allow_truncated: read what there is of a file that breaks off, instead of failing.
        threads: how many decompress a file that is one long stream.

    ``broken`` collects a record for every page or stream that could not be read.

    Raises:
        DataError: a file is missing, not a dump, cut off, or declares entities.
    """

    def __init__(
        self,
        files: Sequence[Path],
        part: int = 0,
        parts: int = 1,
        allow_truncated: bool = False,
        threads: int = 1,
    ) -> None:
        if not files:
            raise DataError("the dump has no files; fetch it again (download_dump).")
        if not 0 <= part < parts:
            raise DataError(f"part {part} of {parts}: parts are numbered 0 to {parts - 1}.")
        if threads < 1:
            raise DataError(f"{threads} threads: write 1 or more.")
        for path in files:
            if not path.is_file():
                raise DataError(
                    f"{path}: no such file, though the dump's manifest lists it. "
                    "Delete the manifest so that the dump is fetched again."
                )
        self.files = list(files)
        self.allow_truncated = allow_truncated
        self.threads = threads
        self.broken: list[dict[str, Any]] = []
        self.broken_pages = self.broken_streams = 0
        sizes = [path.stat().st_size for path in self.files]
        total = sum(sizes)
        self._first = total * part // parts
        self._last = total * (part + 1) // parts
        self._sizes = sizes
        self._layouts: dict[Path, _Layout] = {}
        self.siteinfo = self._layout(self.files[0]).siteinfo
        if self.siteinfo.schema not in KNOWN_SCHEMAS:
            log.warning(
                "%s: export schema %r; 0.3 to 0.11 are known, so look at the report with care",
                self.files[0],
                self.siteinfo.schema,
            )

    def pages(self) -> Iterator[Page]:
        """Every readable page of the part."""
        offset = 0
        total = self._last - self._first
        name = self.files[0].name
        with Progress(f"{name} part", total=total, unit="B") as progress:
            for path, size in zip(self.files, self._sizes, strict=True):
                start = max(self._first - offset, 0)
                stop = min(self._last - offset, size)
                if start < stop:
                    yield from self._file_pages(path, size, start, stop, progress)
                offset += size

    def _layout(self, path: Path) -> _Layout:
        layout = self._layouts.get(path)
        if layout is None:
            layout = self._layouts[path] = _read_layout(path)
        return layout

    def _file_pages(
        self, path: Path, size: int, start: int, stop: int, progress: Progress
    ) -> Iterator[Page]:
        layout = self._layout(path)
        if not layout.multistream:
            if start > 0:
                return
            stop = size
        elif start == 0:
            start = layout.pages_start
        splitter = PageSplitter()
        done = start
        at_end = False
        for piece in read_streams(path, start, stop, _PIECE_BYTES, self.threads):
            if piece.kind == "data":
                yield from self._piece_pages(path, piece, splitter)
                continue
            at_end = piece.stop >= size
            progress.update(piece.stop - done)
            done = piece.stop
            if piece.kind == "broken":
                self._record_stream(path, piece)
            elif piece.kind == "truncated":
                self._truncated(path, piece.start, piece.error)
            if layout.multistream or at_end or piece.kind != "end":
                rest = splitter.finish()
                if rest and piece.kind == "end":
                    if at_end:
                        self._truncated(path, piece.start, f"page {rest.title!r} has no end")
                    else:
                        self._record_page(path, piece.start, rest)
        if at_end and not splitter.closed:
            self._truncated(path, size, "the root element has no end")

    def _piece_pages(self, path: Path, piece: Piece, splitter: PageSplitter) -> Iterator[Page]:
        data = memoryview(piece.data)
        for begin in range(0, len(data), _RUN_BYTES):
            pages = splitter.feed(data[begin : begin + _RUN_BYTES])
            if splitter.too_long():
                rest = splitter.finish()
                if rest:
                    rest.error = "the page is longer than any page can be"
                    self._record_page(path, piece.start, rest)
            for page in parse_pages(pages):
                if isinstance(page, BrokenPage):
                    self._record_page(path, piece.start, page)
                else:
                    yield page

    def _record_page(self, path: Path, start: int, page: BrokenPage) -> None:
        self.broken_pages += 1
        record = {
            "file": path.name,
            "stream": start,
            "page_id": page.page_id,
            "title": page.title,
            "error": page.error,
        }
        self.broken.append(record)
        log.warning("%s: page %s (%r): %s", path, page.page_id, page.title, page.error)

    def _record_stream(self, path: Path, piece: Piece) -> None:
        self.broken_streams += 1
        self.broken.append(
            {
                "file": path.name,
                "stream": piece.start,
                "until": piece.stop,
                "error": piece.error,
            }
        )
        log.warning("%s: bytes %d to %d: %s", path, piece.start, piece.stop, piece.error)

    def _truncated(self, path: Path, offset: int, what: str) -> None:
        if not self.allow_truncated:
            raise DataError(
                f"{path}: cut off at byte {offset} ({what}). Delete the file so that it is fetched "
                "again, or take what there is with corpus.allow_truncated: true."
            )
        self.broken.append({"file": path.name, "stream": offset, "error": f"cut off: {what}"})
        log.warning("%s: cut off at byte %d (%s); going on as allowed", path, offset, what)


def _read_layout(path: Path) -> _Layout:
    """Header of a file, and whether its pages begin in streams of their own."""
    data = b""
    for piece in read_streams(path, 0, 1, HEADER_LIMIT):
        if piece.kind == "data":
            data += piece.data
            if len(data) < HEADER_LIMIT:
                continue
        if piece.kind in ("broken", "truncated") and HEADER_END not in data:
            raise DataError(
                f"{path}: its header cannot be decompressed (byte {piece.start}: {piece.error}), "
                "so nothing can be read. Delete the file so that it is fetched again."
            )
        siteinfo = parse_siteinfo(data, str(path))
        has_pages = data.rfind(b"<page>") >= 0 or piece.kind == "data"
        if has_pages or piece.kind != "end" or data.rstrip()[-len(HEADER_END) :] != HEADER_END:
            return _Layout(siteinfo, 0)
        return _Layout(siteinfo, piece.stop)
    raise DataError(
        f"{path}: not a bzip2 file. A pages-articles dump (….xml.bz2) was expected; delete it "
        "so that it is fetched again."
    )
