"""The step `significance` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mluke_core.reporting import plan
from mluke_core.reporting.run_folder import RunFolder
from tests.run_world import ENTITIES, SYSTEMS, build_run, run_config
from workflow_scripts.significance import main

TESTS = ("relx", "conll")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_run(tmp_path_factory.mktemp("run"), figures=False)


def arguments(folder: Path, output: Path) -> list[str]:
    values = run_config()
    settings = {
        "name": "table3",
        "table": values["tables"]["table3"],
        "pairs": plan.significance_pairs(values, "table3"),
        "columns": {test: plan.test_columns(values, test) for test in TESTS},
        "tests": {test: plan.scoring_settings(values, test) for test in TESTS},
        "seed": 42,
    }

    def files(pattern: str) -> list[str]:
        return [f"{s}/{t}={folder / pattern.format(s=s, t=t)}" for s in SYSTEMS for t in TESTS]

    names = sorted({name for test in TESTS for name in plan.gold_sources(values, test)})
    return [
        *("--settings", json.dumps(settings), "--output", str(output)),
        *("--scores", *files("scores/{s}/{t}.json")),
        *("--predictions", *files("predictions/{s}/{t}.parquet")),
        *("--coverage", *files("predictions/{s}/{t}.coverage.json")),
        *("--sources", *(f"{name}={folder / 'sources' / f'{name}.json'}" for name in names)),
    ]


def test_every_cell_of_a_pair_is_tested(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "table3.json"
    assert main(arguments(folder, output)) == 0
    found = json.loads(output.read_text())
    assert found["draws"] == 10_000 and found["untested"] == {}
    cells = {(cell["block"], cell["column"]): cell for cell in found["cells"]}
    assert set(cells) == {
        *(("RELX", column) for column in ("en", "de", "avg")),
        *(("CoNLL", column) for column in ("nl", "avg")),
    }
    table = RunFolder(folder).table("table3")
    rows = {row.system: row for row in table.panels[0].rows if row.system in SYSTEMS}
    words, entities = ([*rows[system].cells] for system in SYSTEMS)
    for one, other in zip(words, entities, strict=True):
        if isinstance(one.value, float) and isinstance(other.value, float):
            cell = cells[one.block, one.column]
            assert cell["difference"] == pytest.approx(other.value - one.value)
            assert cell["low"] <= cell["difference"] <= cell["high"]
            assert cell["system"] == ENTITIES


def test_it_is_the_same_when_written_again(folder: Path, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert main(arguments(folder, tmp_path / name)) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_damaged_predictions_are_one_message(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"no parquet")
    given = [
        text.split("=")[0] + f"={damaged}" if text.endswith("relx.parquet") else text
        for text in arguments(folder, tmp_path / "x.json")
    ]
    assert main(given) == 1
    message = capsys.readouterr().err
    assert "damaged.parquet" in message and message.count("\n") == 1
    assert not (tmp_path / "x.json").exists()
