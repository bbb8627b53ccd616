"""Choosing runs by dev score, and scores when predictions are incomplete."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mluke_core.errors import ConfigError, DataError
from mluke_core.tasks.collections import test_columns as columns_of
from mluke_core.tasks.score import score
from mluke_core.tasks.select_run import select_run, selected_runs
from tests.task_world import write_source


def result(folder: Path, rate: float, seed: int, dev: float) -> Path:
    name = f"lr{rate:g}-b16-s{seed}"
    path = folder / name / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    run = {"learning_rate": rate, "batch_size": 16, "seed": seed, "name": name}
    (path.parent / "weights").mkdir(exist_ok=True)
    text = {"run": name, "settings": {"run": run}, "dev": {"f1": dev}, "weights": f"of {name}"}
    path.write_text(json.dumps(text))
    return path


def select(paths: list[Path], output: Path) -> dict[str, Any]:
    select_run({"task": "ner", "metric": "f1"}, paths, output)
    selection: dict[str, Any] = json.loads(output.read_text())
    return selection


def test_best_run_and_its_seeds(tmp_path: Path) -> None:
    paths = [
        result(tmp_path, 1e-5, 1, 70.0),
        result(tmp_path, 1e-5, 2, 90.0),
        result(tmp_path, 2e-5, 1, 89.0),
        result(tmp_path, 2e-5, 2, 89.5),
    ]
    selection = select(paths, tmp_path / "selection.json")
    assert selection["best"] == "lr1e-05-b16-s2"
    assert [run["run"] for run in selection["runs"]] == [
        "lr1e-05-b16-s2",
        "lr1e-05-b16-s1",
        "lr2e-05-b16-s1",
        "lr2e-05-b16-s2",
    ]
    assert [run["selected"] for run in selection["runs"]] == [True, True, False, False]
    assert selected_runs(tmp_path / "selection.json") == [
        {"run": "lr1e-05-b16-s2", "seed": 2},
        {"run": "lr1e-05-b16-s1", "seed": 1},
    ]


def test_first_of_equal_runs(tmp_path: Path) -> None:
    paths = [result(tmp_path, 1e-5, 1, 0.0), result(tmp_path, 2e-5, 1, 0.0)]
    assert select(paths, tmp_path / "selection.json")["best"] == "lr1e-05-b16-s1"


def test_broken_results(tmp_path: Path) -> None:
    path = result(tmp_path, 1e-5, 1, 0.0)
    with pytest.raises(DataError, match="same run"):
        select([path, path], tmp_path / "selection.json")
    with pytest.raises(DataError, match="no results"):
        select([], tmp_path / "selection.json")
    with pytest.raises(DataError, match="dev metric 'em'"):
        select_run({"task": "qa", "metric": "em"}, [path], tmp_path / "selection.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match="not a selection"):
        selected_runs(tmp_path / "other.json")


def test_columns_of_collections(tmp_path: Path) -> None:
    source = write_source(tmp_path, "mlqa", {"MLQA_V1/test/test-context-en-question-de.json": "{}"})
    settings = {"test": "gxlt", "columns": ["en", "de"]}
    columns = columns_of(settings, {"mlqa": source})
    assert [column.name for column in columns] == ["en-de", "de-en"]
    assert columns[0].path is not None
    assert columns[0].languages == {
        "context_language": "en",
        "question_language": "de",
        "title_language": "en",
    }
    assert "no file 'MLQA_V1/test/test-context-de-question-en.json'" in columns[1].missing
    xquad = columns_of({"test": "xquad", "columns": ["th"]}, {"xquad": source})[0]
    assert xquad.languages["title_language"] == "en"
    assert xquad.path is None
    with pytest.raises(ConfigError, match="'mine' has no `files`"):
        columns_of({"test": "mine", "columns": ["en"]}, {"mlqa": source})
    with pytest.raises(ConfigError, match="one source"):
        columns_of(settings, {"mlqa": source, "more": source})


def test_any_collection_with_files(tmp_path: Path) -> None:
    source = write_source(tmp_path, "own", {"a.txt": "x"})
    settings = {
        "test": "mine",
        "columns": ["en", "fr", "de", "nl"],
        "files": {
            "en": {"source": "own", "file": "a.txt"},
            "fr": {"source": "other", "file": "b.txt"},
            "de": {"source": "own", "file": "c.txt"},
        },
    }
    columns = columns_of(settings, {"own": source})
    assert columns[0].path is not None
    assert [column.missing for column in columns[1:]] == [
        "source 'other' was not given",
        "source 'own' has no file 'c.txt'",
        "no file is configured for this column",
    ]


RECORDS = [("1", "r(e1,e2)"), ("2", "r(e2,e1)"), ("3", "no_relation")]


def scored(folder: Path, predictions: list[tuple[str, str, str, str]]) -> dict[str, Any]:
    text = "".join(f'{i}\t"<e1> a </e1> <e2> b </e2>"\n{label}\n\n' for i, label in RECORDS)
    source = write_source(folder, "relx", {"RELX_en.txt": text})
    names = ("run", "test_set", "example_id", "prediction")
    table = pa.table({name: [row[i] for row in predictions] for i, name in enumerate(names)})
    pq.write_table(table, folder / "p.parquet")
    labels = sorted({label for _, label in RECORDS})
    coverage = {"columns": {}, "labels": labels, "unavailable": {}}
    (folder / "coverage.json").write_text(json.dumps(coverage))
    select([result(folder, 1e-5, 1, 50.0)], folder / "selection.json")
    score(
        {"system": "s", "test": "relx", "metrics": "relx", "columns": ["en"]},
        folder / "p.parquet",
        folder / "coverage.json",
        folder / "selection.json",
        {"relx": source},
        folder / "scores.json",
    )
    scores: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return scores


def test_missing_predictions_are_wrong_and_named(tmp_path: Path) -> None:
    run = "lr1e-05-b16-s1"
    whole = [(run, "en", i, label) for i, label in RECORDS]
    assert scored(tmp_path, whole)["results"]["default"]["en"]["macro_f1"] == [100]
    scores = scored(tmp_path, whole[1:])
    assert scores["results"]["default"]["en"]["macro_f1"] == [pytest.approx(200 / 3)]
    assert "1 examples without a prediction count as wrong (1)" in scores["notes"][0]
    with pytest.raises(DataError, match="no predictions of run"):
        scored(tmp_path, [("other", "en", "1", "no_relation")])


def test_unknown_gold_label(tmp_path: Path) -> None:
    run = "lr1e-05-b16-s1"
    whole = [(run, "en", i, label) for i, label in RECORDS]
    scored(tmp_path, whole)
    coverage = json.loads((tmp_path / "coverage.json").read_text())
    coverage["labels"] = ["no_relation"]
    (tmp_path / "coverage.json").write_text(json.dumps(coverage))
    with pytest.raises(DataError, match=r"record 1 has the label 'r\(e1,e2\)'"):
        score(
            {"system": "s", "test": "relx", "metrics": "relx", "columns": ["en"]},
            tmp_path / "p.parquet",
            tmp_path / "coverage.json",
            tmp_path / "selection.json",
            {"relx": tmp_path / "relx.json"},
            tmp_path / "scores.json",
        )
