"""Sitelinks: which article of each language is about which Wikidata item.

The table of a language is one-to-one: a title belongs to one item and an item has one title. The
sources promise that; where a damaged source breaks the promise, the lowest item and then the
smallest title win, and the rest is counted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mluke_core.alignment.sitelink_readers import ReadCounts, Row, read_json, read_sql
from mluke_core.errors import DataError
from mluke_core.io.parquet import stage_metadata, write_table

log = logging.getLogger("mluke")

SCHEMA = pa.schema([("qid", pa.int64()), ("title", pa.string())])
READERS: dict[str, Callable[[Path, Any, ReadCounts], Iterator[list[Row]]]] = {
    "sql": read_sql,
    "json": read_json,
}
# MediaWiki's limit on the bytes of a title.
MAXIMUM_TITLE_BYTES = 255
BUFFERED_ROWS = 1 << 18
# Bytes that no title of MediaWiki may have: tabs, line ends, NUL and other control characters.
_CONTROL = bytes(range(0x20)) + b"\x7f"


class SitelinkBuffer:
    """Rows of one language on their way into an Arrow table."""

    def __init__(self) -> None:
        self._qids: list[int] = []
        self._titles: list[bytes] = []
        self._batches: list[pa.RecordBatch] = []
        self.invalid_titles = 0

    def add(self, qid: int, title: bytes) -> None:
        """Add one row, unless no page can have this title."""
        # translate() with a delete table is the fastest test for forbidden bytes.
        if not 0 < len(title) <= MAXIMUM_TITLE_BYTES or len(title.translate(None, _CONTROL)) != len(
            title
        ):
            self.invalid_titles += 1
            return
        self._qids.append(qid)
        self._titles.append(title)
        if len(self._qids) >= BUFFERED_ROWS:
            self._flush()

    def _flush(self) -> None:
        titles = pa.array(self._titles, pa.binary())
        try:
            strings = titles.cast(pa.string())
        except pa.ArrowInvalid:
            readable = pa.array([_is_utf8(title) for title in self._titles])
            self.invalid_titles += len(titles) - (pc.sum(readable).as_py() or 0)
            strings = titles.filter(readable).cast(pa.string())
            self._qids = pa.array(self._qids).filter(readable).to_pylist()
        strings = pc.replace_substring(strings, "_", " ")
        self._batches.append(
            pa.record_batch([pa.array(self._qids, pa.int64()), strings], schema=SCHEMA)
        )
        self._qids, self._titles = [], []

    def finish(self) -> tuple[pa.Table, int]:
        """The one-to-one table, sorted by title, and how many rows it dropped as duplicates."""
        self._flush()
        table = pa.Table.from_batches(self._batches, schema=SCHEMA).combine_chunks()
        self._batches = []
        rows = len(table)
        table = _first_of_each(table, by="qid", then="title")
        table = _first_of_each(table, by="title", then="qid")
        return table, rows - len(table)


def _first_of_each(table: pa.Table, by: str, then: str) -> pa.Table:
    """Sorted by ``by``, one row per value of it: the one with the smallest ``then``."""
    table = table.sort_by([(by, "ascending"), (then, "ascending")]).combine_chunks()
    if len(table) < 2:
        return table
    values = table[by].combine_chunks()
    differs = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
    first = pa.concat_arrays([pa.array([True]), differs])
    return table.filter(first)


def _is_utf8(title: bytes) -> bool:
    try:
        title.decode()
    except UnicodeDecodeError:
        return False
    return True


def sitelinks(
    path: Path,
    format_name: str,
    wikis: Mapping[str, str],
    output_folder: Path,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Write ``<output_folder>/<language>.parquet`` for every language and return the report.

    Args:
        path: the dump.
        format_name: ``sql`` or ``json``.
        wikis: language to the name of its wiki (``{"en": "enwiki"}``); rows of other sites, such
            as ``enwikiquote``, are left out.
        output_folder: where the tables go.
        settings: the step's settings, for the files' metadata.

    Raises:
        DataError: when the file is damaged, of another format, or has no row of any wiki.
    """
    if format_name not in READERS:
        raise DataError(f"sitelinks format {format_name!r} is not known. Write sql or json.")
    counts = ReadCounts()
    buffers = {wiki: SitelinkBuffer() for wiki in wikis.values()}
    for rows in READERS[format_name](path, list(buffers), counts):
        for qid, wiki, title in rows:
            buffers[wiki].add(qid, title)
    # The same table from either format: nothing of the source goes into the file.
    metadata = stage_metadata("sitelinks", {"wikis": settings.get("wikis")})
    languages: dict[str, dict[str, int]] = {}
    for language, wiki in wikis.items():
        buffer = buffers[wiki]
        table, duplicates = buffer.finish()
        languages[language] = {
            "sitelinks": len(table),
            "duplicates": duplicates,
            "invalid_titles": buffer.invalid_titles,
        }
        write_table(output_folder / f"{language}.parquet", table, metadata)
        if not len(table):
            log.warning("%s: no sitelink to %s", path, wiki)
    if not any(entry["sitelinks"] for entry in languages.values()):
        raise DataError(
            f"{path}: no sitelink to any of {', '.join(wikis.values())}. Is it the right file?"
        )
    if counts.broken_lines:
        log.warning("%s: %d broken lines left out", path, counts.broken_lines)
    return {
        "format": format_name,
        "lines": counts.lines,
        "broken_lines": counts.broken_lines,
        "broken_examples": counts.broken_examples,
        "without_sitelinks": counts.without_sitelinks,
        "languages": languages,
    }
