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

from mluke_core.alignment.sitelink_readers import ROWS, ReadCounts, read_json, read_sql
from mluke_core.errors import DataError
from mluke_core.io.parquet import stage_metadata, write_table

log = logging.getLogger("mluke")

SCHEMA = pa.schema([("qid", pa.int64()), ("title", pa.string())])
READERS: dict[str, Callable[[Path, Any, ReadCounts, int], Iterator[pa.RecordBatch]]] = {
    "sql": read_sql,
    "json": read_json,
}
# MediaWiki's limit on the bytes of a title.
MAXIMUM_TITLE_BYTES = 255
# Batches are gathered up to so many rows before they are told apart by wiki.
BUFFERED_ROWS = 1 << 18
# Bytes that no title of MediaWiki may have: tabs, line ends, NUL and other control characters.
_CONTROL = bytes(range(0x20)) + b"\x7f"


class SitelinkBuffer:
    """Rows of one language on their way into an Arrow table."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self.invalid_titles = 0

    def add(self, qids: pa.Array, titles: pa.Array) -> None:
        """Add rows (item numbers, titles in UTF-8), without those whose title no page can have."""
        valid = _valid_titles(titles)
        if valid is not None:
            self.invalid_titles += len(titles) - valid.true_count
            qids, titles = qids.filter(valid), titles.filter(valid)
        strings = pc.replace_substring(titles.cast(pa.string()), "_", " ")
        self._batches.append(pa.record_batch([qids, strings], schema=SCHEMA))

    def finish(self) -> tuple[pa.Table, int]:
        """The one-to-one table, sorted by title, and how many rows it dropped as duplicates."""
        table = pa.Table.from_batches(self._batches, schema=SCHEMA).combine_chunks()
        self._batches = []
        rows = len(table)
        table = _first_of_each(table, by="qid", then="title")
        table = _first_of_each(table, by="title", then="qid")
        return table, rows - len(table)


def _valid_titles(titles: pa.Array) -> pa.BooleanArray | None:
    """Which titles a page can have; None when all are such."""
    lengths = pc.binary_length(titles)
    fits = pc.and_(pc.greater(lengths, 0), pc.less_equal(lengths, MAXIMUM_TITLE_BYTES))
    data = titles.buffers()[2]
    text = data.to_pybytes() if data else b""
    # translate() with a delete table is the fastest test for forbidden bytes.
    if len(text.translate(None, _CONTROL)) == len(text) and _are_utf8(titles):
        return None if fits.true_count == len(fits) else fits
    readable = [
        len(title.translate(None, _CONTROL)) == len(title) and _is_utf8(title)
        for title in titles.to_pylist()
    ]
    return pc.and_(fits, pa.array(readable, pa.bool_()))


def _first_of_each(table: pa.Table, by: str, then: str) -> pa.Table:
    """Sorted by ``by``, one row per value of it: the one with the smallest ``then``."""
    table = table.sort_by([(by, "ascending"), (then, "ascending")]).combine_chunks()
    if len(table) < 2:
        return table
    values = table[by].combine_chunks()
    differs = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
    first = pa.concat_arrays([pa.array([True]), differs])
    return table.filter(first)


def _are_utf8(titles: pa.BinaryArray) -> bool:
    try:
        titles.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in fewer, larger tables."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= BUFFERED_ROWS:
            yield pa.Table.from_batches(waiting, ROWS)
            waiting = []
    yield pa.Table.from_batches(waiting, ROWS)


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
    threads: int = 1,
) -> dict[str, Any]:
    """Write ``<output_folder>/<language>.parquet`` for every language and return the report.

    Args:
        path: the dump.
        format_name: ``sql`` or ``json``.
        wikis: language to the name of its wiki (``{"en": "enwiki"}``); rows of other sites, such
            as ``enwikiquote``, are left out.
        output_folder: where the tables go.
        settings: the step's settings, for the files' metadata.
        threads: cores that unpack and parse the JSON; they do not change the result.

    Raises:
        DataError: when the file is damaged, of another format, or has no row of any wiki.
    """
    if format_name not in READERS:
        raise DataError(f"sitelinks format {format_name!r} is not known. Write sql or json.")
    counts = ReadCounts()
    buffers = {wiki: SitelinkBuffer() for wiki in wikis.values()}
    names = sorted(buffers)
    for table in _gathered(READERS[format_name](path, names, counts, threads)):
        for place, wiki in enumerate(names):
            rows = table.filter(pc.equal(table["wiki"], place)).combine_chunks()
            if len(rows):
                buffers[wiki].add(rows["qid"].chunk(0), rows["title"].chunk(0))
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
