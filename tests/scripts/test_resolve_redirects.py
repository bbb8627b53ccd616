"""The step `resolve_redirects` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mluke_core.corpus.pages_file import REDIRECTS
from mluke_core.io.parquet import read_metadata
from workflow_scripts.resolve_redirects import main


def run(folder: Path, *parts: Path) -> int:
    arguments = ["--settings", '{"language": "de"}', "--redirects", *map(str, parts)]
    outputs = ["--output", str(folder / "de.parquet"), "--report", str(folder / "de.json")]
    return main([*arguments, *outputs])


def test_table_and_report(tmp_path: Path) -> None:
    columns = [["B", "A", "C"], ["C", "B", "Kategorie:D"], [None, None, "x"]]
    pq.write_table(pa.table(columns, schema=REDIRECTS), tmp_path / "0")
    pq.write_table(pa.table([["E"], ["F"], ["g"]], schema=REDIRECTS), tmp_path / "1")
    assert run(tmp_path, tmp_path / "0", tmp_path / "1") == 0
    assert pq.read_table(tmp_path / "de.parquet").to_pylist() == [
        {"source": "E", "target": "F", "fragment": "g"}
    ]
    assert read_metadata(tmp_path / "de.parquet")["stage"] == "resolve_redirects"
    report = json.loads((tmp_path / "de.json").read_text())
    assert report["dropped"] == {"namespace": 1, "chain_leaves_articles": 2}


def test_a_missing_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, tmp_path / "gone") == 1
    assert "gone: not a readable Parquet file" in capsys.readouterr().err
    assert not (tmp_path / "de.parquet").exists()
