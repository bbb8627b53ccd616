"""Predictions and gold that do not fit: counted and named, or one clear error."""

import json
from pathlib import Path
from typing import Any

import pytest

from mluke_core.errors import DataError
from mluke_core.io.parquet import ParquetSink, stage_metadata
from mluke_core.tasks.predict import SCHEMA
from mluke_core.tasks.score import score
from tests import task_world as world

RUN = "lr0.1-b8-s1"
TESTS: dict[str, dict[str, Any]] = {
    "relx": {"columns": ["en"], "metrics": "relx"},
    "mlqa": {"columns": ["en", "de"], "metrics": "mlqa"},
    "gxlt": {"columns": ["en", "de"], "metrics": "mlqa"},
    "xquad": {"columns": ["en", "de"], "metrics": "squad"},
}


def question(number: str) -> dict[str, Any]:
    answers = [{"text": "Rome", "answer_start": 0}]
    return {"context": "Rome .", "qas": [{"id": number, "question": "?", "answers": answers}]}


def mlqa_file(*ids: str) -> str:
    return world.squad_json([question(number) for number in ids])


def run_score(
    folder: Path, test: str, files: dict[str, str], answers: list[tuple[str, str, str]]
) -> dict[str, Any]:
    """Score ``(column, id, prediction)`` rows; the labels of training are those of `world`."""
    source = world.write_source(folder, test, dict(files))
    with ParquetSink(folder / "p.parquet", SCHEMA, stage_metadata("predict", {})) as sink:
        for column, example, text in answers:
            sink.append((RUN, 1, column, example, text, 0.5))
    labels = ["no_relation"]
    labels += [f"{r}({d})" for r in world.VERBS.values() for d in ("e1,e2", "e2,e1")]
    entry = {"examples": 1, "with_entities": 0, "entities_per_example": 0.0}
    columns = {column for column, _, _ in answers}
    coverage = {"labels": labels, "columns": dict.fromkeys(sorted(columns), entry)}
    (folder / "c.json").write_text(json.dumps(coverage))
    runs = [{"run": RUN, "seed": 1, "selected": True, "dev": 1.0}]
    (folder / "s.json").write_text(json.dumps({"best": RUN, "runs": runs}))
    score(
        {"system": "x", "test": test, **TESTS[test]},
        folder / "p.parquet",
        folder / "c.json",
        folder / "s.json",
        {test: source},
        folder / "out.json",
    )
    return json.loads((folder / "out.json").read_text())


MLQA = "MLQA_V1/test/test-context-{0}-question-{0}.json"


def test_missing_predictions_are_named_and_wrong(tmp_path: Path) -> None:
    files = {MLQA.format("en"): mlqa_file("a", "b"), MLQA.format("de"): mlqa_file("a")}
    rows = [("en", "a", "Rome"), ("de", "a", "Rome"), ("de", "unknown", "x")]
    scores = run_score(tmp_path, "mlqa", files, rows)
    assert scores["results"]["default"]["en"]["em"] == [50.0]
    assert scores["counts"] == {"en": 2, "de": 1}
    assert scores["notes"] == [f"en, run {RUN}: 1 examples without a prediction count as wrong (b)"]


def test_ids_that_english_lacks_are_named(tmp_path: Path) -> None:
    files = {MLQA.format("en"): mlqa_file("a"), MLQA.format("de"): mlqa_file("a", "c")}
    rows = [("en", "a", "Rome"), ("de", "a", "Rome"), ("de", "c", "Rome")]
    assert run_score(tmp_path, "mlqa", files, rows)["notes"] == ["de: 1 ids that 'en' lacks (c)"]


def test_ids_that_a_translation_lacks_are_named_both_ways(tmp_path: Path) -> None:
    files = {"xquad.en.json": mlqa_file("a", "b"), "xquad.de.json": mlqa_file("a", "c")}
    rows = [("en", "a", "Rome"), ("en", "b", "Rome"), ("de", "a", "Rome"), ("de", "c", "Rome")]
    assert run_score(tmp_path, "xquad", files, rows)["notes"] == [
        "de: 1 ids that 'en' lacks (c)",
        "en: 1 ids that 'de' lacks (b)",
    ]


def test_mlqa_has_fewer_questions_in_other_languages(tmp_path: Path) -> None:
    files = {MLQA.format("en"): mlqa_file("a", "b"), MLQA.format("de"): mlqa_file("a")}
    rows = [("en", "a", "Rome"), ("en", "b", "Rome"), ("de", "a", "Rome")]
    assert run_score(tmp_path, "mlqa", files, rows)["notes"] == []


def test_pairs_of_languages_are_compared_with_their_mirror_and_their_languages(
    tmp_path: Path,
) -> None:
    pair = "MLQA_V1/test/test-context-{}-question-{}.json"
    files = {
        MLQA.format("en"): mlqa_file("a", "b", "c"),
        MLQA.format("de"): mlqa_file("a"),
        pair.format("en", "de"): mlqa_file("a", "b"),
        pair.format("de", "en"): mlqa_file("a", "c"),
    }
    rows = [(column, example, "Rome") for column in ("en-de", "de-en") for example in "abc"]
    notes = run_score(tmp_path, "gxlt", files, rows)["notes"]
    assert notes[:3] == [
        "en-de: 1 ids that 'de-en' lacks (b)",
        "de-en: 1 ids that 'en-de' lacks (c)",
        "pairs with de: 2 ids that 'de-de' lacks (b, c)",
    ]
    assert all("avg" in note for note in notes[3:])


def test_a_column_without_predictions_is_an_error(tmp_path: Path) -> None:
    files = {MLQA.format("en"): mlqa_file("a"), MLQA.format("de"): mlqa_file("a")}
    with pytest.raises(DataError, match=r"no predictions of run 'lr0\.1-b8-s1' for 'de'"):
        run_score(tmp_path, "mlqa", files, [("en", "a", "Rome")])
    assert not (tmp_path / "out.json").exists()


def test_label_that_training_lacks(tmp_path: Path) -> None:
    record = '7\t"<e1> Ada </e1> met <e2> Bo </e2>"\nper:met(e1,e2)\n'
    with pytest.raises(DataError, match=r"record 7 has the label 'per:met\(e1,e2\)'"):
        run_score(tmp_path, "relx", {"RELX_en.txt": record}, [("en", "7", "no_relation")])


def test_predicted_label_that_is_none(tmp_path: Path) -> None:
    record = '7\t"<e1> Ada </e1> was born in <e2> Rome </e2>"\nper:born(e1,e2)\n'
    scores = run_score(tmp_path, "relx", {"RELX_en.txt": record}, [("en", "7", "nonsense")])
    assert scores["results"]["default"]["en"]["accuracy"] == [0.0]
    assert scores["details"]["en"]["confusion"] == {"per:born(e1,e2)": {"nonsense": 1}}


def test_damaged_predictions(tmp_path: Path) -> None:
    from mluke_core.tasks.score import read_predictions

    (tmp_path / "p.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a predictions file"):
        read_predictions(tmp_path / "p.parquet")
