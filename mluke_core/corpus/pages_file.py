"""The Parquet files of pages and redirects."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mluke_core.corpus.wikitext import Paragraph
from mluke_core.io.parquet import BatchSink

LINK = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("target", pa.string())])
PARAGRAPH = pa.struct([("text", pa.string()), ("links", pa.list_(LINK))])
PAGES = pa.schema(
    [("page_id", pa.int64()), ("title", pa.string()), ("paragraphs", pa.list_(PARAGRAPH))]
)
REDIRECTS = pa.schema([("source", pa.string()), ("target", pa.string()), ("fragment", pa.string())])
# A row group ends with the page that fills it: enough to compress well, little to hold.
ROW_GROUP_CHARACTERS = 2_000_000


class PagesSink(BatchSink):
    """Write pages to one Parquet file, in the order given; it gets its name when it is complete.

    Rows are collected as flat columns (offsets, texts, starts, ends, targets), from which Arrow
    builds the nested lists without a Python object for each.
    """

    def __init__(self, path: str | Path, metadata: dict[str, Any]) -> None:
        targets = "paragraphs.list.element.links.list.element.target"
        super().__init__(path, PAGES, metadata, use_dictionary=[targets])
        self._clear()

    def _clear(self) -> None:
        self._ids: array[int] = array("q")
        self._titles: list[str] = []
        self._paragraph_offsets: array[int] = array("i", [0])
        self._texts: list[str] = []
        self._link_offsets: array[int] = array("i", [0])
        self._starts: array[int] = array("i")
        self._ends: array[int] = array("i")
        self._targets: list[str] = []
        self._characters = 0

    def append(self, page_id: int, title: str, paragraphs: Sequence[Paragraph]) -> None:
        """Add one page."""
        starts, ends, targets = self._starts, self._ends, self._targets
        for text, links, _ in paragraphs:
            self._texts.append(text)
            self._characters += len(text)
            for start, end, target in links:
                starts.append(start)
                ends.append(end)
                targets.append(target)
            self._link_offsets.append(len(starts))
        self._ids.append(page_id)
        self._titles.append(title)
        self._paragraph_offsets.append(len(self._texts))
        if self._characters >= ROW_GROUP_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        if not self._titles:
            return
        links = pa.StructArray.from_arrays(
            [_integers(self._starts), _integers(self._ends), pa.array(self._targets, pa.string())],
            fields=list(LINK),
        )
        paragraphs = pa.StructArray.from_arrays(
            [
                pa.array(self._texts, pa.string()),
                pa.ListArray.from_arrays(_integers(self._link_offsets), links),
            ],
            fields=list(PARAGRAPH),
        )
        batch = pa.record_batch(
            [
                pa.Array.from_buffers(pa.int64(), len(self._ids), [None, pa.py_buffer(self._ids)]),
                pa.array(self._titles, pa.string()),
                pa.ListArray.from_arrays(_integers(self._paragraph_offsets), paragraphs),
            ],
            schema=self.schema,
        )
        self._writer.write_batch(batch, row_group_size=len(self._titles))
        self._clear()


def _integers(values: array[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values)])
