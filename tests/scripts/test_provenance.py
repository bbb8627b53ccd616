"""The step `provenance` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reporting_world import DATA, config
from workflow_scripts.provenance import main


def arguments(source: Path, output: Path) -> list[str]:
    return [
        *("--settings", json.dumps(config())),
        *("--sources", str(source), "--dumps", str(DATA / "dumps/en.json")),
        *("--benchmarks", str(DATA / "benchmarks"), "--output", str(output)),
    ]


def test_provenance_is_the_same_when_written_again(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert main(arguments(DATA / "sources/relx.json", tmp_path / name)) == 0
    first = (tmp_path / "a.json").read_bytes()
    assert first == (tmp_path / "b.json").read_bytes()
    assert json.loads(first)["inputs"]["dumps"][0]["language"] == "en"


def test_a_damaged_manifest_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "relx.json"
    damaged.write_text("[]")
    assert main(arguments(damaged, tmp_path / "out.json")) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "relx.json: not a source manifest" in message
    assert not (tmp_path / "out.json").exists()
