"""The step `significance` as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mluke_core.reporting import plan
from mluke_core.reporting.build import build_table
from mluke_core.reporting.compare import compare_runs
from mluke_core.reporting.example_counts import COUNTERS
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.reporting.significance import table_significance
from mluke_core.reporting.tables import Table
from mluke_core.reporting.write import write_table_files
from tests.run_world import ENTITIES, SYSTEMS, build_run, run_config
from workflow_scripts.significance import main

TESTS = ("relx", "conll")
WITHIN = "CoNLL, gold within the limit"


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
        *((block, column) for block in ("CoNLL", WITHIN) for column in ("nl", "avg")),
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


def block(test: str, metric: str, **more: Any) -> dict[str, Any]:
    return {"label": "B", "test": test, "metric": metric, "published": "none", **more}


FLIPS = [
    *(block(test, metric, average="avg") for test in ("xquad", "mlqa") for metric in ("f1", "em")),
    *(block("relx", metric, average="avg") for metric in ("macro_f1", "micro_f1", "accuracy")),
    *(block("conll", m, average="avg") for m in ("f1", "precision", "recall", "f1_reachable")),
    *(block("gxlt", metric, columns=["avg42", "avg49"]) for metric in ("f1", "em")),
    *(
        block("mlama", f"{setting}_{metric}", average="avg")
        for setting in ("restricted", "full")
        for metric in ("micro", "triple", "macro", "p5", "p10", "mrr")
    ),
    block("cwr", "mrr", average="avg"),
]


@pytest.mark.parametrize("flip", FLIPS, ids=lambda flip: f"{flip['test']}-{flip['metric']}")
def test_a_flipped_metric_or_average_is_tested(folder: Path, flip: dict[str, Any]) -> None:
    """What is tested is the difference of the two cells that the table shows."""
    run = RunFolder(folder)
    entry = {"kind": "scores", "title": "T", "blocks": [flip]}
    run.config["tables"]["flip"] = entry
    columns = {flip["test"]: plan.test_columns(run.config, flip["test"])}
    pairs = plan.significance_pairs(run.config, "flip")
    found = table_significance("flip", entry, pairs, columns, run.examples, 1, 50)
    assert found["untested"] == {} and found["cells"]
    cells = {
        (row.system, row.variant, cell.column): cell.value
        for panel in build_flip(run).panels
        for row in panel.rows
        for cell in row.cells
    }
    for tested in found["cells"]:
        one = cells[tested["baseline"], "default", tested["column"]]
        other = cells[tested["system"], tested["variant"], tested["column"]]
        assert isinstance(one, float) and isinstance(other, float)
        assert tested["difference"] == pytest.approx(other - one, abs=1e-9)
    averages = {"avg", "avg42", "avg49"} & {tested["column"] for tested in found["cells"]}
    assert averages == set(flip.get("columns", ["avg"]))


def build_flip(run: RunFolder) -> Table:
    """The table with the scores of MLQA, too, as Table 1 has them."""
    settings = plan.table_settings(run.config, "flip")
    return build_table(settings, sorted(run.path.glob("scores/*/*.json")))


@pytest.mark.parametrize(
    ("flip", "reason"),
    [
        (block("relx", "kappa"), "of relx these are: accuracy, macro_f1, micro_f1"),
        (block("modularity", "modularity"), "one value for a whole graph"),
        (block("xquad", "f1", columns=["ru"]), "no column has examples of both systems"),
        (block("no-such", "f1"), "no examples of both systems"),
    ],
)
def test_what_is_not_tested_has_a_true_reason(
    folder: Path, flip: dict[str, Any], reason: str
) -> None:
    run = RunFolder(folder)
    entry = {"kind": "scores", "title": "T", "blocks": [flip]}
    pairs = plan.significance_pairs(run.config, "table3")
    found = table_significance("flip", entry, pairs, {}, run.examples, 1, 50)
    assert found["cells"] == [] and reason in found["untested"]["B"]


def test_a_scorer_without_a_counter_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(COUNTERS, "relx")
    run = RunFolder(folder)
    entry = {"kind": "scores", "title": "T", "blocks": [block("relx", "macro_f1")]}
    pairs = plan.significance_pairs(run.config, "table3")
    found = table_significance("flip", entry, pairs, {"relx": ["en"]}, run.examples, 1, 50)
    assert "nothing counts the examples of relx" in found["untested"]["B"]


def test_both_averages_of_g_xlt_are_compared_between_runs(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = build_run(tmp_path_factory.mktemp("other"), (0.3, 0.2), figures=False)
    runs = RunFolder(folder), RunFolder(other)
    for run in runs:
        columns = block("gxlt", "em", columns=["avg42", "avg49"])
        run.config["tables"]["flip"] = {"kind": "scores", "title": "T", "blocks": [columns]}
        run.config["run"]["tables"].append("flip")
        write_table_files(build_flip(run), run.path / "tables" / "flip")
    moves = compare_runs(*runs, tables=["flip"], draws=50).moves
    assert {move.column for move in moves} == {"avg42", "avg49"}
    for move in moves:
        assert move.tested is not None
        assert move.tested.difference == pytest.approx(move.difference, abs=1e-5)


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
