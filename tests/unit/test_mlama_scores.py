from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mluke_core.errors import DataError
from mluke_core.io.parquet import stage_metadata, write_table
from mluke_core.probes.mlama import SCHEMA
from mluke_core.probes.mlama_scores import english_titles, score_predictions

LANGUAGE_REPORT = {
    "questions": 3,
    "triples": 4,
    "left_out": 0,
    "bad_records": 2,
    "gold_not_a_candidate": 0,
    "questions_too_long": 0,
    "candidates_without_tokens": 0,
    "skipped": {"P54": "no triples"},
    "matching": {"candidates": {"exact": 3, "first_letter": 1, "not_found": 2}},
}


def row(
    language: str,
    relation: str,
    subject: str,
    prediction: str,
    rank: int | None,
    variant: str = "[Y]",
    setting: str = "full",
    triples: int = 1,
    given: bool = False,
) -> tuple[Any, ...]:
    return (
        "pretrained",
        0,
        language,
        f"{relation}/{subject}",
        prediction,
        -1.0,
        variant,
        setting,
        relation,
        subject,
        ["x"],
        rank,
        5,
        triples,
        given,
    )


ROWS = [
    row("en", "P740", "A", "Tokyo", 2),
    row("en", "P740", "B", "Japan", 1, triples=2),
    row("en", "P36", "C", "Paris", 1),
    row("en", "P740", "A", "Tokyo", 2, setting="restricted"),
    row("ja", "P740", "A", "パリ", 3),
    row("ja", "P740", "B", "パリ", 6),
    row("ja", "P740", "C", "", None),
    row("tr", "P740", "A", "istanbul", 2),
    row("tr", "P740", "B", "bilinmeyen", 1),
    row("en", "P740", "A", "Tokyo", 1, variant="[X]&[Y]", given=True),
    row("en", "P740", "B", "Rome", 2, variant="[X]&[Y]"),
    row("ja", "P740", "A", "東京", 2, variant="[X]&[Y]"),
    row("tr", "P740", "A", "Yok", 2, variant="[X]&[Y]"),
]


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    columns = [
        pa.array([entry[place] for entry in ROWS], field.type) for place, field in enumerate(SCHEMA)
    ]
    report = {
        "maximum_questions": 3,
        "unavailable": {"ko": "mLAMA has no data in this language"},
        "languages": dict.fromkeys(("en", "ja", "tr"), LANGUAGE_REPORT),
    }
    path = tmp_path / "mlama.parquet"
    table = pa.Table.from_arrays(columns, schema=SCHEMA)
    write_table(path, table, stage_metadata("probe_mlama", {}) | {"report": report})
    return path


@pytest.fixture
def sitelinks(tmp_path: Path) -> dict[str, Path]:
    content = {
        "en": [(1490, "Tokyo"), (90, "Paris"), (406, "Istanbul")],
        "ja": [(90, "パリ"), (1490, "東京")],
        "tr": [(406, "İstanbul"), (5, "Bilinmeyen")],
    }
    paths = {}
    for language, links in content.items():
        links = sorted(links, key=lambda link: link[1])
        table = pa.table(
            {"qid": pa.array([q for q, _ in links], pa.int64()), "title": [t for _, t in links]}
        )
        paths[language] = tmp_path / f"{language}.parquet"
        pq.write_table(table, paths[language])
    return paths


def test_scores_by_hand(predictions: Path, sitelinks: dict[str, Path]) -> None:
    scores = score_predictions(predictions, sitelinks, "mluke-e", "P740")
    assert list(scores["results"]) == ["[Y]", "[X]&[Y]"]
    english = scores["results"]["[Y]"]["en"]
    assert english["full_micro"] == [pytest.approx(100 * 2 / 3)]
    assert english["full_triple"] == [pytest.approx(100 * 3 / 4)]
    assert english["full_macro"] == [pytest.approx(75)]
    assert english["restricted_micro"] == [0.0]
    assert english["restricted_mrr"] == [50.0]
    assert "restricted_micro" not in scores["results"]["[Y]"]["ja"]
    assert scores["results"]["[Y]"]["ja"]["full_p5"] == [pytest.approx(100 / 3)]
    assert scores["counts"] == {"en": 2, "ja": 1, "tr": 1}
    assert scores["coverage"]["en"] == {
        "examples": 2,
        "with_entities": 1,
        "entities_per_example": 0.5,
    }
    assert scores["unavailable"] == {"ko": "mLAMA has no data in this language"}
    assert scores["details"]["per_relation"]["[Y]"]["en"]["full"]["P740"] == {
        "questions": 2,
        "p1": 50.0,
    }
    assert scores["details"]["matching"]["en"] == LANGUAGE_REPORT["matching"]
    assert scores["details"]["data"]["en"]["skipped"] == {"P54": "no triples"}
    assert any(note.startswith("Only 3 questions") for note in scores["notes"])
    assert "en: 2 records that could not be read were skipped." in scores["notes"]
    assert any(note.startswith("ja: no answer is in the entity") for note in scores["notes"])


def test_language_bias_in_english(predictions: Path, sitelinks: dict[str, Path]) -> None:
    bias = score_predictions(predictions, sitelinks, "mluke-e", "P740")["details"]["language_bias"]
    assert bias["[Y]"]["ja"] == {
        "relation": "P740",
        "questions": 3,
        "prediction": "パリ",
        "english": "Paris",
        "entity": "Paris",
        "top1_false": 2,
        "total_false": 3,
        "ratio_percent": pytest.approx(100 * 2 / 3),
    }
    # istanbul is found as İstanbul, Turkish style.
    assert bias["[Y]"]["tr"]["entity"] == "Istanbul"
    assert bias["[X]&[Y]"]["tr"]["entity"] == "Yok"
    assert bias["[X]&[Y]"]["tr"]["english"] is None
    assert bias["[Y]"]["en"]["entity"] == "Tokyo"


def test_names_without_an_english_title(sitelinks: dict[str, Path]) -> None:
    wanted = {"tr": {"bilinmeyen", "yok"}, "fi": {"Pariisi"}, "ja": set()}
    assert english_titles(sitelinks, wanted) == {}
    assert english_titles({"ja": sitelinks["ja"]}, {"ja": {"パリ"}}) == {}


def test_missing_sitelinks_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not readable sitelinks"):
        english_titles({"ja": tmp_path / "none.parquet"}, {"ja": {"パリ"}})


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    write_table(path, pa.table({"a": [1]}), stage_metadata("predict", {}))
    with pytest.raises(DataError, match="not mLAMA predictions"):
        score_predictions(path, {}, "x", "P740")
