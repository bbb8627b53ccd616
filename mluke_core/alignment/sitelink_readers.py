"""Read sitelinks (item, wiki, title) from the two forms in which Wikidata publishes them.

``wb_items_per_site.sql.gz`` is a table dump, whose INSERT lines are split by Arrow; a line that is
not as regular as mysqldump writes it is read with a regular expression instead. The JSON dump holds
one item per line. Both readers hand on rows of the wanted wikis only, undecoded, and count what
they could not read.
"""

from __future__ import annotations

import math
import multiprocessing
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from mluke_core.alignment.line_blocks import LineBlocks
from mluke_core.errors import DataError
from mluke_core.io.lifeline import Process, end_with
from mluke_core.io.process import no_cycle_collection
from mluke_core.io.progress import Progress

ROWS = pa.schema([("qid", pa.int64()), ("wiki", pa.int32()), ("title", pa.binary())])
"""Number of the item (42 for Q42), place of the wiki in the sorted list, title in UTF-8."""

MAXIMUM_EXAMPLES = 10
# One process that parses keeps up with so many that decompress bz2.
DECOMPRESSORS_PER_PARSER = 4

_SQL_PREFIX = b"INSERT INTO `wb_items_per_site` VALUES ("
_SQL_COLUMNS = ["ips_row_id", "ips_item_id", "ips_site_id", "ips_site_page"]
_SQL_COLUMN = re.compile(rb"^\s+`(\w+)`")
# A string's inside: no quote and no backslash, or an escape, or a doubled quote. Possessive, so a
# broken line costs no backtracking.
_SQL_STRING = rb"(?:[^'\\]++|\\.|'')*+"
_SQL_TITLE = re.compile(_SQL_STRING, re.DOTALL)
_SQL_ROW = re.compile(rb"\(\d+,(\d+),'([^'\\]*+)','(" + _SQL_STRING + rb")'\)", re.DOTALL)
_SQL_LINE = re.compile(
    re.escape(_SQL_PREFIX[:-1]) + rb"(?:\(\d+,\d+,'[^'\\]*+','" + _SQL_STRING + rb"'\)[,;])++\s*+",
    re.DOTALL,
)
_SQL_ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
_SQL_ESCAPED = {b"0": b"\0", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a", b"b": b"\b"}


@dataclass
class ReadCounts:
    """What a reader saw."""

    lines: int = 0
    """INSERT lines of the SQL, items of the JSON."""
    broken_lines: int = 0
    """Lines that are not what the format says; their intact rows are kept (SQL)."""
    broken_examples: list[str] = field(default_factory=list)
    """The first broken lines: number and beginning."""
    without_sitelinks: int = 0
    """Items of the JSON that are linked from no wiki."""

    def broken(self, number: int, line: bytes, reason: str) -> None:
        """Count a broken line and keep the first few to show."""
        self.broken_lines += 1
        if len(self.broken_examples) < MAXIMUM_EXAMPLES:
            beginning = line[:60].decode("utf-8", "replace")
            self.broken_examples.append(f"line {number}: {reason}: {beginning}")


def read_sql(
    path: Path, wikis: Iterable[str], counts: ReadCounts, threads: int = 1
) -> Iterator[pa.RecordBatch]:
    """Rows of a ``wb_items_per_site`` dump, a batch of schema :data:`ROWS` per INSERT line.

    ``threads`` is not used: one core reads the table faster than gzip unpacks it.

    Raises:
        DataError: when the file is damaged or is the dump of another table.
    """
    names = pa.array([wiki.encode() for wiki in sorted(wikis)], pa.binary())
    columns: list[str] = []
    first = 1
    with (
        LineBlocks(path) as blocks,
        Progress("sitelinks", path.stat().st_size, "B") as bar,
    ):
        for block in blocks:
            lines = block.removesuffix(b"\n").split(b"\n")
            for number, line in enumerate(lines, start=first):
                if not line.startswith(b"INSERT INTO"):
                    if column := _SQL_COLUMN.match(line):
                        columns.append(column[1].decode())
                    continue
                if counts.lines == 0:
                    _check_table(path, line, columns)
                counts.lines += 1
                rows = _split_rows(line, names)
                if rows is None:
                    if _SQL_LINE.fullmatch(line) is None:
                        counts.broken(number, line, "not a complete INSERT")
                    rows = _search_rows(line, names)
                yield rows
            first += len(lines)
            bar.update(blocks.position() - bar.count)
    if counts.lines == 0:
        raise DataError(f"{path}: no INSERT line; expected a dump of the table wb_items_per_site.")


def _check_table(path: Path, line: bytes, columns: list[str]) -> None:
    if not line.startswith(_SQL_PREFIX[:-1]) or (columns and columns != _SQL_COLUMNS):
        raise DataError(
            f"{path}: expected a dump of wb_items_per_site with the columns "
            f"{', '.join(_SQL_COLUMNS)}; found {line[:40].decode('utf-8', 'replace')!r} with "
            f"{', '.join(columns) or 'none'}."
        )


def _split_rows(line: bytes, names: pa.Array) -> pa.RecordBatch | None:
    """The wanted rows of a regular line; None when splitting cannot be trusted."""
    body = line.rstrip(b"\r")
    if not (body.startswith(_SQL_PREFIX) and body.endswith(b"');")):
        return None
    # Python splits one long string several times faster than Arrow, Arrow many short ones.
    rows = pa.array(body[len(_SQL_PREFIX) : -len(b"');")].split(b"'),("), pa.binary())
    fields = pc.split_pattern(rows, b"'", max_splits=3)
    # A row that ends with a backslash was cut at an escaped quote.
    if not _all_of_length(fields, 4) or pc.any(pc.ends_with(rows, b"\\")).as_py():
        return None
    places = pc.index_in(pc.list_element(fields, 1), value_set=names)
    wanted = pc.is_valid(places)
    fields = fields.filter(wanted)
    numbers, comma, titles = (pc.list_element(fields, i) for i in (0, 2, 3))
    numbers = pc.split_pattern(numbers, b",")
    regular = (
        pc.all(pc.equal(comma, b","), min_count=0).as_py()
        and _all_of_length(numbers, 3)
        and pc.all(pc.equal(pc.list_element(numbers, 2), b""), min_count=0).as_py()
    )
    quoted = pc.match_substring(titles, b"'")
    # A quote that is not escaped was the end of a title, or a doubled one.
    if not regular or not all(map(_SQL_TITLE.fullmatch, titles.filter(quoted).to_pylist())):
        return None
    try:
        items = pc.list_element(numbers, 1).cast(pa.string()).cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return pa.record_batch([items, places.drop_null(), _unescaped(titles)], schema=ROWS)


def _all_of_length(lists: pa.ListArray, length: int) -> bool:
    return pc.all(pc.equal(pc.list_value_length(lists), length), min_count=0).as_py()


def _search_rows(line: bytes, names: pa.Array) -> pa.RecordBatch:
    """The same for any line: what looks like a row wherever it stands."""
    found = _SQL_ROW.findall(line)
    places = pc.index_in(pa.array([wiki for _, wiki, _ in found], pa.binary()), value_set=names)
    wanted = pc.is_valid(places)
    items = pa.array([int(item) for item, _, _ in found], pa.int64()).filter(wanted)
    titles = pa.array([title for _, _, title in found], pa.binary()).filter(wanted)
    return pa.record_batch([items, places.drop_null(), _unescaped(titles)], schema=ROWS)


def _unescaped(titles: pa.Array) -> pa.Array:
    escaped = pc.or_(pc.match_substring(titles, b"\\"), pc.match_substring(titles, b"''"))
    if not escaped.true_count:
        return titles
    plain = [_unescape(title) for title in titles.filter(escaped).to_pylist()]
    return pc.replace_with_mask(titles, escaped, pa.array(plain, pa.binary()))


def _unescape(title: bytes) -> bytes:
    """Undo MySQL's escapes: ``\\'``, ``\\\\``, ``\\n`` and so on, and the doubled quote."""
    return _SQL_ESCAPE.sub(
        lambda match: _SQL_ESCAPED.get(match[1], match[1]) if match[1] else b"'", title
    )


class ParsedItems(NamedTuple):
    """What a block of lines of the JSON dump holds."""

    rows: pa.RecordBatch
    """Sitelinks, in the schema :data:`ROWS`."""
    entities: int
    """Items, properties and lexemes."""
    items: int
    without_sitelinks: int
    lines: int
    broken: list[tuple[int, bytes, str]]
    """Broken lines: place in the block from 0 on, beginning, reason."""


def read_json(
    path: Path, wikis: Iterable[str], counts: ReadCounts, threads: int = 1
) -> Iterator[pa.RecordBatch]:
    """Rows of a Wikidata JSON dump (``.json.bz2``, ``.json.gz`` or ``.json``), in batches.

    Old dumps write an empty list where an item has no sitelinks, and a bare title for a link.

    Args:
        path: the dump.
        wikis: names of the wikis whose rows are wanted.
        counts: what is seen is added here.
        threads: cores; beyond one, bz2 is unpacked by as many threads and processes of their own
            parse. The rows and their order stay the same.

    Raises:
        DataError: when the compressed file is damaged or no line of it is an item.
    """
    names = sorted(wikis)
    entities = number = 0
    with (
        LineBlocks(path, threads) as blocks,
        Progress("sitelinks", path.stat().st_size, "B") as bar,
    ):
        for parsed in _parse_blocks(blocks, names, threads):
            for place, line, reason in parsed.broken:
                counts.broken(number + place + 1, line, reason)
            number += parsed.lines
            entities += parsed.entities
            counts.lines += parsed.items
            counts.without_sitelinks += parsed.without_sitelinks
            bar.update(blocks.position() - bar.count)
            yield parsed.rows
    if entities == 0:
        raise DataError(
            f"{path}: no entity in {counts.broken_lines} lines; expected a Wikidata JSON dump with "
            "one entity per line."
        )


def _parse_blocks(
    blocks: Iterable[bytes], wikis: Sequence[str], threads: int
) -> Iterator[ParsedItems]:
    """Parse blocks, in order; with several threads in processes, a few blocks ahead."""
    if threads <= 1:
        for block in blocks:
            yield parse_items(block, wikis)
        return
    workers = math.ceil(threads / DECOMPRESSORS_PER_PARSER)
    # Spawned, because a fork would copy the locks of the threads that decompress.
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[ParsedItems]] = deque()
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=end_with, initargs=(Process.current(),)
    ) as pool:
        try:
            for block in blocks:
                waiting.append(pool.submit(parse_items, block, wikis))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


