"""The Parquet files of pages and redirects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mluke_core.corpus.wikitext import Paragraph
from mluke_core.io.parquet import BatchSink, int32_array, string_array

LINK = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("target", pa.string())])
PARAGRAPH = pa.struct([("text", pa.string()), ("links", pa.list_(LINK)), ("kind", pa.string())])
PAGES = pa.schema(
    [("page_id", pa.int64()), ("title", pa.string()), ("paragraphs", pa.list_(PARAGRAPH))]
)
REDIRECTS = pa.schema([("source", pa.string()), ("target", pa.string()), ("fragment", pa.string())])
# A row group ends with the page that fills it: enough to compress well, little to hold.
ROW_GROUP_CHARACTERS = 2_000_000
# Extraction is bound by the processor, and higher levels would take a tenth of its time.
PAGES_COMPRESSION_LEVEL = 1


class PagesSink(BatchSink):
    """Write pages to one Parquet file, in the order given; it gets its name when it is complete.

    Rows are collected as flat columns, from which Arrow builds the nested lists without a Python
    object for each. Dictionaries would make the file larger: few texts and targets recur within a
    row group. Of the columns only the page's number has statistics to skip row groups by.

    ``paragraphs``, ``characters`` and ``spaces`` (U+0020) count what has been flushed.
    """

    def __init__(self, path: str | Path, metadata: dict[str, Any]) -> None:
        super().__init__(
            path,
            PAGES,
            metadata,
            use_dictionary=["paragraphs.list.element.kind"],
            write_statistics=["page_id"],
            compression_level=PAGES_COMPRESSION_LEVEL,
        )
        self.paragraphs = self.characters = self.spaces = 0
        self._clear()

    def _clear(self) -> None:
        self._ids: array[int] = array("q")
        self._titles: list[str] = []
        self._paragraphs: list[Paragraph] = []
        self._paragraph_offsets = [0]
        self._characters = 0

    def append(self, page_id: int, title: str, paragraphs: Sequence[Paragraph]) -> None:
        """Add one page."""
        self._paragraphs += paragraphs
        self._characters += sum([len(text) for text, _, _ in paragraphs])
        self._ids.append(page_id)
        self._titles.append(title)
        self._paragraph_offsets.append(len(self._paragraphs))
        if self._characters >= ROW_GROUP_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Write the pages collected so far."""
        if not self._titles:
            return
        texts, links_of, kinds = _columns(self._paragraphs)
        starts, ends, targets = _columns(chain.from_iterable(links_of))
        offsets = np.zeros(len(texts) + 1, np.int32)
        np.cumsum([len(links) for links in links_of], out=offsets[1:])
        links = pa.StructArray.from_arrays(
            [int32_array(starts), int32_array(ends), string_array(targets)], fields=list(LINK)
        )
        text = string_array(texts)
        self.paragraphs += len(texts)
        self.characters += self._characters
        self.spaces += np.count_nonzero(np.frombuffer(text.buffers()[2], np.uint8) == ord(" "))
        paragraphs = pa.StructArray.from_arrays(
            [
                text,
                pa.ListArray.from_arrays(int32_array(offsets), links),
                string_array(kinds),
            ],
            fields=list(PARAGRAPH),
        )
        batch = pa.record_batch(
            [
                pa.Array.from_buffers(pa.int64(), len(self._ids), [None, pa.py_buffer(self._ids)]),
                string_array(self._titles),
                pa.ListArray.from_arrays(int32_array(self._paragraph_offsets), paragraphs),
            ],
            schema=self.schema,
        )
        self._writer.write_batch(batch, row_group_size=len(self._titles))
        self._clear()


def _columns(rows: Iterable[tuple[Any, Any, Any]]) -> tuple[Sequence[Any], ...]:
    return tuple(zip(*rows, strict=True)) or ((), (), ())
