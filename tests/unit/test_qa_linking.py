"""Entities of questions and contexts from mention tables."""

from pathlib import Path

import pyarrow as pa
import pytest

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError
from mluke_core.io.parquet import stage_metadata, write_table
from mluke_core.tasks.linking import MentionLinker
from mluke_core.tasks.mention_sources import describe_sources
from tests.task_world import entity_vocabulary

ROME = entity_vocabulary()["de:Rom"]


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, dict[str, Path]]:
    articles = pa.table(
        {
            "title_language": ["en", "en", "en"],
            "article": ["Some people", "Some people", "Other"],
            "language": ["en", "en", "de"],
            "mention": ["the city", "ada", "die stadt"],
            "title": ["Rome", "Nobody", "Rom"],
            # Ids of the run's own vocabulary, which a released model does not share.
            "entity_id": pa.array([77, 78, 77], pa.int32()),
            "link_probability": [0.5, 0.5, 0.5],
        }
    )
    write_table(tmp_path / "articles.parquet", articles, stage_metadata("article_mentions", {}))
    german = pa.table(
        {
            "mention": ["rom", "paris", "paris", "selten"],
            "title": ["Rom", "Paris", "Paris (Texas)", "Oslo"],
            "entity_id": pa.array([77, 79, None, 80], pa.int32()),
            "linked": [10, 4, 5, 1],
            "occurring": [20, 20, 20, 1000],
        }
    )
    write_table(tmp_path / "de.parquet", german, stage_metadata("count_mentions", {}, "de"))
    return tmp_path / "articles.parquet", {"de": tmp_path / "de.parquet"}


def make(mode: str, tables: tuple[Path, dict[str, Path]], **settings: float) -> MentionLinker:
    vocabulary = EntityVocabulary(entity_vocabulary())
    return MentionLinker(mode, settings, vocabulary, tables[0], tables[1])


def test_article_mentions_by_title_and_language(tables: tuple[Path, dict[str, Path]]) -> None:
    linker = make("article", tables)
    text = "The city where Ada lived"
    found = linker.find(text, "en", "Some_people", "en")
    # "Nobody" has no embedding in the model and is left out.
    assert [(text[m.start : m.end], m.entity_id) for m in found] == [("The city", ROME)]
    assert linker.find("Die Stadt", "de", "Other", "en")[0].entity_id == ROME
    assert linker.find("Rom", "de", "Some people", "en") == []
    assert linker.used == {"article": 2, "nothing": 1}


def test_dictionary_where_the_article_is_missing(tables: tuple[Path, dict[str, Path]]) -> None:
    linker = make("article+dictionary", tables)
    assert linker.find("Die Stadt Rom", "de", "Other", "en")[0].start == 0
    found = linker.find("Die Stadt Rom", "de", "Unknown", "en")
    assert [(m.start, m.entity_id) for m in found] == [(10, ROME)]
    assert linker.find("Roma", "es", "Unknown", "en") == []
    assert linker.used == {"article": 1, "dictionary": 1, "nothing": 1}


def test_dictionary_needs_clear_mentions(tables: tuple[Path, dict[str, Path]]) -> None:
    # "paris" has a most linked title outside the vocabulary, "selten" is seldom a link.
    assert make("dictionary", tables).find("Paris selten", "de", "", "en") == []
    strict = make("dictionary", tables, minimum_link_probability=0.9)
    assert strict.find("Rom", "de", "", "en") == []


def test_missing_files_are_named(tables: tuple[Path, dict[str, Path]]) -> None:
    vocabulary = EntityVocabulary(entity_vocabulary())
    with pytest.raises(ConfigError, match="--article-mentions"):
        MentionLinker("article+dictionary", {}, vocabulary, None, tables[1])
    with pytest.raises(ConfigError, match="--mentions LANGUAGE=PATH"):
        MentionLinker("dictionary", {}, vocabulary, tables[0], {})


def test_sources_of_mentions_are_one_note() -> None:
    english = {"mentions": {"dictionary": 778, "article": 1412}}
    german = {"mentions": {"nothing": 3}}
    assert describe_sources({"en": english, "de": german, "fr": {"mentions": {}}, "es": {}}) == [
        "mentions: en: 1,412 texts by article, 778 by dictionary; de: 3 texts by nothing"
    ]
    pairs = {f"en-{number}": english for number in range(42)}
    assert describe_sources(pairs) == [
        "mentions: 42 columns: 59,304 texts by article, 32,676 by dictionary"
    ]
    assert describe_sources({"en": {"examples": 3}}) == []
