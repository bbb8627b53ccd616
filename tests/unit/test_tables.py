"""What stands in the cells of every table."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.errors import ConfigError, DataError, MlukeError
from mluke_core.reporting.build import build_table
from mluke_core.reporting.scores import ScoreBook, Scores, Selection
from mluke_core.reporting.tables import (
    MAXIMUM_PANEL_COLUMNS,
    Cell,
    Column,
    Footnotes,
    Panel,
    Row,
    Table,
    best_rows,
    measured_cell,
    pack_panels,
    watermark,
)
from tests.reporting_world import CORPUS, DATA, SCORES, build, cell, config, row, settings

E_LABEL = "mLUKE-E mini"


def values(
    system: str, test: str, column: str, metric: str, variant: str = "default"
) -> list[float]:
    content = json.loads((DATA / "scores" / system / f"{test}.json").read_text(encoding="utf-8"))
    return content["results"][variant][column][metric]


def test_a_cell_has_best_mean_deviation_published_and_difference() -> None:
    found = cell(build("table3"), E_LABEL, "RELX", "tr")
    runs = values("mluke-e-mini", "relx", "tr", "macro_f1")
    assert found.value == runs[0]
    assert found.mean == pytest.approx(fmean(runs))
    assert found.deviation == pytest.approx(stdev(runs))
    assert found.runs == 2
    assert found.published == 68.7
    assert found.difference == pytest.approx(runs[0] - 68.7)
    assert found.notes == ()


def test_an_average_is_taken_within_each_run_before_its_deviation() -> None:
    found = cell(build("table3"), E_LABEL, "RELX", "avg")
    columns = ["en", "es", "fr", "de", "tr"]
    by_run = list(
        zip(*(values("mluke-e-mini", "relx", c, "macro_f1") for c in columns), strict=True)
    )
    averages = [fmean(run) for run in by_run]
    assert found.value == pytest.approx(averages[0])
    assert found.deviation == pytest.approx(stdev(averages))
    assert found.difference == pytest.approx(averages[0] - 66.5)


def test_an_average_over_fewer_columns_says_so_and_has_no_difference() -> None:
    found = cell(build("table3"), E_LABEL, "CoNLL", "avg")
    assert found.value == pytest.approx(
        fmean(values("mluke-e-mini", "conll", c, "f1")[0] for c in ("en", "nl", "es"))
    )
    assert found.published == 82.6
    assert found.difference is None
    assert found.notes == ("average over 3 of 4 columns: en, nl, es",)


def test_a_column_without_data_has_a_dash_with_its_reason() -> None:
    german = cell(build("table3"), E_LABEL, "CoNLL", "de")
    assert german.value is None and german.published == 77.2 and german.difference is None
    assert german.notes[0].startswith("conll2003_de: needs the ECI")
    finnish = cell(build("table5"), f"{E_LABEL} ([Y])", "Top-1", "fi")
    assert finnish.value is None and finnish.notes == ("language not in this run",)


def test_columns_of_the_paper_stand_in_its_order_even_when_not_configured() -> None:
    panel = build("table2").panels[0]
    assert [column.label for column in panel.columns] == [
        *("ar", "de", "es", "hi", "vi", "zh"),
        "avg",
    ]


def test_entity_systems_have_a_row_per_variant_beside_the_papers_row() -> None:
    table = build("table5")
    labels = [found.label for found in table.panels[0].rows]
    assert labels[-2:] == [f"{E_LABEL} ([Y])", f"{E_LABEL} ([X]&[Y])"]
    assert cell(table, labels[-1], "Top-1", "ja").published == 40.3
    assert cell(table, labels[-2], "Top-1", "ja").published == 28.9
    assert cell(table, labels[-2], "Top-1", "ja").runs == 1
    assert cell(table, labels[-2], "Top-1", "ja").mean is None


@pytest.mark.parametrize(
    ("name", "printed", "dashes"),
    [
        ("table1", {("MLQA", "en"): 80.8, ("MLQA", "avg"): 67.7}, {"XQuAD", "G-XLT"}),
        ("table3", {("CoNLL", "en"): 90.7}, {"RELX"}),
    ],
)
def test_quoted_rows_have_published_values_alone(
    name: str, printed: dict[tuple[str, str], float], dashes: set[str]
) -> None:
    table = build(name)
    quoted = [row(panel, "XLM-K (quoted)") for panel in table.panels]
    assert all(found.quoted for found in quoted)
    cells = [found for line in quoted for found in line.cells]
    assert all(found.value is None for found in cells)
    assert {found.block for found in cells if found.published is None} == dashes
    for (block, column), value in printed.items():
        assert cell(table, "XLM-K (quoted)", block, column).published == value
    assert any(note.startswith("XLM-K: quoted") for note in table.notes)


def test_both_ways_of_counting_long_gold_stand_beside_the_paper() -> None:
    table = build("table3")
    within = cell(table, E_LABEL, "CoNLL, gold within the limit", "en")
    assert within.value == values("mluke-e-mini", "conll", "en", "f1_reachable")[0]
    assert within.published == cell(table, E_LABEL, "CoNLL", "en").published
    assert any("'CoNLL, gold within the limit'" in note for note in table.notes)


def test_rows_follow_the_order_of_the_run() -> None:
    shuffled = settings("table3")
    shuffled["order"] = ["mluke-e-mini", "xlmr-mini"]
    table = build_table(shuffled, SCORES)
    assert [found.system for found in table.panels[0].rows] == [
        "mluke-e-mini",
        "xlmr-mini",
        "XLM-K",
    ]


def test_g_xlt_average_is_over_pairs_of_different_languages() -> None:
    found = cell(build("table1"), E_LABEL, "G-XLT", "avg42")
    scores = Scores.load(DATA / "scores" / "mluke-e-mini" / "gxlt.json")
    pairs = list(scores.results["default"])
    assert len(pairs) == 20
    assert found.value == pytest.approx(
        fmean(values("mluke-e-mini", "gxlt", pair, "f1")[0] for pair in pairs)
    )
    assert found.published == 55.6 and found.difference is None
    assert found.notes == ("average over 20 of 42 pairs of languages",)


def test_g_xlt_matrix_takes_its_diagonal_from_mlqa() -> None:
    table = build("tableF")
    assert table.panels[0].title == "Averages"
    matrix = table.panels[-1]
    assert (len(matrix.rows), len(matrix.columns)) == (7, 7)
    english = row(matrix, "en")
    assert english.cells[0].value == values("mluke-e-mini", "mlqa", "en", "f1")[0]
    assert english.cells[1].value == values("mluke-e-mini", "gxlt", "en-es", "f1")[0]
    hindi = row(matrix, "hi")
    assert all(c.notes == ("no data for hi in this run",) for c in hindi.cells[:4])
    assert hindi.cells[5].notes == ("no data for hi in this run", "no data for vi in this run")
    averages = row(table.panels[0], E_LABEL).cells
    assert averages[1].published is None
    assert averages[1].notes == ("average over 25 of 49 pairs of languages",)


def test_full_g_xlt_has_no_note_and_a_difference(tmp_path: Path) -> None:
    languages = config()["tasks"]["qa"]["tests"]["gxlt"]["columns"]
    results = {f"{c}-{q}": {"f1": [50.0]} for c in languages for q in languages if c != q}
    runs = [{"run": "lr1e-05-b16-s1", "seed": 1}]
    files = []
    for test, columns in (("gxlt", results), ("mlqa", {c: {"f1": [92.0]} for c in languages})):
        content = {"system": "mluke-e-mini", "test": test, "runs": runs}
        files.append(tmp_path / f"{test}.json")
        files[-1].write_text(json.dumps({**content, "results": {"default": columns}}))
    averages = row(build_table(settings("tableF"), files).panels[0], E_LABEL).cells
    assert averages[0].value == pytest.approx(50.0) and averages[0].notes == ()
    assert averages[0].difference == pytest.approx(50.0 - 55.6)
    assert averages[1].value == pytest.approx((42 * 50.0 + 7 * 92.0) / 49)


def test_language_bias_shows_prediction_share_and_counts() -> None:
    table = build("table6")
    label = f"{E_LABEL} ([X]&[Y])"
    scores = json.loads((DATA / "scores/mluke-e-mini/mlama.json").read_text(encoding="utf-8"))
    bias = scores["details"]["language_bias"]["[X]&[Y]"]["ja"]
    share = 100 * bias["top1_false"] / bias["total_false"]
    assert cell(table, label, "ja", "ja:entity").value == "Japan"
    assert cell(table, label, "ja", "ja:entity").published == "Japan"
    assert cell(table, label, "ja", "ja:ratio_percent").value == pytest.approx(share)
    assert cell(table, label, "ja", "ja:ratio_percent").difference == pytest.approx(share - 44)
    assert cell(table, label, "ja", "ja:count").published == "176/401"
    assert cell(table, label, "ja", "ja:top1_false").difference is None


def test_corpus_has_a_row_per_language_and_a_total() -> None:
    panel = build("tableA").panels[0]
    assert panel.rows[-1].label == "total"
    links = [column.label for column in panel.columns].index("links")
    parts = [found.cells[links].value for found in panel.rows[:-1]]
    assert panel.rows[-1].cells[links].value == sum(float(part or 0) for part in parts)
    share = [column.label for column in panel.columns].index("share %")
    assert panel.rows[-1].cells[share].value == pytest.approx(100, abs=1e-3)


def test_corpus_statistics_must_be_the_same_for_all_languages(tmp_path: Path) -> None:
    path = tmp_path / "corpus.json"
    path.write_text('{"languages": {"de": {"links": 1}, "en": {"links": 2, "pages": 3}}}')
    with pytest.raises(DataError, match=r"'en' has other statistics .*pages"):
        build_table(settings("tableA"), corpus=path)


def test_hyperparameters_are_those_of_the_chosen_run() -> None:
    table = build("tableB")
    assert [panel.title for panel in table.panels] == ["QA", "Relation classification", "NER"]
    chosen = row(table.panels[1], E_LABEL).cells
    selection = Selection.load(DATA / "finetuned/mluke-e-mini/relation/selection.json")
    assert chosen[0].value == selection.best_settings["learning_rate"]
    assert chosen[3].value == 4
    assert chosen[4].value == selection.best_dev
    assert chosen[4].runs == 2


def test_run_names_with_exponents_are_read(tmp_path: Path) -> None:
    path = tmp_path / "system" / "ner" / "selection.json"
    path.parent.mkdir(parents=True)
    run = {"run": "lr2e-05-b32-s3", "dev": 90.0, "selected": True, "seed": 3}
    path.write_text(json.dumps({"task": "ner", "metric": "f1", "best": run["run"], "runs": [run]}))
    selection = Selection.load(path)
    assert selection.system == "system"
    assert selection.best_settings == {"learning_rate": "2e-05", "batch_size": "32", "seed": "3"}


def test_small_scales_are_watermarked_and_the_papers_are_not() -> None:
    assert build("table3").watermark == "scale mini: not comparable with the paper"
    assert build("table3", scale="paper").watermark == ""
    assert watermark("my-own") and not watermark("base24")


def test_a_test_that_cannot_be_run_is_a_dash_with_the_reason() -> None:
    changed = settings("table3") | {"missing": {"conll": "conll2003: needs a licence"}}
    files = [path for path in SCORES if path.name == "relx.json"]
    table = build_table(changed, files)
    assert cell(table, E_LABEL, "CoNLL", "en").notes == ("conll2003: needs a licence",)
    assert cell(table, E_LABEL, "RELX", "en").value is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, None),
        ({"order": ["no-such"]}, "order the system 'no-such'"),
        ({"table": {"title": "x", "kind": "pie"}}, "there is no kind 'pie'; write one of scores"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, Any], message: str | None) -> None:
    changed = settings("table3") | change
    if message is None:
        del changed["name"]
        with pytest.raises(MlukeError, match="also needs name"):
            build_table(changed, SCORES)
    else:
        with pytest.raises(ConfigError, match=message):
            build_table(changed, SCORES)


def test_missing_files_are_asked_for() -> None:
    for table, option in (
        ("table3", "--scores"),
        ("tableB", "--selections"),
        ("tableA", "--corpus"),
    ):
        with pytest.raises(DataError, match=option):
            build_table(settings(table))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "a JSON object was expected"),
        ('{"system": "a", "test": "b"}', "lacks runs, results"),
        (
            '{"system": "a", "test": "b", "runs": [{}, {}],'
            ' "results": {"default": {"en": {"f1": [1]}}}}',
            r"results/default/en/f1 must be a list with one value for each of the 2 runs",
        ),
        ('{"system"', "not valid JSON"),
    ],
)
def test_damaged_score_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "scores.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        Scores.load(path)


def test_the_same_scores_twice_are_refused() -> None:
    with pytest.raises(DataError, match="both hold the scores"):
        ScoreBook.load([SCORES[0], SCORES[0]])


def test_a_value_that_is_not_a_number_is_a_dash(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    results = {"default": {"en": {"mrr": [None]}}}
    path.write_text(json.dumps({"system": "a", "test": "cwr", "runs": [{}], "results": results}))
    scores = Scores.load(path)
    assert scores.values("default", "en", "mrr") is None
    assert scores.reason("en").startswith("no value")


def panel_of(*columns: list[float | None], better: Any = "higher") -> Panel:
    rows = [
        Row(str(number), [Cell("b", "c", value=value) for value in values])
        for number, values in enumerate(zip(*columns, strict=True))
    ]
    return Panel([Column("c", better=better) for _ in columns], rows)


def test_best_rows_are_ties_as_printed() -> None:
    assert best_rows(panel_of([70.04, 70.01, 69.9]), 0) == {0, 1}
    assert best_rows(panel_of([0.3, 0.2, None], better="lower"), 0) == {1}
    assert best_rows(panel_of([70.0, None]), 0) == set()
    assert best_rows(panel_of([70.0, 71.0], better=""), 0) == set()


def test_quoted_rows_are_never_best() -> None:
    rows = [Row(str(v), [Cell("b", "c", value=v)], quoted=v == 99) for v in (1.0, 2.0, 99.0)]
    assert best_rows(Panel([Column("c", better="higher")], rows), 0) == {1}


def test_notes_shared_by_a_column_or_a_row_stand_once() -> None:
    def noted(*notes: str) -> Cell:
        return Cell("b", "c", notes=notes)

    panel = Panel(
        [Column("x"), Column("y")],
        [
            Row("a", [noted("gone"), noted()]),
            Row("b", [noted("gone", "odd"), noted("rare")]),
            Row("c", [noted("gone", "empty"), noted("empty")]),
        ],
    )
    notes = Footnotes(Table("t", "T", "paper", [panel]))
    assert notes.texts == ["gone", "odd", "rare", "empty"]
    assert notes.of_column(0, 0) == [1] and notes.of_column(0, 1) == []
    assert notes.of_row(0, 2) == [4]
    assert notes.of_cell(0, 1, 0) == [2] and notes.of_cell(0, 2, 0) == []


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_panels_keep_every_column_and_fit_a_page(widths: list[int]) -> None:
    blocks = [
        ([Column(f"{b}-{i}") for i in range(width)], [[Cell("", f"{b}-{i}") for i in range(width)]])
        for b, width in enumerate(widths)
    ]
    panels = pack_panels(blocks)
    labels = [column.label for columns, _ in panels for column in columns]
    assert labels == [column.label for columns, _ in blocks for column in columns]
    assert labels == [found.column for _, rows in panels for found in rows[0]]
    assert all(len(columns) <= max(MAXIMUM_PANEL_COLUMNS, *widths) for columns, _ in panels)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_the_measured_value_is_the_first_runs(runs: list[float]) -> None:
    found = measured_cell("b", "c", runs, 50.0)
    assert found.value == runs[0] and found.difference == runs[0] - 50.0
    assert (found.mean is None) == (len(runs) == 1)


def test_corpus_fixture_is_what_the_contract_says() -> None:
    assert set(json.loads(CORPUS.read_text())["languages"]) == set(config()["run"]["languages"])
