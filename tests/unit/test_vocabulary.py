"""The entity vocabulary: thresholds, order, cuts, lists of items."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from mluke_core.alignment.build_vocabulary import (
    VocabularySettings,
    build_vocabulary,
    titles_in_vocabulary,
    vocabulary_size,
)
from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError, DataError
from mluke_core.reporting.vocabulary_table import vocabulary_table
from mluke_core.reporting.write import write_table_files
from tests.alignment_world import read_rows, write_entities, write_sitelinks

Rows = dict[str, list[tuple[str, int | None, int]]]

# item: en de fr ja -- 1 is linked everywhere, 2 and 3 in three languages, 4 in two, 5 in one
WORLD: Rows = {
    "en": [("One", 1, 10), ("Two", 2, 5), ("Four", 4, 90), ("None", None, 70), ("Five", 5, 99)],
    "de": [("Eins", 1, 1), ("Drei", 3, 4), ("Zwei", 2, 1)],
    "fr": [("Un", 1, 1), ("Trois", 3, 2), ("Quatre", 4, 1)],
    "ja": [("一", 1, 1), ("二", 2, 1), ("三", 3, 1)],
}


def build(
    folder: Path, world: Rows, more_titles: dict[str, dict[str, int]] | None = None, **settings: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    entities, sitelinks = {}, {}
    for language, rows in world.items():
        entities[language] = write_entities(folder / f"{language}.entities.parquet", rows)
        titles = {title: qid for title, qid, _ in rows if qid is not None}
        sitelinks[language] = write_sitelinks(
            folder / f"{language}.sitelinks.parquet",
            titles | (more_titles or {}).get(language, {}),
        )
    report = build_vocabulary(
        entities,
        sitelinks,
        VocabularySettings.from_mapping(settings),
        folder / "vocabulary.parquet",
        folder / "entity_vocab.json",
    )
    return read_rows(folder / "vocabulary.parquet"), report


def test_three_distinct_languages_most_links_first(tmp_path: Path) -> None:
    rows, report = build(tmp_path, WORLD)
    assert [row["titles"][0]["title"] for row in rows[:3]] == ["[PAD]", "[UNK]", "[MASK]"]
    assert [(row["qid"], row["count"], row["languages"]) for row in rows[3:]] == [
        (1, 13, 4),
        (2, 7, 3),  # as many links as item 3: the lower number comes first
        (3, 7, 3),
    ]
    assert [row["entity_id"] for row in rows] == list(range(6))
    assert report["size_by_minimum_languages"] == {"1": 5, "2": 4, "3": 3, "4": 1}
    assert report["languages"]["en"] == {
        "titles": 5,
        "links": 274,
        "links_in_vocabulary": 15,
        "share": 15 / 274,
    }
    assert (report["entities"], report["size"], report["titles"]) == (3, 6, 10)


def test_every_title_of_an_item_gets_its_id(tmp_path: Path) -> None:
    rows, _ = build(tmp_path, WORLD, {"fr": {"Deux": 2}})
    assert rows[4]["titles"] == [
        {"language": "de", "title": "Zwei"},
        {"language": "en", "title": "Two"},
        {"language": "fr", "title": "Deux"},
        {"language": "ja", "title": "二"},
    ]
    assert rows[4]["languages"] == 3  # in French it is not linked


def test_json_is_the_same_vocabulary(tmp_path: Path) -> None:
    rows, _ = build(tmp_path, WORLD, {"en": {'Quote " \\ tab\t': 3}, "de": {"Nul\0l": 3}})
    names = json.loads((tmp_path / "entity_vocab.json").read_text("utf-8"))
    assert names == {
        f"{entry['language']}:{entry['title']}" if entry["language"] else entry["title"]: row[
            "entity_id"
        ]
        for row in rows
        for entry in row["titles"]
    }
    vocabulary = EntityVocabulary.from_json(tmp_path / "entity_vocab.json")
    assert vocabulary.size == len(rows) == vocabulary_size(tmp_path / "vocabulary.parquet")
    assert vocabulary.id_of("三", "ja") == 5
    table = titles_in_vocabulary(tmp_path / "vocabulary.parquet", "ja")
    assert table.to_pydict() == {"title": ["一", "三", "二"], "entity_id": [3, 5, 4]}


def test_size_and_cut_per_language(tmp_path: Path) -> None:
    rows, _ = build(tmp_path, WORLD, size=2)
    assert [row["qid"] for row in rows[3:]] == [1, 2]
    # With one title per language only Drei, Trois, Five and 一 are looked at.
    rows, report = build(tmp_path, WORLD, per_language_limit=1, minimum_languages=2)
    assert [(row["qid"], row["count"], row["languages"]) for row in rows[3:]] == [(3, 6, 2)]
    # Links of titles behind the cut still lead into the vocabulary.
    assert report["languages"]["ja"]["links_in_vocabulary"] == 1
    rows, _ = build(tmp_path, WORLD, size=1000)
    assert len(rows) == 6


def test_lists_of_items(tmp_path: Path) -> None:
    more = {"en": {"Nine": 9}}
    rows, report = build(tmp_path, WORLD, more, include=["Q5", "q9", 77], exclude=["Q1"])
    assert [(row["qid"], row["count"]) for row in rows[3:]] == [(5, 99), (2, 7), (3, 7), (9, 0)]
    assert report["included_without_article"] == ["Q77"]
    rows, _ = build(tmp_path, WORLD, more, include=["Q9"], size=2)
    assert [row["qid"] for row in rows[3:]] == [1, 9]
    with pytest.raises(ConfigError, match="both name Q1"):
        build(tmp_path, WORLD, include=["Q1"], exclude=["Q1"])
    with pytest.raises(ConfigError, match="'Japan' is no Wikidata item; write it as Q42"):
        build(tmp_path, WORLD, include=["Japan"])


def test_nothing_passes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"vocabulary is empty.*5 of 4 languages.*'4': 1"):
        build(tmp_path, WORLD, minimum_languages=5)
    assert not (tmp_path / "vocabulary.parquet").exists()
    with pytest.raises(DataError, match="vocabulary is empty"):
        build(tmp_path, {"en": [], "de": []}, minimum_languages=1)
    with pytest.raises(ConfigError, match=r"vocabulary\.size is 0"):
        build(tmp_path, WORLD, size=0)


def test_report_as_a_table(tmp_path: Path) -> None:
    _, report = build(tmp_path, WORLD, include=["Q5"])
    paths = write_table_files(vocabulary_table(report, "mini"), tmp_path / "vocabulary")
    assert [path.suffix for path in paths] == [".csv", ".md", ".tex", ".html"]
    lines = [line.replace(" ", "") for line in paths[1].read_text("utf-8").splitlines()]
    assert "|en|5|274|114|41.6|" in lines and "|3|3|here|" in lines and "|4|1|–|" in lines
    assert "4 entities with 11 titles" in paths[1].read_text("utf-8")


def test_an_empty_language_is_no_obstacle(tmp_path: Path) -> None:
    rows, report = build(tmp_path, {**WORLD, "sw": []})
    assert len(rows) == 6
    assert report["languages"]["sw"] == {
        "titles": 0,
        "links": 0,
        "links_in_vocabulary": 0,
        "share": 0.0,
    }


def test_result_does_not_depend_on_the_order_of_rows_or_languages(tmp_path: Path) -> None:
    results = set()
    for seed, languages in enumerate(itertools.islice(itertools.permutations(WORLD), 6)):
        shuffled = {
            language: random.Random(seed).sample(WORLD[language], len(WORLD[language]))
            for language in languages
        }
        build(tmp_path, shuffled)
        results.add(
            (tmp_path / "vocabulary.parquet").read_bytes()
            + (tmp_path / "entity_vocab.json").read_bytes()
        )
    assert len(results) == 1


def test_files_of_another_kind_are_named(tmp_path: Path) -> None:
    path = write_sitelinks(tmp_path / "s.parquet", {"A": 1})
    with pytest.raises(DataError, match="no column entity_id, titles"):
        titles_in_vocabulary(path, "en")
