"""Single columns of page files, read without the rest: targets of links, texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mluke_core.alignment.database import open_parquet
from mluke_core.errors import DataError
from mluke_core.io.parquet import batches

TARGETS_SCHEMA = pa.schema([("target", pa.string())])
PAGES_PER_TARGET_BATCH = 4096
# Small, because a page may hold a megabyte of text.
PAGES_PER_BATCH = 256


def open_pages(path: Path, pre_buffer: bool = True) -> pq.ParquetFile:
    """Open a page file; :class:`DataError` when it is missing, damaged or of another kind."""
    file = open_parquet(path, pre_buffer)
    names = set(file.schema_arrow.names)
    if not {"page_id", "title", "paragraphs"} <= names:
        raise DataError(
            f"{path}: expected a page file (page_id, title, paragraphs); it has "
            f"{', '.join(sorted(names))}."
        )
    return file


def link_targets(pages: Sequence[Path]) -> pa.RecordBatchReader:
    """The targets of all links of some page files as one column ``target``.

    Only that one column of the files is read: text and offsets stay on disk.
    """

    def targets() -> Iterator[pa.RecordBatch]:
        for path in pages:
            # Batches of many row groups, and no threads for one column: less time for
            # reading and counting. Without reading ahead memory stays flat all the same.
            with open_pages(path, pre_buffer=False) as file:
                column = leaf_column(file, "target")
                for batch in file.iter_batches(
                    PAGES_PER_TARGET_BATCH, columns=[column], use_threads=False
                ):
                    links = batch.column(0).flatten().field("links").flatten()
                    found = links.field("target").cast(pa.string())
                    yield pa.record_batch([found], schema=TARGETS_SCHEMA)

    return pa.RecordBatchReader.from_batches(TARGETS_SCHEMA, targets())


def page_texts(pages: Sequence[Path]) -> Iterator[str]:
    """The text of every page, paragraphs on lines of their own."""
    for path in pages:
        with open_pages(path) as file:
            column = leaf_column(file, "text")
            for batch in batches(file, PAGES_PER_BATCH, [column]):
                paragraphs = batch.column(0)
                bounds = list_bounds(paragraphs)
                texts = paragraphs.flatten().field("text").to_pylist()
                for i in range(len(paragraphs)):
                    yield "\n".join(texts[bounds[i] : bounds[i + 1]])


def leaf_column(file: pq.ParquetFile, name: str) -> str:
    """Path of the one column of primitive values that is called ``name``, however deep."""
    paths = [file.schema.column(i).path for i in range(len(file.schema))]
    (path,) = [path for path in paths if path.endswith(f".{name}")]
    return path


def list_bounds(lists: pa.ListArray) -> list[int]:
    """Where each list begins in the flattened values; one more entry for the end of the last."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return [0, *np.cumsum(lengths).tolist()]
