"""Figures: what their titles say, what they refuse, and that they are the same when redrawn."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mluke_core.errors import DataError, MlukeError
from mluke_core.io.features import read_features, write_features
from mluke_core.reporting.csv_format import to_csv
from mluke_core.reporting.figures.comparison import (
    Dot,
    comparison_finding,
    only_measure,
    read_dots,
)
from mluke_core.reporting.figures.draw import FIGURES, draw_figure
from mluke_core.reporting.figures.finetuning import Run, finetuning_finding, read_run
from mluke_core.reporting.figures.languages import corpus_finding
from mluke_core.reporting.figures.loss import Stage, finding, read_stage
from mluke_core.reporting.figures.pairs import ON_DARK, ON_LIGHT, pair_matrix, pairs_finding
from mluke_core.reporting.figures.projection import (
    components,
    language_share,
    projection_finding,
)
from mluke_core.reporting.figures.resources import resources_finding
from mluke_core.reporting.figures.style import duration, memory, short_number
from mluke_core.reporting.figures.sweep import sweep_finding
from mluke_core.reporting.figures.vocabulary import vocabulary_finding
from mluke_core.reporting.page.svg import read_figure
from mluke_core.reporting.resources import read_benchmarks, summarise
from tests.reporting_world import DATA, build, config, systems

STAGES = [DATA / "pretraining/mluke-mini" / stage for stage in ("stage1", "stage2")]


def write_vectors(path: Path, apart: float) -> None:
    """Vectors of two languages whose centres are ``apart`` in one dimension."""
    generator = np.random.default_rng(0)
    ids = np.array([f"q{i}" for i in range(200)])
    arrays = {}
    for number, language in enumerate(("en", "de")):
        vectors = generator.normal(size=(200, 5)).astype(np.float32)
        vectors[:, 2] += number * apart
        arrays |= {f"{language}_ids": ids, f"{language}_vectors": vectors}
    write_features(path, arrays)


@pytest.fixture(scope="module")
def inputs(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[list[Path], dict[str, Any]]]:
    """Per kind of figure: its input files and settings beside the scale."""
    folder = tmp_path_factory.mktemp("inputs")
    resources = folder / "resources.json"
    resources.write_text(json.dumps(summarise(read_benchmarks(DATA / "benchmarks"))))
    table = folder / "table3.csv"
    table.write_text(to_csv(build("table3")), encoding="utf-8")
    pairs = folder / "tableF.csv"
    pairs.write_text(to_csv(build("tableF")), encoding="utf-8")
    results = sorted(DATA.glob("finetuned/*/relation/*/result.json"))
    pair = ["mluke-w-mini", "mluke-e-mini"]
    vectors = [folder / f"{system}.npz" for system in pair]
    for number, path in enumerate(vectors):
        write_vectors(path, number)
    sweeps = [folder / f"{system}.json" for system in pair]
    for number, (system, path) in enumerate(zip(pair, sweeps, strict=True)):
        measures = {f"modularity_k{k}": [0.5 / k + 0.1 * number] for k in (3, 10)}
        scores = {"system": system, "test": "modularity", "runs": [{"run": "pretrained"}]}
        path.write_text(json.dumps({**scores, "results": {"default": {"de": measures}}}))
    return {
        "projection": (vectors, {"probe": "cwr", "systems": systems(), "order": pair}),
        "sweep": (sweeps, {"systems": systems()}),
        "loss": (STAGES, {}),
        "corpus": ([DATA / "corpus.json"], {}),
        "sampling": ([DATA / "manifest.json"], {}),
        "vocabulary": ([DATA / "vocabulary.json"], {}),
        "resources": ([resources], {}),
        "finetuning": (
            results,
            {
                "task": "relation",
                "metric": "macro_f1",
                "systems": systems(),
                "order": list(systems()),
            },
        ),
        "comparison": (
            [table],
            {"title": config()["tables"]["table3"]["title"], "systems": systems()},
        ),
        "pairs": (
            [pairs],
            {"title": config()["tables"]["tableF"]["title"], "systems": systems()},
        ),
    }


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_is_the_same_when_redrawn(
    kind: str, inputs: dict[str, tuple[list[Path], dict[str, Any]]], tmp_path: Path
) -> None:
    files, settings = inputs[kind]
    for name in ("a", "b"):
        draw_figure(kind, files, {"scale": "mini", **settings}, tmp_path / f"{name}.svg")
    first = (tmp_path / "a.svg").read_bytes()
    assert first == (tmp_path / "b.svg").read_bytes()
    root = ElementTree.fromstring(first)
    assert root.tag.endswith("svg") and len(list(root.iter())) > 50
    assert read_figure(tmp_path / "a.svg", kind).drawing, "the report takes it"
    assert b"dc:date" not in first


def test_small_scales_are_watermarked(tmp_path: Path) -> None:
    sizes = {}
    for scale in ("mini", "paper"):
        draw_figure("sampling", [DATA / "manifest.json"], {"scale": scale}, tmp_path / scale)
        sizes[scale] = (tmp_path / scale).stat().st_size
    assert sizes["paper"] < sizes["mini"]


def test_an_unknown_figure_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no figure 'pie'; there are loss, corpus"):
        draw_figure("pie", [], {"scale": "mini"}, tmp_path / "x.svg")


def test_a_missing_file_and_a_missing_setting_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json: no such file"):
        draw_figure("corpus", [tmp_path / "gone.json"], {"scale": "mini"}, tmp_path / "x.svg")
    with pytest.raises(MlukeError, match="also needs scale"):
        draw_figure("corpus", [DATA / "corpus.json"], {}, tmp_path / "x.svg")
    assert list(tmp_path.iterdir()) == []


def test_loss_reads_train_and_validation_of_all_languages_together() -> None:
    stage = read_stage(STAGES[1])
    assert (stage.model, stage.name) == ("mluke-mini", "stage2")
    assert [step for step, _ in stage.curves["validation", "mlm_loss"]] == list(range(50, 301, 50))
    assert len(stage.curves["train", "mep_loss"]) == 30
    assert stage.unigram["mlm_loss"] == 7.1
    assert len(stage.curves["train", "mep_accuracy"]) == 30


def test_loss_averages_languages_when_the_log_has_no_total(tmp_path: Path) -> None:
    lines = [
        {"step": 10, "split": "validation", "mlm_loss": loss, "language": language}
        for language, loss in (("en", 2.0), ("ja", 4.0))
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    (tmp_path / "summary.json").write_text('{"model": "m", "stage": "s"}')
    stage = read_stage(tmp_path)
    assert stage.curves == {("validation", "mlm_loss"): [(10, 3.0)]}
    assert stage.unigram == {}


def test_a_damaged_log_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"model": "m", "stage": "s"}')
    (tmp_path / "log.jsonl").write_text('{"step": 1, "split": "train"}\n{"step": 2')
    with pytest.raises(DataError, match=r"log.jsonl, line 2: not an entry of a training log"):
        read_stage(tmp_path)


def test_the_title_of_the_loss_compares_with_guessing() -> None:
    curves = {("validation", "mlm_loss"): [(1, 8.0), (2, 6.5)]}
    assert finding([Stage("m", "s", curves, {"mlm_loss": 7.0})]) == (
        "m: validation MLM loss goes from 8.00 to 6.50, 0.50 below the unigram baseline"
    )
    assert finding([Stage("m", "s", curves, {"mlm_loss": 6.0})]).endswith(
        "0.50 above the unigram baseline"
    )
    assert finding([Stage("m", "s", {}, {})]) == "m: training loss"


def test_the_title_of_the_corpus_names_the_largest_and_smallest() -> None:
    corpus = {"languages": {"en": {"tokens": 900}, "sw": {"tokens": 100}}}
    assert corpus_finding(corpus, ["en", "sw"], "tokens", 1000) == (
        "en has 90 % of all 1.0 k tokens; sw, the smallest of 2 languages, 10.0 %"
    )


def test_the_title_of_fine_tuning_counts_systems_that_only_guess() -> None:
    entries = {"a": {"label": "A"}, "b": {"label": "B"}}

    def run(system: str, dev: float) -> Run:
        return Run(system, "r", dev, [], [], 20.0)

    title = finetuning_finding("ner", "f1", entries, {"a": run("a", 30.0), "b": run("b", 25.0)})
    assert title == "NER: A leads on dev (30.0 f1); all are at least 5.0 above guessing"
    title = finetuning_finding("ner", "f1", entries, {"a": run("a", 30.0), "b": run("b", 20.0)})
    assert title.endswith("1 of 2 systems do not beat guessing")


def test_a_result_without_the_metric_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"system": "a", "run": "r", "dev": {"f1": 1}, "history": []}')
    with pytest.raises(DataError, match="lacks macro_f1"):
        read_run(path, "macro_f1")
    assert read_run(path, "f1").dev_curve == [(0, 1.0)]


def test_dots_are_the_measured_rows_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "table3.csv"
    path.write_text(to_csv(build("table3")), encoding="utf-8")
    dots = read_dots(path)
    assert len(dots) == 4 * (6 + 5 + 5)
    assert {dot.row[0] for dot in dots} == set(systems())
    title = comparison_finding("Table 3: x", dots)
    differences = [dot.difference for dot in dots if dot.difference is not None]
    assert (
        len(differences) == 4 * (6 + 3 + 3) and "(48 cells" in title and "below the paper" in title
    )
    assert comparison_finding("Table 3: x", [dot for dot in dots if dot.column == "zz"]) == (
        "Table 3: nothing was measured in this run"
    )


def test_one_measure_of_a_table_with_several(tmp_path: Path) -> None:
    path = tmp_path / "table6.csv"
    path.write_text(to_csv(build("table6")), encoding="utf-8")
    shares = only_measure(read_dots(path), "ratio_percent")
    assert {dot.column for dot in shares} == set(config()["tables"]["table6"]["languages"])
    assert {dot.block for dot in shares} == {"ratio_percent"}
    assert all(dot.measured is None or 0 < dot.measured <= 100 for dot in shares)


def test_pairs_of_languages_become_a_matrix_of_contexts_and_questions() -> None:
    def dot(pair: str, f1: float | None) -> Dot:
        return Dot("G-XLT", ("a", "default"), pair, f1, None, None, None, None)

    dots = [dot("avg42", 5.0), dot("en-en", 8.0), dot("en-de", 6.0), dot("de-en", 5.0)]
    languages, matrix_CQ = pair_matrix([*dots, dot("de-de", None)])
    assert languages == ["en", "de"]
    np.testing.assert_array_equal(matrix_CQ, [[8.0, 6.0], [5.0, np.nan]])
    assert pairs_finding("Appendix F: x", {"a": (languages, matrix_CQ)}) == (
        "Appendix F: with a question in another language than its context, F1 is 2.5 lower "
        "(mean of 1 systems)"
    )
    assert "no pair" in pairs_finding("Appendix F: x", {"a": (["en"], np.array([[8.0]]))})


def test_numbers_in_cells_keep_their_colours_on_the_page(
    inputs: dict[str, tuple[list[Path], dict[str, Any]]], tmp_path: Path
) -> None:
    files, settings = inputs["pairs"]
    draw_figure("pairs", files, {"scale": "mini", **settings}, tmp_path / "a.svg")
    drawing = read_figure(tmp_path / "a.svg", "pairs").drawing
    for colour in (ON_LIGHT, ON_DARK):
        assert f"fill: {colour}" in drawing and f", {colour})" not in drawing


def test_another_csv_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="not a table in csv"):
        read_dots(path)


def test_the_title_of_resources_names_the_longest_and_largest() -> None:
    summary = summarise(read_benchmarks(DATA / "benchmarks"))
    assert resources_finding(summary) == (
        "finetune takes 43 % of 7 min of job time; the largest job needs 987 MB (pretrain)"
    )
    assert resources_finding(summarise([])).startswith("No job of this run was measured")


def test_the_title_of_the_vocabulary_names_the_extremes() -> None:
    report = json.loads((DATA / "vocabulary.json").read_text())
    assert vocabulary_finding(report) == (
        "417 entities of at least 3 languages take in 80 % (ar) to 96 % (zh) of the links"
    )


def test_another_report_is_no_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_text('{"entities": 3}')
    with pytest.raises(DataError, match="not a report of `build_vocabulary`: it lacks minimum"):
        draw_figure("vocabulary", [path], {"scale": "mini"}, tmp_path / "x.svg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (short_number(0), "0"),
        (short_number(12.34), "12.3"),
        (short_number(2_500_000), "2.5 M"),
        (duration(59), "59 s"),
        (duration(3_599), "60 min"),
        (duration(7_200), "2.0 h"),
        (memory(1_536), "1.5 GB"),
        (memory(219), "219 MB"),
    ],
)
def test_numbers_on_figures_are_short(text: str, expected: str) -> None:
    assert text == expected


def test_components_are_those_of_scikit_learn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = np.random.default_rng(2).normal(size=(60, 7)) * np.arange(1, 8)
    points, shares = components(vectors)
    peer = decomposition.PCA(2)
    expected = peer.fit_transform(vectors)
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(shares, peer.explained_variance_ratio_)


def test_share_of_variance_between_languages(tmp_path: Path) -> None:
    shares = []
    for apart in (0.0, 2.0, 200.0):
        write_vectors(tmp_path / "x.npz", apart)
        shares.append(language_share(read_features(tmp_path / "x.npz")))
    # Unit variance in five dimensions, centres two apart: 1 of 6 lies between.
    assert shares[0] < 0.02 and shares[1] == pytest.approx(1 / 6, abs=0.03) and shares[2] > 0.99


def test_the_title_of_a_projection_names_both_ends() -> None:
    labels = {"w": {"label": "mLUKE-W"}, "e": {"label": "mLUKE-E"}}
    assert projection_finding("modularity", {"w": 42.0, "e": 10.0}, labels) == (
        "Vectors of mention pairs: language explains 10 % of the variance in mLUKE-E, 42 % in "
        "mLUKE-W"
    )


def test_the_title_of_a_sweep_counts_all_choices() -> None:
    labels = {"w": {"label": "mLUKE-W"}, "e": {"label": "mLUKE-E"}}
    curves = {"w": {"de": {3: 0.5, 10: 0.1}}, "e": {"de": {3: 0.4, 10: 0.3}, "tr": {3: 0.2}}}
    assert sweep_finding(curves, labels).startswith("Modularity is lowest in mLUKE-E for 2 of 3 ")


def test_a_score_file_without_a_sweep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(
        '{"system": "e", "test": "modularity", "runs": [{}], "results": {"default": {"de": {}}}}'
    )
    with pytest.raises(DataError, match="no modularity for several"):
        draw_figure("sweep", [path], {"scale": "mini", "systems": {}}, tmp_path / "x.svg")


def test_the_title_stands_in_the_file_as_text(
    inputs: dict[str, tuple[list[Path], dict[str, Any]]], tmp_path: Path
) -> None:
    paths, settings = inputs["projection"]
    draw_figure("projection", paths, {"scale": "mini", **settings}, tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert "<dc:title>Vectors of answer spans: language explains" in text
    assert 'id="figure-title"' in text
