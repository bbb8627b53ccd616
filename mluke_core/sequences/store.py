"""Training sequences as Parquet: one row per sequence, lists of small integers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mluke_core.io.parquet import BatchSink

SCHEMA = pa.schema(
    [
        ("page_id", pa.int64()),
        ("input_ids", pa.list_(pa.int32())),
        ("entity_ids", pa.list_(pa.int32())),
        ("starts", pa.list_(pa.int16())),
        ("ends", pa.list_(pa.int16())),
        ("validation", pa.bool_()),
    ]
)
# About 8 MB of numbers: small enough to stream, large enough to compress.
ROW_GROUP_SIZE = 4096


class SequenceWriter(BatchSink):
    """Collect sequences and write them in row groups; the file gets its name when complete.

    Args:
        path: the file.
        metadata: the project's metadata of the file.
        to_ids: turns the tokenizer's raw numbers into word ids, many at once.
    """

    def __init__(
        self,
        path: Path,
        metadata: dict[str, Any],
        to_ids: Callable[[np.ndarray], np.ndarray],
        row_group_size: int = ROW_GROUP_SIZE,
    ) -> None:
        super().__init__(path, SCHEMA, metadata, use_dictionary=False)
        self._to_ids = to_ids
        self._row_group_size = row_group_size
        self._clear()

    def _clear(self) -> None:
        self._page_ids: list[int] = []
        self._validation: list[bool] = []
        self._words: list[int] = []
        self._word_bounds = [0]
        self._entities: list[int] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._entity_bounds = [0]

    def append(
        self,
        page_id: int,
        validation: bool,
        words: list[int],
        entities: list[int],
        starts: list[int],
        ends: list[int],
    ) -> None:
        """Add one sequence: raw tokens, and per mention its entity, first and end token."""
        self._page_ids.append(page_id)
        self._validation.append(validation)
        self._words += words
        self._word_bounds.append(len(self._words))
        self._entities += entities
        self._starts += starts
        self._ends += ends
        self._entity_bounds.append(len(self._entities))
        if len(self._page_ids) >= self._row_group_size:
            self._flush()

    def _flush(self) -> None:
        if not self._page_ids:
            return
        words = self._to_ids(np.array(self._words, np.int64))
        columns = [
            pa.array(self._page_ids, pa.int64()),
            _lists(self._word_bounds, words, pa.int32()),
            _lists(self._entity_bounds, np.array(self._entities, np.int32), pa.int32()),
            _lists(self._entity_bounds, np.array(self._starts, np.int16), pa.int16()),
            _lists(self._entity_bounds, np.array(self._ends, np.int16), pa.int16()),
            pa.array(self._validation, pa.bool_()),
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=self.schema))
        self._clear()


def _lists(bounds: list[int], values: np.ndarray, kind: pa.DataType) -> pa.ListArray:
    return pa.ListArray.from_arrays(np.array(bounds, np.int32), pa.array(values, kind))
