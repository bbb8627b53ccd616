"""The Parquet files of pages and redirects."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mluke_core.corpus.paragraphs import Columns
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

    Paragraphs are added to ``columns`` first; :meth:`end_page` says whose they are. Dictionaries
    would make the file larger: few texts and targets recur within a row group. Of the columns only
    the page's number has statistics to skip row groups by.

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
        self.columns = Columns()
        self._ids: array[int] = array("q")
        self._titles: list[str] = []
        self._paragraph_offsets = [0]
        self._characters = 0

    def end_page(self, page_id: int, title: str) -> None:
        """The paragraphs added since the page before are this one's."""
        texts = self.columns.texts
        self._characters += sum(map(len, texts[self._paragraph_offsets[-1] :]))
        self._ids.append(page_id)
        self._titles.append(title)
        self._paragraph_offsets.append(len(texts))
        if self._characters >= ROW_GROUP_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Write the pages collected so far."""
        if not self._titles:
            return
        columns = self.columns
        offsets = np.zeros(len(columns.texts) + 1, np.int32)
        np.cumsum(columns.links, out=offsets[1:])
        links = pa.StructArray.from_arrays(
            [
                int32_array(columns.starts),
                int32_array(columns.ends),
                string_array(columns.targets),
            ],
            fields=list(LINK),
        )
        text = string_array(columns.texts)
        is_space = np.frombuffer(text.buffers()[2], np.uint8) == ord(" ")
        self.paragraphs += len(columns.texts)
        self.characters += self._characters
        self.spaces += int(np.count_nonzero(is_space))
        paragraphs = pa.StructArray.from_arrays(
            [
                text,
                pa.ListArray.from_arrays(int32_array(offsets), links),
                string_array(columns.kinds),
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
