"""The step `table` as a command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reporting_world import CORPUS, ROOT, SCORES, SELECTIONS, config, settings
from workflow_scripts.table import main


@pytest.mark.parametrize("name", list(config()["tables"]))
def test_every_table_is_written_in_four_formats(name: str, tmp_path: Path) -> None:
    stem = tmp_path / name
    status = main(
        [
            *("--settings", json.dumps(settings(name))),
            *("--scores", *map(str, SCORES)),
            *("--selections", *map(str, SELECTIONS)),
            *("--corpus", str(CORPUS), "--output-stem", str(stem)),
        ]
    )
    assert status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.{suffix}" for suffix in ("csv", "html", "md", "tex")
    ]
    assert all(path.stat().st_size > 200 for path in tmp_path.iterdir())


def test_a_damaged_file_is_one_message_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "relx.json"
    damaged.write_text('{"system": "x"')
    arguments = ["--settings", json.dumps(settings("table3")), "--scores", str(damaged)]
    assert main([*arguments, "--output-stem", str(tmp_path / "out" / "table3")]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "relx.json: not valid JSON" in message
    assert not (tmp_path / "out").exists()


def test_help_is_quick_to_import() -> None:
    code = (
        "import sys, workflow_scripts.table, workflow_scripts.figures, workflow_scripts.provenance,"
        " workflow_scripts.resources; print([m for m in ('torch', 'pandas', 'pyarrow',"
        " 'matplotlib', 'transformers', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
