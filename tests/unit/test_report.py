"""The report page: what stands in it, that nothing in the data becomes markup, and comparisons."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

from mluke_core.errors import DataError
from mluke_core.io.files import write_json
from mluke_core.io.parquet import stage_metadata, write_table
from mluke_core.reporting.__main__ import main as reporting_main
from mluke_core.reporting.compare import compare_runs
from mluke_core.reporting.page.examples import OUTCOMES, choose, examples_of, pair_of
from mluke_core.reporting.page.facts import coverage_rows, short_facts
from mluke_core.reporting.page.matrices import (
    class_matrices,
    confusion_matrices,
    matching_matrices,
    relation_matrices,
)
from mluke_core.reporting.page.measures import measure_tables
from mluke_core.reporting.page.mentions import mention_marks
from mluke_core.reporting.page.page import gains, report_page
from mluke_core.reporting.page.svg import read_figure
from mluke_core.reporting.run_folder import RunFolder
from tests.run_world import ENTITIES, HOSTILE, RUN_TABLES, WORDS, build_run
from workflow_scripts.report import main as report_main

WITHIN = "CoNLL, gold within the limit"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return report_page(RunFolder(folder))


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_every_part_is_there_and_every_link_has_a_target(page: str, folder: Path) -> None:
    tags = Tags(page).seen
    ids = [a["id"] for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert set(RUN_TABLES) < set(ids)
    for tag, attributes in tags:
        target = attributes.get("href") or ""
        if tag == "a" and target.startswith("#"):
            assert target[1:] in ids
        elif tag == "a" and target.startswith("tables/"):
            assert (folder / target).exists()
        elif tag == "a":
            assert target in ("provenance.json", "ro-crate-metadata.json")


def test_nothing_is_loaded_and_no_text_becomes_markup(page: str) -> None:
    tags = Tags(page).seen
    assert [tag for tag, _ in tags].count("script") == 2
    assert not {"img", "iframe", "object"} & {tag for tag, _ in tags}
    for _, attributes in tags:
        assert not attributes.get("src")
        assert not [name for name in attributes if name.startswith("on")]
    assert HOSTILE not in page
    assert "&lt;script&gt;document.title" in page
    assert "url(http" not in page and "@import" not in page


def test_the_same_run_gives_the_same_page(page: str, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    assert report_main(["--results", str(folder), "--output", str(output)]) == 0
    assert output.read_text(encoding="utf-8") == page


def test_a_folder_that_is_no_run_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = report_main(["--results", str(tmp_path), "--output", str(tmp_path / "x.html")])
    assert status == 1 and "no finished run" in capsys.readouterr().err
    (tmp_path / "provenance.json").write_text('{"scale": "mini"}')
    with pytest.raises(DataError, match="it lacks commit"):
        RunFolder(tmp_path)


def test_entities_are_set_against_words(folder: Path) -> None:
    run = RunFolder(folder)
    found = {gain.block: gain for gain in gains(run, {n: run.table(n) for n in run.tables})}
    questions = {"XQuAD", "MLQA", "G-XLT"}
    assert set(found) == questions | {"MRR", "RELX", "CoNLL", WITHIN, "Top-1 [Y]", "Top-1 [X]&[Y]"}
    contrast = found["XQuAD"].contrast
    assert contrast is not None and contrast.p < 0.01 and contrast.difference > 30
    assert found["XQuAD"].published == "+0.6"


def test_the_tables_carry_the_marks(folder: Path) -> None:
    cell = next(
        cell
        for row in RunFolder(folder).table("table1").panels[0].rows
        for cell in row.cells
        if (row.system, cell.column) == (ENTITIES, "avg")
    )
    assert cell.contrast is not None and cell.contrast.mark == "‡"
    assert cell.contrast.baseline == WORDS
    assert "‡" in (folder / "tables" / "table1.md").read_text()
    assert r"\ddagger" in (folder / "tables" / "table1.tex").read_text()


def test_examples_of_every_outcome(folder: Path) -> None:
    run = RunFolder(folder)
    pair = pair_of(run)
    assert pair is not None and (pair.first, pair.second) == (WORDS, ENTITIES)
    examples = examples_of(run, pair)
    assert {example.test for example in examples} == {"xquad", "mlqa", "relx", "conll", "mlama"}
    for example in examples:
        rights = [line.right for line in example.lines if line.right is not None]
        assert len(rights) == 2
        both = {(True, True): 0, (False, True): 1, (True, False): 2, (False, False): 3}
        assert OUTCOMES[both[rights[0], rights[1]]] == example.outcome
    relation = next(example for example in examples if example.test == "relx")
    assert [piece.kinds for piece in relation.text if piece.kinds] == ["head", "tail"]
    question = next(example for example in examples if example.test == "xquad")
    assert any("gold" in piece.kinds for piece in question.text)


def test_questions_show_the_entities_that_were_read(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    model = run.path / "pretrained" / run.systems[ENTITIES]["model"]
    names = ["[PAD]", "[UNK]", "[MASK]", "en:Germany", "en:Berlin"]
    write_json(model / "entity_vocab.json", {name: number for number, name in enumerate(names)})
    columns = {
        "title_language": ["en", "en"],
        "article": ["Berlin", "Berlin"],
        "language": ["en", "en"],
        "mention": ["germany", "a city"],
        "title": ["Germany", "Berlin"],
        "entity_id": pa.array([3, 4], pa.int32()),
        "link_probability": [0.5, 0.5],
    }
    articles = run.path / "mentions" / "articles.parquet"
    write_table(articles, pa.table(columns), stage_metadata("article_mentions", {}))
    pair = pair_of(run)
    assert pair is not None
    question = next(e for e in examples_of(run, pair) if (e.test, e.column) == ("xquad", "en"))
    marked = {p.text: (p.kinds, p.label) for p in question.text if "entity" in p.kinds}
    assert marked["a city"] == ("entity", "Berlin")
    assert "gold" in marked["Germany"][0] and "Germany" not in marked["Germany"][1]
    assert mention_marks(run, WORDS)("Germany", "en", "Berlin", "en") == []


def test_examples_are_chosen_by_their_ids_alone() -> None:
    outcomes = {str(i): OUTCOMES[i % 4] for i in range(40)}
    chosen = choose(outcomes, "relx/en")
    assert chosen == choose(dict(reversed(outcomes.items())), "relx/en")
    assert [outcome for _, outcome in chosen] == [o for o in OUTCOMES for _ in range(2)]
    assert chosen != choose(outcomes, "relx/de")


def test_matrices(folder: Path) -> None:
    run = RunFolder(folder)
    relations = relation_matrices(run)
    assert {m["system"] for m in relations} == {
        "mLUKE-W mini",
        "mLUKE-E mini ([Y])",
        "mLUKE-E mini ([X]&[Y])",
    }
    assert relations[0]["hints"] == ["[X] was founded in [Y] ."]
    conll = next(m for m in confusion_matrices(run) if m["view"] == "conll nl")
    for row, cells in zip(conll["rows"], conll["cells"], strict=True):
        shares = [cell[0] for cell in cells if cell]
        assert not shares or sum(shares) == pytest.approx(100)
        counts = {name: cell[1] for name, cell in zip(conll["columns"], cells, strict=True) if cell}
        if row == "LOC":
            assert sum(counts.values()) == 12
    # A wrong answer finds the place as a person and misses the person.
    assert conll["columns"][-1] == "(not found)"


def test_every_measure_is_on_the_page(folder: Path) -> None:
    run = RunFolder(folder)
    found = {table.test: table for table in measure_tables(run)}
    assert set(found) == set(run.tests)
    for test, table in found.items():
        scores = run.scores(ENTITIES, test)
        assert scores is not None
        metrics = {m for columns in scores.results.values() for c in columns.values() for m in c}
        width = len(metrics) * (2 if test == "gxlt" else 1)
        assert len(table.columns) == width, test
        assert all(len(cells) == width for _, cells in table.rows)
        assert sum(number for _, number in table.groups) in (0, width)
    relx, scores = found["relx"], run.scores(ENTITIES, "relx")
    assert scores is not None
    cells = dict(relx.rows)["mLUKE-E mini"]
    values = [scores.results["default"][column]["micro_f1"][0] or 0.0 for column in ("en", "de")]
    assert cells[relx.columns.index("micro F1")][0] == pytest.approx(sum(values) / 2)
    pairs, averages = dict(found["gxlt"].rows)["mLUKE-E mini"], run.scores(ENTITIES, "gxlt")
    assert averages is not None
    assert found["gxlt"].columns == ["F1", "exact match"] * 2
    shown = [averages.results["default"][a][m][0] for a in ("avg42", "avg49") for m in ("f1", "em")]
    assert [value for value, _ in pairs] == shown
    cloze = found["mlama"]
    assert cloze.columns[:6] == ["P@1", "P@1 by triple", "P@1 macro", "P@5", "P@10", "MRR"]
    assert [width for _, width in cloze.groups] == [6, 6] and len(cloze.rows) == 3


def test_classes_and_matching(folder: Path) -> None:
    run = RunFolder(folder)
    relx = next(m for m in class_matrices(run) if m["view"] == "relx")
    scores = run.scores(WORDS, "relx")
    assert scores is not None and relx["system"] == "mLUKE-W mini"
    for row, name in zip(relx["cells"], relx["rows"], strict=True):
        for cell, column in zip(row, relx["columns"], strict=True):
            entry = scores.details[column]["relations"][name]
            assert cell == (entry["f1"], entry["gold"])
    views = [(m["system"], m["view"]) for m in matching_matrices(run)]
    assert [view for _, view in views] == [
        "candidates, in the run's entity vocabulary",
        "candidates, in the run's entity vocabulary",
        "subjects, in the model's own vocabulary",
    ]
    assert matching_matrices(run)[-1]["cells"] == [[(100.0, 4), None, None]]


def test_coverage_says_where_mentions_came_from(folder: Path) -> None:
    run = RunFolder(folder)
    rows = {row["test"]: dict(row["columns"]) for row in coverage_rows(run)}
    assert rows["xquad"]["en"] == "50 % · 1.5 · 25 % by article, 75 % by dictionary"
    assert rows["relx"]["en"] == "50 % · 1.5"
    note = "en: 6 texts by article, 18 by dictionary"
    assert any(note in text for text in run.table("table1").notes)


def test_facts_say_what_could_not_be_measured(folder: Path) -> None:
    facts = {name: (value, remark) for name, value, remark in short_facts(RunFolder(folder))}
    assert facts["Energy"] == ("not measured", "no counter")
    assert facts["Disk"][0].endswith(("kB", "MB"))


def test_a_figure_is_cleaned(folder: Path, tmp_path: Path) -> None:
    figure = read_figure(folder / "figures/comparison/table3.svg", "comparison/table3")
    assert figure.title.startswith("Table 3: measured is")
    assert "var(--figure-0, #0072b2)" in figure.drawing
    ids = re.findall(r' id="([^"]+)"', figure.drawing)
    assert ids and all(name.startswith("comparison-table3-") for name in ids)
    assert "figure-title" not in figure.drawing


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        '<path onclick="alert(1)" d="M0 0"/>',
        '<use href="https://example.org/x.svg#a"/>',
        '<image href="https://example.org/x.png"/>',
        "<foreignObject/>",
    ],
)
def test_a_figure_with_anything_else_is_refused(tmp_path: Path, inner: str) -> None:
    path = tmp_path / "x.svg"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{inner}</svg>')
    with pytest.raises(DataError, match="has no place in a figure"):
        read_figure(path, "x")


def test_entities_of_a_figure_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden words")
    path = tmp_path / "x.svg"
    path.write_text(
        f'<!DOCTYPE svg [<!ENTITY e SYSTEM "{secret}">]>'
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text>&e;</text></svg>'
    )
    try:
        assert "hidden words" not in read_figure(path, "x").drawing
    except DataError as error:
        assert "hidden words" not in str(error)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_run(tmp_path_factory.mktemp("other"), (0.3, 0.2), figures=False)
    provenance = json.loads((folder / "provenance.json").read_text())
    provenance["configuration"]["values"]["tasks"]["relation"]["epochs"] = 7
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


def test_a_run_does_not_differ_from_itself(folder: Path) -> None:
    comparison = compare_runs(RunFolder(folder), RunFolder(folder))
    assert not comparison.moves and comparison.equal > 100


def test_moved_cells_are_tested(folder: Path, other: Path) -> None:
    comparison = compare_runs(RunFolder(folder), RunFolder(other), draws=500)
    moves = {(m.table, m.system, m.variant, m.column): m for m in comparison.moves}
    # The seed is the same, so words answer as before.
    assert not [key for key in moves if key[1] == WORDS]
    relx = next(m for m in comparison.moves if m.block == "RELX" and m.column == "avg")
    assert relx.tested is not None
    assert relx.tested.difference == pytest.approx(relx.difference, abs=1e-5)
    assert relx.difference < 0 and relx.mark
    counts = moves["table6", ENTITIES, "[Y]", "en:total_false"]
    assert counts.tested is None


def test_the_command_prints_a_table_and_writes_a_page(
    folder: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "moved.html"
    arguments = ["compare", str(folder), str(other), "--html", str(output), "--samples", "200"]
    assert reporting_main(arguments) == 0
    text = capsys.readouterr().out
    assert "tasks.relation.epochs: 5 -> 7" in text or "tasks.relation.epochs: 4 -> 7" in text
    assert re.search(r"\| table1 +\| XQuAD +\| mluke-e-mini +\| avg ", text)
    assert "differ at p < 0.05" in text
    tags = Tags(output.read_text(encoding="utf-8")).seen
    assert [tag for tag, _ in tags].count("script") == 1
    assert any(a.get("aria-sort") for _, a in tags)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--systems", "bert=mluke-e-mini"], "has no system 'bert'"),
        (["--tables", "table9"], "'table9' is no table of both runs"),
    ],
)
def test_names_that_are_not_there(
    folder: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reporting_main(["compare", str(folder), str(folder), *more]) == 1
    assert message in capsys.readouterr().err


def test_systems_of_other_names_are_matched(folder: Path, other: Path) -> None:
    run = RunFolder(other)
    comparison = compare_runs(RunFolder(folder), run, {WORDS: ENTITIES}, ["table1"], draws=200)
    assert {move.system for move in comparison.moves} >= {WORDS}
