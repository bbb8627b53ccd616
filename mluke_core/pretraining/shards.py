"""Sequences on disk, ready for random access.

Parquet is the archive: compressed, so a single row cannot be read alone. Each shard is unpacked
once into Arrow files that are mapped into memory, which all processes of a machine share, training
rows apart from validation rows. Unpacking checks the shard against the manifest and the model.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mluke_core.errors import DataError
from mluke_core.io.files import atomic_path, file_digest
from mluke_core.io.parquet import batches
from mluke_core.pretraining.manifest import Shard

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("input_ids", "entity_ids", "starts", "ends")
SPLITS = ("train", "validation")
_ROWS = 8192


@dataclass(frozen=True)
class Limits:
    """What the model can take."""

    words: int
    """Rows of the word embedding table."""
    entities: int
    """Rows of the entity embedding table."""
    tokens: int
    """Longest sequence, without special tokens."""


class Row(NamedTuple):
    """One sequence, without special tokens; spans count tokens of ``input_ids``."""

    input_ids: NDArray[np.int32]
    entity_ids: NDArray[np.int32]
    starts: NDArray[np.int16]
    ends: NDArray[np.int16]


def unpacked_path(shard: Shard, folder: Path, split: str) -> Path:
    """Where the rows of one split go: named by content, so a changed shard is another file."""
    return folder / f"{shard.language}-{shard.sha256[:24]}.{split}.arrow"


def unpack_shard(shard: Shard, folder: Path, limits: Limits) -> None:
    """Write the Arrow files of a shard, unless they are there.

    Raises:
        DataError: when the shard is not the file that the manifest describes, or holds ids or
            lengths that the model cannot take.
    """
    targets = [unpacked_path(shard, folder, split) for split in SPLITS]
    if all(target.exists() for target in targets):
        return
    digest = file_digest(shard.path)
    if digest != shard.sha256:
        raise DataError(
            f"{shard.path}: changed since the manifest was written (sha256 {digest[:12]}, expected"
            f" {shard.sha256[:12]}). Make the manifest again."
        )
    try:
        stored = pq.ParquetFile(shard.path)
        schema = pa.schema([stored.schema_arrow.field(name) for name in COLUMNS])
    except (pa.ArrowInvalid, KeyError) as error:
        raise DataError(f"{shard.path}: not a file of sequences ({error}).") from None
    counts = dict.fromkeys(SPLITS, 0)
    with (
        atomic_path(targets[0]) as train,
        atomic_path(targets[1]) as validation,
        pa.ipc.new_file(train, schema) as train_sink,
        pa.ipc.new_file(validation, schema) as validation_sink,
    ):
        for batch in batches(stored, _ROWS, [*COLUMNS, "validation"]):
            held_out = batch.column("validation")
            rows = batch.select(list(COLUMNS))
            _check_batch(shard.path, rows, sum(counts.values()), limits)
            for split, sink, wanted in (
                ("train", train_sink, pc.invert(held_out)),
                ("validation", validation_sink, held_out),
            ):
                kept = rows.filter(wanted)
                counts[split] += len(kept)
                sink.write_batch(kept)
    if counts["validation"] != shard.validation_rows or sum(counts.values()) != shard.rows:
        raise DataError(
            f"{shard.path}: {sum(counts.values())} rows, {counts['validation']} for validation; the"
            f" manifest says {shard.rows} and {shard.validation_rows}. Make the manifest again."
        )


def _check_batch(path: Path, rows: pa.RecordBatch, first: int, limits: Limits) -> None:
    lengths = _lengths(rows.column("input_ids"))
    entities = _lengths(rows.column("entity_ids"))
    if (lengths == 0).any() or (lengths > limits.tokens).any():
        row = int(np.argmax((lengths == 0) | (lengths > limits.tokens)))
        raise DataError(
            f"{path}, row {first + row}: a sequence of {lengths[row]} tokens; the model takes 1 to"
            f" {limits.tokens}. Set sequences.maximum_tokens to fit the model."
        )
    for name, count, table in (
        ("input_ids", limits.words, "word"),
        ("entity_ids", limits.entities, "entity"),
    ):
        values = _numpy(rows.column(name).flatten())
        if len(values) and (values.min() < 0 or values.max() >= count):
            raise DataError(
                f"{path}, rows from {first}: {table} ids from {values.min()} to {values.max()}, but"
                f" the model's {table} table has {count} rows. Vocabulary, tokenizer and sequences"
                " do not belong together."
            )
    starts = _numpy(rows.column("starts").flatten())
    ends = _numpy(rows.column("ends").flatten())
    if (
        any((_lengths(rows.column(name)) != entities).any() for name in ("starts", "ends"))
        or (starts < 0).any()
        or ((ends < starts) | (ends > np.repeat(lengths, entities))).any()
    ):
        raise DataError(f"{path}, rows from {first}: entity spans that lie outside their sequence.")


def _numpy(array: pa.Array) -> NDArray[Any]:
    """View of an Arrow array without nulls; ``to_numpy`` would import pandas."""
    values = np.frombuffer(array.buffers()[1] or b"", dtype=array.type.to_pandas_dtype())
    return values[array.offset : array.offset + len(array)]


def _lengths(lists: pa.ListArray) -> NDArray[np.int64]:
    return np.diff(_numpy(lists.offsets)).astype(np.int64)


class _Batch(NamedTuple):
    """Some rows as Arrow keeps them: values of all rows side by side, and where each row begins."""

    words: NDArray[np.int32]
    """Offsets into ``input_ids``."""
    entities: NDArray[np.int32]
    """Offsets into the other three, of which every row has equally many."""
    input_ids: NDArray[np.int32]
    entity_ids: NDArray[np.int32]
    starts: NDArray[np.int16]
    ends: NDArray[np.int16]


class UnpackedRows:
    """Random access to the rows of several Arrow files, as one list."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._batches: list[_Batch] = []
        for path in paths:
            stored = pa.ipc.open_file(pa.memory_map(str(path)))
            for number in range(stored.num_record_batches):
                batch = stored.get_batch(number)
                if len(batch):
                    self._batches.append(
                        _Batch(
                            _numpy(batch.column("input_ids").offsets),
                            _numpy(batch.column("entity_ids").offsets),
                            *(_numpy(batch.column(name).values) for name in COLUMNS),
                        )
                    )
        self._ends = list(accumulate(len(batch.words) - 1 for batch in self._batches))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def length(self, number: int) -> int:
        """Words and entities of row ``number``; reads nothing else of it."""
        batch, place = self._find(number)
        words, entities = batch.words, batch.entities
        return int(words[place + 1] - words[place] + entities[place + 1] - entities[place])

    def _find(self, number: int) -> tuple[_Batch, int]:
        batch = bisect_right(self._ends, number)
        return self._batches[batch], number - (self._ends[batch - 1] if batch else 0)

    def row(self, number: int) -> Row:
        """Row ``number``, as views of the file."""
        batch, place = self._find(number)
        words = slice(batch.words.item(place), batch.words.item(place + 1))
        entities = slice(batch.entities.item(place), batch.entities.item(place + 1))
        return Row(
            batch.input_ids[words],
            batch.entity_ids[entities],
            batch.starts[entities],
            batch.ends[entities],
        )
