"""Shuffling: the order, its independence of parts and memory, the size of shards, other readers."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import write_json
from mluke_core.io.parquet import read_metadata
from mluke_core.sequences import shuffle_sequences as module
from mluke_core.sequences.shuffle_sequences import places_in_page, shuffle_sequences
from mluke_core.sequences.store import SCHEMA
from tests.alignment_world import read_rows
from tests.sequence_shards import DIGESTS, Row, rows_of, write_part


def shuffled(
    folder: Path, parts: list[list[Row]], seed: int = 42, shard_mb: float = 256.0, **more: Any
) -> dict[str, Any]:
    files = [write_part(folder, f"en/{i:03d}", rows) for i, rows in enumerate(parts)]
    return shuffle_sequences("en", files, seed, shard_mb, folder / "out", **more)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def stored(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted((folder / "out").iterdir()) for row in read_rows(path)]


def test_every_sequence_once_in_another_order(tmp_path: Path) -> None:
    rows = rows_of(200)
    index = shuffled(tmp_path, [rows])
    found = [
        (row["page_id"], row["validation"], row["input_ids"], row["entity_ids"], row["starts"])
        for row in stored(tmp_path)
    ]
    given_rows = [
        (page, held_out, s.tokens, [m[0] for m in s.mentions], [m[1] for m in s.mentions])
        for page, held_out, s in rows
    ]
    assert found != given_rows and sorted(found) == sorted(given_rows)
    # Shuffled across pages: the sequences of a page hardly ever stand together.
    pages = [row[0] for row in found]
    assert sum(a == b for a, b in pairwise(pages)) < len(pages) / 20
    # Each tenth of the file has its share of each tenth of the pages.
    tenths = Counter((i * 10 // len(pages), page * 10 // 201) for i, page in enumerate(pages))
    assert max(tenths.values()) < 4 * len(pages) / 100
    assert index["sequences"] == len(rows) == sum(shard["rows"] for shard in index["shards"])
    assert index["links"] == 3 * len(rows) and index["tokenizer"] == DIGESTS["tokenizer"]
    assert read_metadata(tmp_path / "out" / "00000.parquet")["stage"] == "shuffle_sequences"


@pytest.mark.parametrize("bucket_bytes", [1 << 30, 5000])
def test_parts_and_memory_do_not_show(
    tmp_path: Path, bucket_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROW_GROUP_SIZE", 40)
    rows = rows_of(150)
    cuts = [0, 0, len(rows_of(20)), len(rows_of(90)), len(rows)]
    index = shuffled(tmp_path / "one", [rows], shard_mb=0.005)
    several = [rows[a:b] for a, b in pairwise(cuts)]
    other = shuffled(tmp_path / "four", several, shard_mb=0.005, bucket_bytes=bucket_bytes)
    assert {**other, "pages": 0} == {**index, "pages": 0}
    assert content(tmp_path / "one") == content(tmp_path / "four")
    assert len(index["shards"]) > 2
    assert [path.name for path in (tmp_path / "four").iterdir()].count("out") == 1
    assert not list((tmp_path / "four").glob(".*"))


def test_seed_and_language_make_the_order(tmp_path: Path) -> None:
    rows = rows_of(30)
    orders = []
    for name, seed, language in (("a", 1, "en"), ("b", 2, "en"), ("c", 1, "de"), ("d", 1, "en")):
        part = write_part(tmp_path / name, "en/000", rows)
        shuffle_sequences(language, [part], seed, 256, tmp_path / name / "out")
        orders.append([(row["page_id"], row["input_ids"]) for row in stored(tmp_path / name)])
    assert orders[0] == orders[3] and orders[0] != orders[1] != orders[2] != orders[0]
    # The order of a seed is a promise: a run that goes on must find the same shards.
    assert [page for page, _ in orders[0]][:8] == FROZEN


FROZEN = [1, 4, 14, 8, 16, 19, 3, 25]


def test_shards_have_the_size_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROW_GROUP_SIZE", 50)
    index = shuffled(tmp_path, [rows_of(600, length=400)], shard_mb=0.1)
    *full, last = index["shards"]
    assert len(full) > 3 and all(100_000 <= shard["bytes"] < 150_000 for shard in full)
    assert last["bytes"] < 150_000
    for shard in index["shards"]:
        path = tmp_path / "out" / shard["path"]
        assert path.stat().st_size == shard["bytes"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == shard["sha256"]
        file = pq.ParquetFile(path)
        assert (file.metadata.num_rows, file.schema_arrow.names) == (shard["rows"], SCHEMA.names)
        held_out = file.read(["validation"])["validation"].to_pylist()
        assert sum(held_out) == shard["validation_rows"]
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        # Only the last group of all may be smaller.
        assert set(sizes[:-1]) <= {50} and (sizes[-1] == 50 or shard is last)


def test_row_groups_are_made_for_streaming(tmp_path: Path) -> None:
    shuffled(tmp_path, [rows_of(2000)])
    metadata = pq.ParquetFile(tmp_path / "out" / "00000.parquet").metadata
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes[:-1] == [4096] * (len(sizes) - 1) and len(sizes) > 1
    group = metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    dictionaries = {
        name.split(".")[0]: "RLE_DICTIONARY" in column.encodings for name, column in columns.items()
    }
    assert dictionaries == {
        "page_id": False,
        "input_ids": True,
        "entity_ids": False,
        "starts": True,
        "ends": True,
        "validation": False,
    }


def test_an_empty_language_has_one_empty_shard(tmp_path: Path) -> None:
    index = shuffled(tmp_path, [[], []])
    assert [(s["path"], s["rows"], s["validation_rows"]) for s in index["shards"]] == [
        ("00000.parquet", 0, 0)
    ]
    assert stored(tmp_path) == []


@given(st.lists(st.lists(st.integers(1, 4), max_size=6), max_size=4))
def test_places_run_on_across_batches(batches: list[list[int]]) -> None:
    page, place, found = -1, 0, []
    for batch in batches:
        if batch:
            places = places_in_page(np.array(batch), page, place)
            page, place = batch[-1], int(places[-1]) + 1
            found += places.tolist()
    flat = [number for batch in batches for number in batch]
    expected: list[int] = []
    for i, number in enumerate(flat):
        expected.append(expected[-1] + 1 if i and flat[i - 1] == number else 0)
    assert found == expected


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    rows = rows_of(5)
    path, report = write_part(tmp_path, "en/000", rows)

    def shuffle(*parts: tuple[Path, Path], shard_mb: float = 1.0) -> None:
        shuffle_sequences("en", parts, 1, shard_mb, tmp_path / "out")

    with pytest.raises(ConfigError, match=r"sequences\.shard_mb is 0"):
        shuffle((path, report), shard_mb=0)
    with pytest.raises(DataError, match="no parts to shuffle"):
        shuffle()
    with pytest.raises(DataError, match=r"no such file"):
        shuffle((tmp_path / "none.parquet", report))
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), other)
    with pytest.raises(DataError, match="not a file of sequences: columns x instead of page_id"):
        shuffle((other, report))
    wrong = tmp_path / "wrong.json"
    write_json(wrong, {"sequences": 1})
    with pytest.raises(DataError, match=rf"{len(rows)} sequences, but .*wrong\.json says 1"):
        shuffle((path, wrong))
    foreign = write_part(tmp_path, "en/001", rows, {**DIGESTS, "tokenizer": "other"})
    with pytest.raises(DataError, match=r"001\.parquet: made with another tokenizer than .*000"):
        shuffle((path, report), foreign)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*"))


def test_datasets_pandas_and_duckdb_read_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROW_GROUP_SIZE", 50)
    # The caches of `datasets` belong into the test's folder.
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets
    import duckdb
    import pandas

    shuffled(tmp_path, [rows_of(200)], shard_mb=0.005)
    expected = stored(tmp_path)
    pattern = str(tmp_path / "out" / "*.parquet")
    whole = datasets.load_dataset(
        "parquet", data_files=pattern, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert whole.to_list() == expected
    assert whole.features["starts"].feature.dtype == "int16"
    stream = datasets.load_dataset(
        "parquet", data_files=pattern, split="train", streaming=True, cache_dir=str(tmp_path / "c")
    )
    assert list(stream.take(7)) == expected[:7] and stream.num_shards > 2
    frame = pandas.concat(map(pandas.read_parquet, sorted((tmp_path / "out").iterdir())))
    assert list(frame.columns) == SCHEMA.names and frame["starts"].iloc[0].dtype == np.int16
    assert frame["page_id"].tolist() == [row["page_id"] for row in expected]
    query = f"SELECT count(*), sum(len(input_ids)), count_if(validation) FROM '{pattern}'"
    assert duckdb.sql(query).fetchall() == [
        (
            len(expected),
            sum(len(row["input_ids"]) for row in expected),
            sum(row["validation"] for row in expected),
        )
    ]
