"""Parquet files of the DAG: zstd, atomic, with the project's metadata key.

Every file carries the key ``mluke`` in its schema metadata: a JSON object with the stage that
wrote it, the stage's version, a digest of its settings and the name of its source. No time stamp
and no path, so equal inputs give equal bytes.
"""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mluke_core.errors import DataError
from mluke_core.io.disk_errors import disk_errors_named
from mluke_core.io.files import atomic_path, digest_of
from mluke_core.versions import STAGE_VERSIONS

METADATA_KEY = b"mluke"
COMPRESSION = "zstd"
# Measured on real pages (docs/cluster.md): 17 % smaller than the library's default of 1; higher
# levels cost far more than they save.
COMPRESSION_LEVEL = 6


def stage_metadata(stage: str, settings: Any, source: str = "") -> dict[str, Any]:
    """The project's metadata for a file written by ``stage`` with ``settings`` (JSON-like)."""
    return {
        "stage": stage,
        "version": STAGE_VERSIONS[stage],
        "settings": digest_of(settings),
        "source": source,
    }


def with_metadata(schema: pa.Schema, metadata: dict[str, Any]) -> pa.Schema:
    """``schema`` with the project's metadata key added."""
    return schema.with_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()})


def string_array(values: Sequence[str | None]) -> pa.Array:
    """Strings as an Arrow array.

    ``pa.array`` gives the same, but imports pandas on the way, which costs a short step more time
    than all its work.
    """
    valid = None
    try:
        encoded = list(map(str.encode, values))  # type: ignore[arg-type]
    except TypeError:
        encoded = [(value or "").encode() for value in values]
        present = [value is not None for value in values]
        valid = pa.py_buffer(np.packbits(present, bitorder="little"))
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, encoded), np.int32, len(encoded)), out=offsets[1:])
    data = pa.py_buffer(b"".join(encoded))
    return pa.Array.from_buffers(pa.string(), len(encoded), [valid, pa.py_buffer(offsets), data])


def int32_array(values: Sequence[int] | np.ndarray) -> pa.Array:
    """Integers as an Arrow array; without pandas, as :func:`string_array`."""
    array = np.asarray(values, np.int32)
    return pa.Array.from_buffers(pa.int32(), len(array), [None, pa.py_buffer(array)])


class _NamingWriter:
    """A Parquet writer whose disk errors name its file, also while other files are open."""

    def __init__(self, writer: pq.ParquetWriter, path: Path) -> None:
        self._writer = writer
        self._path = path

    def write_batch(self, batch: pa.RecordBatch, row_group_size: int | None = None) -> None:
        with disk_errors_named(self._path):
            self._writer.write_batch(batch, row_group_size)

    def close(self) -> None:
        with disk_errors_named(self._path):
            self._writer.close()


class BatchSink(ABC):
    """Write record batches to one Parquet file, which gets its name when it is complete.

    Used as a context manager. A subclass collects rows in its own way and hands them to
    ``_writer`` as a batch of :attr:`schema` in :meth:`flush`, so that memory stays flat.
    """

    def __init__(
        self,
        path: str | Path,
        schema: pa.Schema,
        metadata: dict[str, Any],
        use_dictionary: bool | Sequence[str] = True,
        write_statistics: bool | Sequence[str] = True,
        compression_level: int = COMPRESSION_LEVEL,
    ) -> None:
        self.schema = with_metadata(schema, metadata)
        self._use_dictionary = use_dictionary
        self._write_statistics = write_statistics
        self._compression_level = compression_level
        self._path = Path(path)
        self._context = atomic_path(path)

    @abstractmethod
    def flush(self) -> None:
        """Write the rows collected so far, if there are any."""

    def __enter__(self) -> Self:
        temporary = self._context.__enter__()
        try:
            with disk_errors_named(self._path):
                writer = pq.ParquetWriter(
                    temporary,
                    self.schema,
                    compression=COMPRESSION,
                    compression_level=self._compression_level,
                    use_dictionary=self._use_dictionary,
                    write_statistics=self._write_statistics,
                )
        except BaseException:
            self._context.__exit__(*sys.exc_info())
            raise
        self._writer = _NamingWriter(writer, self._path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.flush()
            self._writer.close()
        except BaseException:
            # A full disk, say: the temporary file must go all the same.
            self._context.__exit__(*sys.exc_info())
            raise
        self._context.__exit__(kind, error, trace)


class ParquetSink(BatchSink):
    """Write rows in row groups; :meth:`append` takes one row in the order of the schema."""

    def __init__(
        self,
        path: str | Path,
        schema: pa.Schema,
        metadata: dict[str, Any],
        row_group_size: int = 4096,
        use_dictionary: bool | Sequence[str] = True,
    ) -> None:
        super().__init__(path, schema, metadata, use_dictionary)
        self.row_group_size = row_group_size
        self.rows = 0
        self._columns: list[list[Any]] = [[] for _ in schema]

    def append(self, row: Sequence[Any]) -> None:
        """Add one row, its values in the order of the schema."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self.rows += 1
        if len(self._columns[0]) >= self.row_group_size:
            self.flush()

    def flush(self) -> None:
        """Write the rows collected so far."""
        if not self._columns[0]:
            return
        arrays = [
            string_array(values) if field.type == pa.string() else pa.array(values, field.type)
            for values, field in zip(self._columns, self.schema, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self.schema))
        self._columns = [[] for _ in self.schema]


def write_table(path: str | Path, table: pa.Table, metadata: dict[str, Any]) -> None:
    """Write an Arrow table atomically with the project's metadata and compression."""
    schema = with_metadata(table.schema, metadata)
    with atomic_path(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(schema.metadata),
            temporary,
            compression=COMPRESSION,
            compression_level=COMPRESSION_LEVEL,
        )


def batches(
    file: pq.ParquetFile, rows: int, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of at most ``rows`` rows, row group by row group.

    Asked for batches of a whole file, the reader buffers all that it will need of it.
    """
    for group in range(file.num_row_groups):
        yield from file.iter_batches(rows, row_groups=[group], columns=columns)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The project's metadata of a Parquet file; :class:`DataError` when it has none."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}).") from None
    if METADATA_KEY not in metadata:
        raise DataError(f"{path}: a Parquet file, but not one written by this project.")
    return json.loads(metadata[METADATA_KEY])