# Parsed JSON has no cycles.
@no_cycle_collection()
def parse_items(block: bytes, wikis: Sequence[str]) -> ParsedItems:
    """Sitelinks of the items in whole lines of a JSON dump."""
    place_of = {wiki: place for place, wiki in enumerate(wikis)}
    qids: list[int] = []
    places: list[int] = []
    titles: list[bytes] = []
    broken: list[tuple[int, bytes, str]] = []
    entities = items = without_sitelinks = 0
    lines = block.removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines):
        text = line.rstrip(b", \r")
        if text in (b"", b"[", b"]"):
            continue
        try:
            entity = orjson.loads(text)
            entity_id, links = entity["id"], entity.get("sitelinks")
            if entity_id.startswith("Q"):
                item = int(entity_id[1:])
                # All or none: a title that is no string makes the whole line a broken one.
                found = [
                    (place_of[wiki], _title(link).encode())
                    for wiki, link in (links.items() if links else ())
                    if wiki in place_of
                ]
                items += 1
                without_sitelinks += not links
                for place, title in found:
                    qids.append(item)
                    places.append(place)
                    titles.append(title)
            entities += 1
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            broken.append((number, line[:60], "not an entity in JSON"))
    rows = pa.record_batch(
        [pa.array(qids, pa.int64()), pa.array(places, pa.int32()), pa.array(titles, pa.binary())],
        schema=ROWS,
    )
    return ParsedItems(rows, entities, items, without_sitelinks, len(lines), broken)


def _title(link: Any) -> str:
    title = link if isinstance(link, str) else link["title"]
    if not isinstance(title, str):
        raise TypeError("title is not a string")
    return title
