"""The steps `figures` and `resources` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reporting_world import DATA
from workflow_scripts.figures import main
from workflow_scripts.resources import main as resources_main


def test_resources_are_summed_up_and_drawn(tmp_path: Path) -> None:
    summary, figure = (
        tmp_path / "reports" / "resources.json",
        tmp_path / "figures" / "resources.svg",
    )
    given = ["--benchmarks", str(DATA / "benchmarks"), "--results", str(DATA)]
    assert resources_main([*given, "--output", str(summary)]) == 0
    found = json.loads(summary.read_text())
    assert found["jobs"] == 30
    assert found["disk"]["bytes"] == sum(found["disk"]["folders"].values()) > 10_000
    assert "kwh" in found["energy"]
    arguments = ["--kind", "resources", "--settings", '{"scale": "mini"}', "--inputs", str(summary)]
    assert main([*arguments, "--output", str(figure)]) == 0
    assert figure.read_text(encoding="utf-8").startswith("<?xml")


def test_a_wrong_kind_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--kind", "pie", "--settings", '{"scale": "mini"}', "--inputs", str(DATA)]
    assert main([*arguments, "--output", str(tmp_path / "x.svg")]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "there is no figure 'pie'" in message
    assert list(tmp_path.iterdir()) == []
