"""Reports of the corpus steps, brought together for Appendix A."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mluke_core.errors import DataError
from mluke_core.reporting.build import build_table
from mluke_core.reporting.corpus_statistics import corpus_statistics
from tests.reporting_world import DATA, settings
from workflow_scripts.corpus_statistics import main


def part(language: str, number: int, articles: int, words: str = "spaces") -> dict[str, Any]:
    return {
        "language": language,
        "part": number,
        "counts": {"articles": articles, "words": 10 * articles, "broken_pages": number},
        "word_unit": words,
        "links": {"kept": 5 * articles, "dropped": {"file": 1, f"only_{number}": 2}},
    }


def files(folder: Path) -> dict[str, Any]:
    def write(name: str, value: Any) -> Path:
        path = folder / name
        path.write_text(json.dumps(value))
        return path

    manifest = {"sequences": 8, "validation_sequences": 1, "tokens": 99, "entities": 7}
    return {
        "languages": ["ja", "en"],
        "extract": [
            write("en0.json", part("en", 0, 30)),
            write("en1.json", part("en", 1, 12)),
            write("ja0.json", part("ja", 0, 5, "characters")),
        ],
        "redirects": [
            write(f"r-{lang}.json", {"language": lang, "kept": n})
            for lang, n in (("en", 4), ("ja", 0))
        ],
        "entities": [
            write(f"e-{lang}.json", {"language": lang, "links_with_item": n, "entities": n // 2})
            for lang, n in (("en", 100), ("ja", 10))
        ],
        "vocabulary_report": write(
            "vocabulary.json",
            json.loads((DATA / "vocabulary.json").read_text())
            | {"languages": {"en": {"links_in_vocabulary": 80}}},
        ),
        "manifest": write(
            "manifest.json",
            {"alpha": 0.7, "languages": {"en": {**manifest, "share": 1.0, "weight": 1.0}}},
        ),
    }


def test_parts_are_summed_and_languages_keep_their_order(tmp_path: Path) -> None:
    statistics = corpus_statistics(**files(tmp_path))
    assert list(statistics["languages"]) == ["ja", "en"]
    assert statistics["languages"]["en"] == {
        "articles": 42,
        "redirects": 4,
        "broken_pages": 1,
        "words": 420,
        "links": 210,
        "links_with_item": 100,
        "linked_titles": 50,
        "links_in_vocabulary": 80,
        "sequences": 8,
        "validation_sequences": 1,
        "tokens": 99,
        "entities": 7,
        "share": 1.0,
        "weight": 1.0,
    }
    assert statistics["languages"]["ja"]["sequences"] == 0
    assert statistics["dropped_links"]["en"] == {"file": 2, "only_0": 2, "only_1": 2}
    assert statistics["vocabulary"]["size"] == 420
    assert "words of ja are counted as characters." in statistics["notes"]


def test_the_step_feeds_the_table(tmp_path: Path) -> None:
    given = files(tmp_path)
    output = tmp_path / "corpus.json"
    arguments = ["--settings", json.dumps({"languages": given["languages"]})]
    for option in ("extract", "redirects", "entities"):
        arguments += [f"--{option}", *map(str, given[option])]
    arguments += ["--vocabulary-report", str(given["vocabulary_report"])]
    arguments += ["--manifest", str(given["manifest"]), "--output", str(output)]
    assert main(arguments) == 0
    table = build_table(settings("tableA"), corpus=output)
    assert [row.label for row in table.panels[0].rows] == ["ja", "en", "total"]
    assert table.panels[0].rows[2].cells[0].value == 47


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f["extract"].pop(), "no report of the step `extract` for ja"),
        (lambda f: f["entities"].pop(0), "no report of the step `count_entities` for en"),
        (lambda f: f["redirects"][0].write_text("{}"), "not a report of `resolve_redirects`"),
        (lambda f: f["manifest"].write_text("[]"), "not a sequence manifest"),
    ],
)
def test_missing_and_damaged_reports_are_named(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object], message: str
) -> None:
    given = files(tmp_path)
    spoil(given)
    with pytest.raises(DataError, match=message):
        corpus_statistics(**given)
