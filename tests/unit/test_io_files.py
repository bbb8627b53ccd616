"""Atomic writes, Parquet helpers, progress and the steps' command line."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mluke_core.errors import DataError, MlukeError
from mluke_core.io import cli, files, parquet
from mluke_core.io.progress import Progress
from mluke_core.io.sources import Source


def test_a_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_atomic_folder_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for name in ("old", "new"):
        with files.atomic_path(target) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_json_round_trip_and_errors(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.json"
    files.write_json(path, {"b": "é", "a": [1.5, None]})
    assert files.read_json(path) == {"b": "é", "a": [1.5, None]}
    with pytest.raises(DataError, match="no such file"):
        files.read_json(tmp_path / "none.json")
    path.write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        files.read_json(path)


def test_digest_does_not_depend_on_key_order() -> None:
    assert files.digest_of({"a": 1, "b": 2}) == files.digest_of({"b": 2, "a": 1})
    assert files.digest_of({"a": 1}) != files.digest_of({"a": 2})


SCHEMA = pa.schema([("n", pa.int64()), ("words", pa.list_(pa.string()))])


def test_parquet_sink_writes_row_groups_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    metadata = parquet.stage_metadata("extract", {"language": "en"}, "enwiki")
    with parquet.ParquetSink(path, SCHEMA, metadata, row_group_size=2) as sink:
        for n in range(5):
            sink.append((n, ["w"] * n))
    assert sink.rows == 5
    read = pq.ParquetFile(path)
    assert read.num_row_groups == 3
    assert read.read().column("n").to_pylist() == [0, 1, 2, 3, 4]
    assert parquet.read_metadata(path)["stage"] == "extract"


def test_parquet_bytes_are_reproducible(tmp_path: Path) -> None:
    metadata = parquet.stage_metadata("extract", {})
    table = pa.table({"n": [1, 2]})
    for name in ("a", "b"):
        parquet.write_table(tmp_path / name, table, metadata)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_parquet_sink_leaves_nothing_after_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        parquet.ParquetSink(tmp_path / "a.parquet", SCHEMA, {"stage": "x"}) as sink,
    ):
        sink.append((1, []))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_foreign_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"n": [1]}), path)
    with pytest.raises(DataError, match="not one written by this project"):
        parquet.read_metadata(path)
    path.write_text("text")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        parquet.read_metadata(path)


def test_progress_logs_count_and_rate(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="mluke")
    with Progress("pages", total=10, unit="page") as progress:
        progress.update(4)
        assert "4/10 page" in progress._line(progress._start + 2.0)
        assert "3 s to go" in progress._line(progress._start + 2.0)
    assert "pages: 4 page" in caplog.text


def test_settings_from_text_and_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"a": 1}')
    parser = cli.step_parser("A step.")
    assert parser.parse_args(["--settings", '{"a": 1}']).settings == {"a": 1}
    assert parser.parse_args(["--settings", str(path)]).settings == {"a": 1}
    with pytest.raises(SystemExit):
        parser.parse_args(["--settings", "{"])
    with pytest.raises(SystemExit):
        parser.parse_args(["--settings", str(tmp_path / "none.json")])


def run_with(error: Exception | None, log: Path) -> int:
    def step(arguments: object) -> None:
        if error:
            raise error

    return cli.run_step(cli.step_parser("A step."), step, ["--log", str(log)])


def test_a_user_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(None, tmp_path / "log") == 0
    assert run_with(DataError("a.json: damaged. Delete it."), tmp_path / "log") == 1
    assert capsys.readouterr().err == "ERROR: a.json: damaged. Delete it.\n"


def test_a_full_disk_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "results/x")
    assert run_with(full, tmp_path / "log") == 1
    error = capsys.readouterr().err
    assert "results/x" in error
    assert "Free some space" in error
    assert "Traceback" not in error


def test_a_defect_leaves_its_traceback_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(ZeroDivisionError("x"), tmp_path / "log") == 1
    assert "the traceback is in" in capsys.readouterr().err
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_source_manifest(tmp_path: Path) -> None:
    data = tmp_path / "a.txt"
    data.touch()
    path = tmp_path / "s.json"
    files.write_json(
        path,
        {"source": "s", "files": {"a.txt": {"path": str(data)}, "b": {"path": "gone"}}},
    )
    source = Source(path)
    assert source.file("a.txt") == data
    assert "a.txt" in source
    with pytest.raises(DataError, match=r"has no file 'c'.*a\.txt"):
        source.file("c")
    with pytest.raises(DataError, match="gone"):
        source.file("b")
    files.write_json(path, {"files": {}})
    with pytest.raises(DataError, match="not a source manifest"):
        Source(path)


def test_storage_that_becomes_read_only_is_named_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with (
        pytest.raises(MlukeError, match=r"a\.parquet: Read-only file system"),
        files.atomic_path(path),
    ):
        monkeypatch.setattr(Path, "unlink", refuse)
        refuse()


def test_parquet_sink_that_cannot_be_opened_names_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    schema = pa.schema([("a", pa.int64())])
    monkeypatch.setattr(parquet.pq, "ParquetWriter", refuse)
    with (
        pytest.raises(MlukeError, match=r"a\.parquet: Read-only file system"),
        parquet.ParquetSink(tmp_path / "a.parquet", schema, {}),
    ):
        raise AssertionError("never entered")
