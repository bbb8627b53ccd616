"""Which entity each link target of a page file leads to.

Redirects, sitelinks and vocabulary are looked through once, row group by row group, for the targets
of one part: a database would first make hash tables of all their rows, and takes longer to start
than a small part takes in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mluke_core.alignment.build_vocabulary import titles_in_vocabulary
from mluke_core.alignment.database import open_parquet, require_columns
from mluke_core.alignment.page_columns import link_targets
from mluke_core.io.parquet import batches

# What stands for the entity of a link that leads to none.
NO_ITEM = -1
OUTSIDE_VOCABULARY = -2

# For each batch a hash table of the targets is made: a whole row group of our tables.
_ROWS_PER_BATCH = 1 << 20


class TargetIndex:
    """Entity id of every link target that occurs in a page file.

    Args:
        targets: different targets.
        ids: the entity id of each, or a negative reason.
    """

    def __init__(self, targets: pa.StringArray, ids: np.ndarray) -> None:
        self._ids: dict[str, int] = dict(zip(targets.to_pylist(), ids.tolist(), strict=True))

    @classmethod
    def resolve(
        cls, pages: Path, redirects: Path, sitelinks: Path, vocabulary: Path, language: str
    ) -> TargetIndex:
        """Resolve the targets of ``pages``: redirect, then the title's entry in the vocabulary."""
        require_columns(redirects, "source", "target")
        require_columns(sitelinks, "qid", "title")
        targets = _different(batch.column(0) for batch in link_targets([pages]))
        ends = _looked_up(targets, _columns(redirects, "source", "target"), pa.string())
        titles = pc.coalesce(ends, targets)
        items = _looked_up(titles, _columns(sitelinks, "title", "qid"), pa.int64())
        known = titles_in_vocabulary(vocabulary, language).to_batches()
        entities = _looked_up(titles, known, pa.int32())
        reasons = pc.if_else(items.is_valid(), OUTSIDE_VOCABULARY, NO_ITEM).cast(pa.int32())
        return cls(targets, pc.coalesce(entities, reasons).to_numpy(zero_copy_only=False))

    def entities_of(self, targets: pa.Array) -> list[int]:
        """Entity id per target; ``NO_ITEM`` or ``OUTSIDE_VOCABULARY`` where there is none."""
        return list(map(self._ids.__getitem__, targets.to_pylist()))


def _different(arrays: Iterable[pa.StringArray]) -> pa.StringArray:
    """The different strings of arrays, of which one at a time is in memory."""
    chunks = [array.unique() for array in arrays]
    return pa.chunked_array(chunks, pa.string()).unique()


def _columns(path: Path, *names: str) -> Iterator[pa.RecordBatch]:
    with open_parquet(path) as file:
        for batch in batches(file, _ROWS_PER_BATCH, names):
            yield batch.select(names)


def _looked_up(keys: pa.StringArray, rows: Iterable[pa.RecordBatch], kind: pa.DataType) -> pa.Array:
    """The least value of the rows with each key, null where there is no row.

    Args:
        keys: n keys, any number of times.
        rows: a key and a value each.
        kind: type of the values.

    Returns:
        n values.
    """
    encoded = keys.dictionary_encode()
    found = []
    for batch in rows:
        places = pc.index_in(batch.column(0), encoded.dictionary)
        columns = pa.record_batch([places, batch.column(1)], names=["place", "value"])
        found.append(columns.filter(places.is_valid()))
    if not found:
        return pa.nulls(len(keys), kind)
    groups = pa.Table.from_batches(found).group_by("place", use_threads=False)
    least = groups.aggregate([("value", "min")])
    rows_of_keys = pc.index_in(encoded.indices, least["place"].combine_chunks())
    return least["value_min"].combine_chunks().take(rows_of_keys)
