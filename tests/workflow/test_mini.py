"""What the whole DAG gives at scale mini, and that it re-runs exactly what a change touches."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.workflow.conftest import Run
from tests.workflow.test_planning import job_counts

pytestmark = pytest.mark.workflow

TABLES = [f"table{name}" for name in [1, 2, 3, 4, 5, 6, "A", "B", "F", "G"]]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("suffix", ["csv", "md", "tex", "html"])
def test_every_table_exists_in_every_format(mini: Path, table: str, suffix: str) -> None:
    text = (mini / "tables" / f"{table}.{suffix}").read_text(encoding="utf-8")
    if suffix != "csv":
        assert "not comparable with the paper" in text


def rows(mini: Path, table: str) -> list[dict[str, str]]:
    """The cells of a table; remarks on the whole table stand in no column."""
    with open(mini / "tables" / f"{table}.csv", encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["column"]]


@pytest.mark.parametrize("table", ["table1", "table2", "table3", "table4", "table5", "tableG"])
def test_every_cell_has_a_number_or_a_reason(mini: Path, table: str) -> None:
    cells = [row for row in rows(mini, table) if row["system"] != "XLM-K"]
    assert cells
    for row in cells:
        assert row["measured"] or row["note"], row
    assert sum(bool(row["measured"]) for row in cells) > len(cells) / 2


def test_nothing_is_left_to_do(rerun: Run) -> None:
    outcome = rerun("-n")
    assert outcome.returncode == 0
    assert "Nothing to be done" in outcome.stdout + outcome.stderr


def test_weights_of_runs_that_lost_are_gone(mini: Path) -> None:
    """Two learning rates with two seeds each: one rate is left, with both its seeds."""
    for task in mini.glob("finetuned/*/relation"):
        left = {path.parent.name for path in task.glob("*/weights")}
        chosen = json.loads((task / "selection.json").read_text())["runs"]
        assert left == {run["run"] for run in chosen if run["selected"]}
        assert len(left) == 2 < len(chosen)


def test_a_deleted_table_is_one_job(mini: Path, rerun: Run) -> None:
    table = mini / "tables" / "table3.csv"
    before = table.read_bytes()
    table.unlink()
    counts = job_counts(rerun("-n", "table3"))
    assert counts.pop("total") - counts.pop("table3", 0) == counts["table"] == 1
    outcome = rerun("table3")
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert table.read_bytes() == before


def test_a_changed_system_re_runs_only_itself(rerun: Run) -> None:
    changed = "systems={mluke-w-mini: {model: xlmr-extra-mini}}"
    counts = job_counts(rerun("-n", "table3", changed))
    assert counts["finetune"] == 4 + 2
    assert counts["score"] == 2
    for untouched in ("pretrain", "extract", "build_sequences", "initialize_model"):
        assert untouched not in counts


def results(mini: Path, task: str) -> list[dict]:
    found = sorted(mini.glob(f"finetuned/*/{task}/*/result.json"))
    return [json.loads(path.read_text()) for path in found]


@pytest.mark.parametrize(
    ("task", "metric"), [("qa", "f1"), ("relation", "macro_f1"), ("ner", "f1")]
)
def test_tiny_models_learn_each_task(mini: Path, task: str, metric: str) -> None:
    """The best run of every system is clearly above the best trivial baseline."""
    by_system: dict[str, float] = {}
    for result in results(mini, task):
        system = result["system"]
        by_system[system] = max(by_system.get(system, 0.0), result["dev"][metric])
    assert len(by_system) == 4
    baseline = max(value for result in results(mini, task) for value in flatten(result["baseline"]))
    for system, score in by_system.items():
        assert score > baseline + 10, (system, score, baseline)


def flatten(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in flatten(inner)]
    return [float(value)] if isinstance(value, int | float) else []


@pytest.mark.parametrize("stage", ["xlmr-extra-mini/extra", "mluke-mini/stage2"])
def test_pretraining_beats_the_unigram_baselines(mini: Path, stage: str) -> None:
    summary = json.loads((mini / "pretraining" / stage / "summary.json").read_text())
    final = summary["final"]["validation"] if "validation" in summary["final"] else summary["final"]
    compared = 0
    for name, baseline in summary["unigram"].items():
        if baseline is None or final.get(name) is None:
            continue
        compared += 1
        if name.endswith("accuracy"):
            assert final[name] > baseline, name
        else:
            assert final[name] < baseline - 0.4, name
    assert compared >= 2


def test_extraction_gives_the_gold_text_and_links(mini: Path) -> None:
    import pyarrow.parquet as pq

    for gold_file in sorted((mini / "gold").glob("??.jsonl")):
        gold = [json.loads(line) for line in gold_file.read_text(encoding="utf-8").splitlines()]
        found = [
            row
            for path in sorted((mini / "pages" / gold_file.stem).glob("*.parquet"))
            for row in pq.read_table(path).to_pylist()
        ]
        assert len(found) == len(gold) >= 300
        for page, expected in zip(found, gold, strict=True):
            assert page["title"] == expected["title"]
            links = [
                [[link["start"], link["end"], link["target"]] for link in paragraph["links"]]
                for paragraph in page["paragraphs"]
            ]
            assert [p["text"] for p in page["paragraphs"]] == [
                p["text"] for p in expected["paragraphs"]
            ], page["title"]
            assert links == [p["links"] for p in expected["paragraphs"]], page["title"]


def test_reports_and_provenance(mini: Path) -> None:
    provenance = json.loads((mini / "provenance.json").read_text())
    assert provenance["resources"]["per_job"]
    crate = json.loads((mini / "ro-crate-metadata.json").read_text())
    assert "tables/table3.csv" in {entity["@id"] for entity in crate["@graph"]}
    assert list(mini.glob("figures/*.svg"))


def test_the_report_opens_offline(mini: Path) -> None:
    text = (mini / "report.html").read_text(encoding="utf-8")
    for name in TABLES:
        assert f'id="{name}"' in text
    assert 'class="card"' in text and "<svg" in text
    for address in ('src="http', 'href="http', "<script src", "@import"):
        assert address not in text


def test_snakemakes_own_report(mini: Path, rerun: Run) -> None:
    page = mini / "dag-report.html"
    outcome = rerun("--report", str(page))
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert "table3" in page.read_text(encoding="utf-8")
