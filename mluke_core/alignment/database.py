"""DuckDB with a memory cap, and Parquet files opened with clear errors."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mluke_core.errors import DataError, MlukeError

# What Python, Arrow's buffers and the result need beside DuckDB's own memory.
RESERVED_MB = 500
MINIMUM_MB = 500


@contextmanager
def connect(
    memory_mb: int, spill_folder: Path, threads: int = 1
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private in-memory database that spills to disk beyond ``memory_mb`` megabytes.

    Args:
        memory_mb: memory of the whole process; DuckDB gets what the rest leaves.
        spill_folder: made when it does not exist; what is written there is gone afterwards.
        threads: threads of the queries.

    Raises:
        MlukeError: when a query needs more memory and the disk is full.
    """
    spill_folder.mkdir(parents=True, exist_ok=True)
    limit = max(memory_mb - RESERVED_MB, MINIMUM_MB)
    with (
        tempfile.TemporaryDirectory(prefix=".duckdb-", dir=spill_folder) as folder,
        duckdb.connect(":memory:") as connection,
    ):
        connection.execute("SET memory_limit = $1", [f"{limit}MB"])
        connection.execute("SET temp_directory = $1", [folder])
        connection.execute("SET threads = $1", [threads])
        # Every result is ordered in full, so the order of the input need not be kept.
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_progress_bar = false")
        try:
            yield connection
        except duckdb.OutOfMemoryException as error:
            free = shutil.disk_usage(spill_folder).free
            raise MlukeError(
                f"{spill_folder}: the query needs more than {limit} MB of memory and cannot spill "
                f"the rest: {free:,} bytes are free there. Free some space, or give the job more "
                f"memory. ({str(error).splitlines()[0]})"
            ) from error


def fetch_table(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    schema: pa.Schema,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> pa.Table:
    """The result of a query as one contiguous Arrow table with exactly this schema."""
    result: Any = connection.sql(query, params=parameters)
    return result.to_arrow_table().cast(schema).combine_chunks()


def fetch_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """The only row of a query that has one, such as a sum over everything."""
    (row,) = connection.execute(query).fetchall()
    return row


def open_parquet(path: Path, pre_buffer: bool = True) -> pq.ParquetFile:
    """Open a Parquet file; :class:`DataError` when it is missing or damaged."""
    try:
        return pq.ParquetFile(path, pre_buffer=pre_buffer)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Ask Snakemake for it.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}).") from None


def require_columns(path: Path, *columns: str) -> None:
    """:class:`DataError` unless ``path`` is a Parquet file with these columns."""
    with open_parquet(path) as file:
        names = file.schema_arrow.names
    missing = [name for name in columns if name not in names]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; it has {', '.join(names)}.")


def read_columns(path: Path, *columns: str) -> pa.Table:
    """These columns of a Parquet file; :class:`DataError` names those it lacks."""
    require_columns(path, *columns)
    with open_parquet(path) as file:
        return file.read(columns=list(columns))
