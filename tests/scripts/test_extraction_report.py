"""The step `extraction_report` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.test_corpus_report import RESOLVED, part
from workflow_scripts.extraction_report import main


def test_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "0.json").write_text(json.dumps(part(0, pages=2)))
    (tmp_path / "r.json").write_text(json.dumps(RESOLVED))
    arguments = ["--parts", str(tmp_path / "0.json"), "--redirects", str(tmp_path / "r.json")]
    arguments += ["--output", str(tmp_path / "ja.json"), "--markdown", str(tmp_path / "ja.md")]
    assert main(arguments) == 0
    assert json.loads((tmp_path / "ja.json").read_text())["counts"]["pages"] == 2
    assert (tmp_path / "ja.md").read_text().startswith("# Extraction of jawiki\n")
    arguments[1] = str(tmp_path / "gone.json")
    assert main(arguments) == 1
    assert "gone.json: no such file" in capsys.readouterr().err
