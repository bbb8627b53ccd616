"""The sequences of a language in random order, in shards of a given size.

Every sequence has a sort key: 64 random bits that follow from the seed, the language, its page and
its place in the page. Sorting by it shuffles across pages, and gives the same shards however many
parts the sequences came in. The sort needs little memory: sequences are first dealt out to buckets
by the leading bits of their keys, then each bucket is sorted on its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mluke_core.alignment.database import open_parquet
from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import atomic_path, file_digest, read_json
from mluke_core.io.parquet import batches, read_metadata, stage_metadata
from mluke_core.io.progress import Progress
from mluke_core.pretraining.hashing import key_of, mix
from mluke_core.sequences.packing import SequenceCounts
from mluke_core.sequences.store import ROW_GROUP_SIZE, SCHEMA, ShardWriter

# A bucket is sorted in memory, where it stands three times at most.
BUCKET_BYTES = 64 << 20
# Each bucket is an open file while the sequences are dealt out.
MAXIMUM_BUCKET_BITS = 9
KEY = "key"
_BUCKET_SCHEMA = pa.schema([(KEY, pa.uint64()), *SCHEMA])


def shuffle_sequences(
    language: str,
    parts: Sequence[tuple[Path, Path]],
    seed: int,
    shard_mb: float,
    output: Path,
    bucket_bytes: int = BUCKET_BYTES,
) -> dict[str, Any]:
    """Write the shards of one language to the folder ``output``; returns their index.

    Args:
        language: enters the order, so that languages are shuffled independently.
        parts: per part its sequences and its report, both of `build_sequences`, in the order of
            the pages.
        seed: of the order.
        shard_mb: a shard is closed by the row group that takes it to this size, in 10^6 bytes.
        output: folder; it gets ``00000.parquet``, ``00001.parquet`` and so on, one at least.
        bucket_bytes: how much is sorted at a time; no matter to the result.

    Returns:
        The index: ``language``, every count of the parts' reports summed up, the digests of
        ``tokenizer`` and ``entity_vocabulary``, and ``shards``: path in the folder, rows,
        validation_rows, bytes and sha256 of each.

    Raises:
        DataError: when a part is damaged, does not hold what its report says, or was made with
            another tokenizer or vocabulary than the others.
    """
    if shard_mb <= 0:
        raise ConfigError(f"sequences.shard_mb is {shard_mb}; it must be above 0.")
    counts, digests = _check_parts(parts)
    files = [path for path, _ in parts]
    metadata = stage_metadata("shuffle_sequences", {"seed": seed, "shard_mb": shard_mb}, language)
    with (
        atomic_path(output) as folder,
        tempfile.TemporaryDirectory(prefix=".shuffle-", dir=output.parent) as buckets,
        Progress(f"shuffle {language}", total=counts["sequences"], unit="sequence") as progress,
    ):
        folder.mkdir()
        bits = bucket_bits(sum(map(_memory_of, files)), bucket_bytes)
        rows = _keyed(files, key_of("shuffle", seed, language))
        paths = [Path(buckets) / f"{number}.arrow" for number in range(1 << bits)]
        _deal_out(rows, paths, bits)
        shards = ShardWriter(folder, {**metadata, **digests}, round(shard_mb * 1e6))
        with shards:
            for table in _in_groups(map(_sorted, paths), ROW_GROUP_SIZE):
                shards.write(table)
                progress.update(len(table))
        index = [
            {
                "path": shard.path.name,
                "rows": shard.rows,
                "validation_rows": shard.validation_rows,
                "bytes": shard.path.stat().st_size,
                "sha256": file_digest(shard.path),
            }
            for shard in shards.closed
        ]
    return {"language": language, **counts, **digests, "shards": index}


def bucket_bits(total_bytes: int, bucket_bytes: int) -> int:
    """Leading bits of the key that number the buckets, so that each holds ``bucket_bytes``.

    >>> bucket_bits(1000, 100), bucket_bits(0, 100)
    (4, 0)
    """
    return min(max(0, (total_bytes // bucket_bytes).bit_length()), MAXIMUM_BUCKET_BITS)


def _check_parts(parts: Iterable[tuple[Path, Path]]) -> tuple[dict[str, int], dict[str, str]]:
    """Counts of all parts together, and the digests they share."""
    names = list(SequenceCounts().as_json())
    counts = dict.fromkeys(names, 0)
    first: tuple[Path, dict[str, str]] | None = None
    for path, report_path in parts:
        with open_parquet(path) as file:
            columns, rows = file.schema_arrow.names, file.metadata.num_rows
        if columns != SCHEMA.names:
            raise DataError(
                f"{path}: not a file of sequences: columns {', '.join(columns)} instead of "
                f"{', '.join(SCHEMA.names)}."
            )
        report = read_json(report_path)
        if report.get("sequences") != rows:
            raise DataError(
                f"{path}: {rows} sequences, but {report_path} says {report.get('sequences')}. "
                "Delete both so that they are made again."
            )
        for name in names:
            counts[name] += report.get(name, 0)
        metadata = read_metadata(path)
        digests = {key: str(metadata.get(key)) for key in ("tokenizer", "entity_vocabulary")}
        if first is None:
            first = path, digests
        for key, digest in digests.items():
            if digest != first[1][key]:
                raise DataError(
                    f"{path}: made with another {key.replace('_', ' ')} than {first[0]} (digest "
                    f"{digest[:12]} instead of {first[1][key][:12]}). Delete it so that it is "
                    "made again."
                )
    if first is None:
        raise DataError("no parts to shuffle: give the files of build_sequences.")
    return counts, first[1]


def _memory_of(path: Path) -> int:
    """Bytes of a file's columns without compression."""
    with open_parquet(path) as file:
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        return sum(group.total_byte_size for group in groups)


