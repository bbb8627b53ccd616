"""What is done otherwise than in the paper stands under the tables that it touches."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from mluke_core import config_notes
from mluke_core.config import load_config
from mluke_core.errors import ConfigError
from mluke_core.reporting import plan
from mluke_core.reporting.build import build_table
from mluke_core.reporting.latex_format import escape
from mluke_core.reporting.write import WRITERS
from tests.reporting_world import CORPUS, ROOT, SCORES, SELECTIONS, build, config, settings

TABLES = list(config()["tables"])
MUST_HAVE = [
    name
    for name, entry in config()["tables"].items()
    if entry["kind"] in ("scores", "gxlt", "language_bias")
]
QA, MLAMA = ("table1", "tableF"), ("table5", "table6", "tableG")
# Topic of docs/protocol.md -> tables, and words of the note that names it there.
DEVIATIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "corpus": (("tableA",), "Letters around a link"),
    "dropped links": (("tableA",), "by their local names"),
    "entity vocabulary": (("tableA",), "cut to its most linked titles"),
    "entity position": (tuple(MUST_HAVE), "mean over its mention's positions"),
    "language sampling": (("tableA",), "by their number of training sequences"),
    "precision": (tuple(MUST_HAVE), "Number format of pretraining"),
    "extra training baseline": (("table1", "table3", *MLAMA), "steps of the extra training"),
    "fine-tuning grid": (("table1", "table3", "tableB", "tableF"), "search space"),
    "G-XLT average": (QA, "does not say"),
    "QA entities": (QA, "mention table of the language"),
    "QA windows of one question": (QA, "no answer in this window"),
    "QA without an answer": (QA, "an empty one competes"),
    "ambiguous mentions": (QA, "dropped as ambiguous"),
    "NER entity feature": (("table3",), "token+entity"),
    "NER gold mentions over 16 subwords": (("table3",), "longer than the limit"),
    "bias of the relation and entity heads": (("table3",), "frequencies of the labels"),
    "CWR span vector of mLUKE-E": (("table2",), "one [MASK] entity over it"),
    "CWR context": (("table2",), "without the question"),
    "CWR ties": (("table2",), "expected reciprocal rank"),
    "modularity neighbours k": (("table4",), "number of neighbours"),
    "mLAMA accuracy": (("table5", "tableG"), "whatever the number of its triples"),
    "mLAMA candidate to entity": (MLAMA, "capital first letter"),
    "several gold objects": (MLAMA, "Any object of a question"),
}
# Nothing that the paper does otherwise: orders, and what is as published.
AS_PUBLISHED = {"vocabulary order", "`[MASK2]`", "steps", "reported run"}


def topics() -> list[str]:
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [row.split("|")[1].strip() for row in rows[1:]]


def test_every_row_of_the_protocol_is_under_a_table_or_as_published() -> None:
    assert set(topics()) == set(DEVIATIONS) | AS_PUBLISHED
    assert len(topics()) == len(set(topics()))


@pytest.mark.parametrize("topic", DEVIATIONS)
def test_a_deviation_is_under_its_tables(topic: str) -> None:
    tables, words = DEVIATIONS[topic]
    for table in tables:
        assert any(words in note for note in build(table).notes), table


@pytest.mark.parametrize("name", MUST_HAVE)
def test_tables_of_scores_say_what_differs(name: str) -> None:
    assert config()["tables"][name]["notes"]


@pytest.mark.parametrize("name", TABLES)
def test_every_note_names_a_key_or_the_file_that_decides(name: str) -> None:
    for note in config()["tables"][name].get("notes", []):
        fixed = re.findall(r"fixed: (mluke_core/\S+\.py)", note)
        named = re.findall(r"\((tables\.\w+\.blocks):", note)
        for key in named:
            config_notes.setting(config(), key)
        assert fixed or named or config_notes.quoted_keys(note), note
        assert all((ROOT / path).exists() for path in fixed), note


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("name", TABLES)
def test_notes_are_in_every_format(name: str, suffix: str) -> None:
    text = WRITERS[suffix](build(name))
    if suffix == "html":
        text = html.unescape(text)
    if suffix == "md":
        text = text.replace("\\", "")
    for note in plan.table_notes(config(), name):
        assert (escape(note) if suffix == "tex" else note) in text, note


def test_a_note_has_the_values_of_the_run() -> None:
    changed = load_config(ROOT / "config.yaml", {"probes": {"modularity": {"neighbours": 5}}})
    assert any("neighbours: 5;" in note for note in plan.table_notes(changed, "table4"))
    assert any("neighbours: 3;" in note for note in plan.table_notes(config(), "table4"))


def test_notes_are_no_part_of_what_is_computed() -> None:
    entry: dict[str, Any] = plan.table_layout(config(), "table1")
    assert "notes" not in entry and entry["blocks"]
    bare = {key: value for key, value in settings("table1").items() if key != "notes"}
    one, other = build_table(bare, SCORES, SELECTIONS, CORPUS), build("table1")
    assert one.panels == other.panels
    assert [*one.notes, *plan.table_notes(config(), "table1")] == other.notes


def test_a_note_that_quotes_no_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tables\.table4\.notes\.0: there is no key 'probes\.k'"):
        load_config(ROOT / "config.yaml", {"tables": {"table4": {"notes": ["k ({probes.k})"]}}})
