"""Read sitelinks (item, wiki, title) from the two forms in which Wikidata publishes them.

``wb_items_per_site.sql.gz`` is a table dump and is read with one regular expression per INSERT
line; the JSON dump holds one item per line. Both readers hand on rows of the wanted wikis only,
undecoded, and count what they could not read.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from mluke_core.errors import DataError
from mluke_core.io.progress import Progress

Row = tuple[int, str, bytes]
"""Number of the item (42 for Q42), wiki, title in UTF-8."""

MAXIMUM_EXAMPLES = 10

_SQL_TABLE = b"wb_items_per_site"
_SQL_COLUMNS = ["ips_row_id", "ips_item_id", "ips_site_id", "ips_site_page"]
_SQL_COLUMN = re.compile(rb"^\s+`(\w+)`")
# A string's inside: no quote and no backslash, or an escape, or a doubled quote. Possessive, so a
# broken line costs no backtracking.
_SQL_STRING = rb"'((?:[^'\\]++|\\.|'')*+)'"
_SQL_ROW = rb"\(\d+,(\d+),'%s'," + _SQL_STRING + rb"\)"
_SQL_LINE = re.compile(
    rb"INSERT INTO `wb_items_per_site` VALUES "
    rb"(?:\(\d+,\d+,'[^'\\]*+','(?:[^'\\]++|\\.|'')*+'\)[,;])++\s*+",
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


def read_sql(path: Path, wikis: Iterable[str], counts: ReadCounts) -> Iterator[list[Row]]:
    """Rows of a ``wb_items_per_site`` dump, in lists of one INSERT line each.

    Raises:
        DataError: when the file is damaged or is the dump of another table.
    """
    wanted = b"|".join(re.escape(wiki.encode()) for wiki in sorted(wikis))
    row_pattern = re.compile(_SQL_ROW % (b"(" + wanted + b")"), re.DOTALL)
    names = {wiki.encode(): wiki for wiki in wikis}
    columns: list[str] = []
    with _open(path) as (stream, position), Progress("sitelinks", path.stat().st_size, "B") as bar:
        for number, line in enumerate(_lines(stream, path), start=1):
            if not line.startswith(b"INSERT INTO"):
                if column := _SQL_COLUMN.match(line):
                    columns.append(column[1].decode())
                continue
            if counts.lines == 0:
                _check_table(path, line, columns)
            counts.lines += 1
            if _SQL_LINE.fullmatch(line) is None:
                counts.broken(number, line, "not a complete INSERT")
            yield [
                (int(item), names[wiki], _unescape(title) if _is_escaped(title) else title)
                for item, wiki, title in row_pattern.findall(line)
            ]
            bar.update(position() - bar.count)
    if counts.lines == 0:
        raise DataError(f"{path}: no INSERT line; expected a dump of the table wb_items_per_site.")


def _check_table(path: Path, line: bytes, columns: list[str]) -> None:
    if _SQL_TABLE not in line[:40] or (columns and columns != _SQL_COLUMNS):
        raise DataError(
            f"{path}: expected a dump of wb_items_per_site with the columns "
            f"{', '.join(_SQL_COLUMNS)}; found {line[:40].decode('utf-8', 'replace')!r} with "
            f"{', '.join(columns) or 'none'}."
        )


def _is_escaped(title: bytes) -> bool:
    return b"\\" in title or b"''" in title


def _unescape(title: bytes) -> bytes:
    """Undo MySQL's escapes: ``\\'``, ``\\\\``, ``\\n`` and so on, and the doubled quote."""
    return _SQL_ESCAPE.sub(
        lambda match: _SQL_ESCAPED.get(match[1], match[1]) if match[1] else b"'", title
    )


def read_json(path: Path, wikis: Iterable[str], counts: ReadCounts) -> Iterator[list[Row]]:
    """Rows of a Wikidata JSON dump (``.json.bz2``, ``.json.gz`` or ``.json``), per item.

    Old dumps write an empty list where an item has no sitelinks, and a bare title for a link.

    Raises:
        DataError: when the compressed file is damaged or no line of it is an item.
    """
    wanted = frozenset(wikis)
    entities = 0
    with _open(path) as (stream, position), Progress("sitelinks", path.stat().st_size, "B") as bar:
        for number, line in enumerate(_lines(stream, path), start=1):
            text = line.strip().rstrip(b",")
            if text in (b"", b"[", b"]"):
                continue
            try:
                entity = orjson.loads(text)
                entity_id, links = entity["id"], entity.get("sitelinks")
                if not entity_id.startswith("Q"):
                    entities += 1
                    continue  # a property or a lexeme
                item = int(entity_id[1:])
                rows = [
                    (item, wiki, _title(link).encode())
                    for wiki, link in (links or {}).items()
                    if wiki in wanted
                ]
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
                counts.broken(number, line, "not an entity in JSON")
                continue
            entities += 1
            counts.lines += 1
            if not links:
                counts.without_sitelinks += 1
            elif rows:
                yield rows
            if not number % 1000:
                bar.update(position() - bar.count)
        bar.update(position() - bar.count)
    if entities == 0:
        raise DataError(
            f"{path}: no entity in {counts.broken_lines} lines; expected a Wikidata JSON dump with "
            "one entity per line."
        )


def _title(link: Any) -> str:
    title = link if isinstance(link, str) else link["title"]
    if not isinstance(title, str):
        raise TypeError("title is not a string")
    return title


class _Opened:
    """A file opened for reading lines, and how far it has been read in compressed bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._raw: IO[bytes] = open(path, "rb")  # noqa: SIM115 - closed in __exit__
        except FileNotFoundError:
            raise DataError(
                f"{path}: no such file. Delete its source manifest to fetch it."
            ) from None
        self._stream: Any = self._raw

    def __enter__(self) -> tuple[Any, Callable[[], int]]:
        if self.path.suffix == ".bz2":
            import indexed_bzip2

            self._stream = indexed_bzip2.open(str(self.path), parallelization=1)
            return self._stream, lambda: self._stream.tell_compressed() // 8
        if self.path.suffix == ".gz":
            self._stream = gzip.GzipFile(fileobj=self._raw)
        return self._stream, self._raw.tell

    def __exit__(self, *exception: object) -> None:
        if self._stream is not self._raw:
            self._stream.close()
        self._raw.close()


_open = _Opened


def _lines(stream: Any, path: Path) -> Iterator[bytes]:
    """Lines of a compressed stream; a damaged or cut file is one clear error."""
    iterator = iter(stream)
    while True:
        try:
            line = next(iterator, None)
        except (EOFError, OSError, zlib.error, RuntimeError, ValueError) as error:
            raise DataError(
                f"{path}: damaged or cut off ({error or 'unexpected end of file'}). Delete it and "
                "its source manifest so that it is fetched again."
            ) from None
        if line is None:
            return
        yield line