def _keyed(files: Iterable[Path], key: int) -> Iterator[pa.RecordBatch]:
    """The rows of all files with the sort key of each in front."""
    page, place = -1, 0
    for path in files:
        with open_parquet(path) as file:
            for batch in batches(file, ROW_GROUP_SIZE):
                pages = batch.column("page_id").to_numpy()
                places = places_in_page(pages, page, place)
                page, place = int(pages[-1]), int(places[-1]) + 1
                keys = mix(0, mix(key, pages) + places.astype(np.uint64))
                yield pa.record_batch([pa.array(keys), *batch.columns], schema=_BUCKET_SCHEMA)


def places_in_page(pages: np.ndarray, last_page: int, next_place: int) -> np.ndarray:
    """How many rows of the same page stand directly before each row.

    Args:
        pages: page ids (N,).
        last_page: the page of the row before the first, whose next place is ``next_place``.

    >>> places_in_page(np.array([7, 7, 8, 8, 8, 9]), 7, 2).tolist()
    [2, 3, 0, 1, 2, 0]
    """
    starts = np.ones(len(pages), bool)
    starts[1:] = pages[1:] != pages[:-1]
    first_of_page = np.maximum.accumulate(np.where(starts, np.arange(len(pages)), 0))
    places = np.arange(len(pages)) - first_of_page
    places[(first_of_page == 0) & (pages == last_page)] += next_place
    return places


def _deal_out(keyed: Iterable[pa.RecordBatch], paths: Sequence[Path], bits: int) -> None:
    """Write each row to the bucket that the leading ``bits`` of its key number."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with ExitStack() as stack:
        sinks = [
            stack.enter_context(pa.ipc.new_file(str(path), _BUCKET_SCHEMA, options=options))
            for path in paths
        ]
        for batch in keyed:
            # Two shifts: numpy gives back the number itself for one by all 64 bits.
            keys = batch.column(KEY).to_numpy()
            buckets = (keys >> np.uint64(1)) >> np.uint64(63 - bits)
            batch = batch.take(pa.array(np.argsort(buckets, kind="stable")))
            ends = np.cumsum(np.bincount(buckets.astype(np.int64), minlength=len(paths))).tolist()
            for sink, start, end in zip(sinks, [0, *ends], ends, strict=False):
                if end > start:
                    sink.write_batch(batch.slice(start, end - start))


def _sorted(path: Path) -> pa.Table:
    """The rows of a bucket in the order of their keys; its file is deleted."""
    with pa.OSFile(str(path)) as stream, pa.ipc.open_file(stream) as file:
        table = file.read_all().combine_chunks()
    path.unlink()
    # Stable: rows of equal keys, which only a page that stands in the dump twice has, keep the
    # order of the pages.
    order = np.argsort(table.column(KEY).to_numpy(), kind="stable")
    return table.drop_columns([KEY]).take(pa.array(order))


def _in_groups(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The rows of many tables in tables of ``size`` rows; only the last may have fewer."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        while count + len(table) >= size:
            needed = size - count
            yield pa.concat_tables([*waiting, table.slice(0, needed)]).combine_chunks()
            table, waiting, count = table.slice(needed), [], 0
        # A copy: a slice would hold on to the whole bucket while the next one is sorted.
        waiting.append(table.take(pa.array(range(len(table)), pa.int64())))
        count += len(table)
    if count:
        yield pa.concat_tables(waiting).combine_chunks()
