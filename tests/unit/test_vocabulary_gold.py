"""From the miniature world's dumps to the vocabulary: exactly what is known from its making."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mluke_core.alignment.build_vocabulary import VocabularySettings, build_vocabulary
from mluke_core.alignment.count_entities import count_entities
from mluke_core.alignment.count_mentions import count_mentions
from mluke_core.alignment.sitelinks import sitelinks
from mluke_core.corpus.extract import extract_part
from mluke_core.corpus.redirects import resolve_redirects
from mluke_core.io.parquet import stage_metadata, write_table
from mluke_core.miniature.dumps import write_dump
from mluke_core.miniature.encyclopaedia import Encyclopaedia, articles_by_language
from mluke_core.miniature.facts import load_world
from mluke_core.miniature.gold import write_gold
from mluke_core.miniature.make import extra_items
from mluke_core.miniature.wikidata import entity_items, write_wikidata
from tests.alignment_world import read_rows, write_vocabulary

LANGUAGES = ("de", "en", "ja")
WIKIS = {language: f"{language}wiki" for language in LANGUAGES}
DATE = "20201201"
PARTS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dumps, Wikidata and gold of three languages, and the tables made from the dumps."""
    base = tmp_path_factory.mktemp("world")
    world = load_world()
    keys = articles_by_language(world, LANGUAGES, 42)
    pages = {name: Encyclopaedia(world, name, keys[name], 42).pages() for name in LANGUAGES}
    items = entity_items(world, keys, extra_items(LANGUAGES))
    write_wikidata(base / "wikidata", DATE, DATE, items)
    write_gold(base / "gold", pages, items)
    for language in LANGUAGES:
        write_dump(base / "dumps" / language, language, DATE, pages[language], 1)
        extract(base, language)
    (sql,) = base.glob("wikidata/**/*.sql.gz")
    sitelinks(sql, "sql", WIKIS, base / "sitelinks", {})
    return base


def extract(base: Path, language: str) -> None:
    files = sorted((base / "dumps" / language).glob("*-pages-articles-multistream*.xml*.bz2"))
    for part in range(PARTS):
        extract_part(
            files,
            part,
            PARTS,
            language=language,
            pages_path=base / f"pages/{language}/{part}.parquet",
            redirects_path=base / f"redirects/{language}/{part}.parquet",
            report_path=base / f"reports/{language}/{part}.json",
        )
    parts = [base / f"redirects/{language}/{part}.parquet" for part in range(PARTS)]
    table, _ = resolve_redirects(parts, language)
    write_table(
        base / f"redirects/{language}.parquet", table, stage_metadata("resolve_redirects", {})
    )


def gold(base: Path, name: str) -> list[dict[str, Any]]:
    text = (base / "gold" / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_both_forms_of_wikidata_agree(folder: Path, tmp_path: Path) -> None:
    (dump,) = folder.glob("wikidata/**/*.json.bz2")
    sitelinks(dump, "json", WIKIS, tmp_path, {})
    for language in LANGUAGES:
        name = f"{language}.parquet"
        assert (tmp_path / name).read_bytes() == (folder / "sitelinks" / name).read_bytes()


def test_links_of_each_language(folder: Path) -> None:
    for language in LANGUAGES:
        report = count_entities(
            language,
            [folder / f"pages/{language}/{part}.parquet" for part in range(PARTS)],
            folder / f"redirects/{language}.parquet",
            folder / f"sitelinks/{language}.parquet",
            "pages",
            folder / f"entities/{language}.parquet",
        )
        found = read_rows(folder / f"entities/{language}.parquet")
        assert found == gold(folder, f"{language}.entities")
        assert report["entities"] == len(found) > 300
        assert report["links_redirected"] > 0


def test_vocabulary_of_all(folder: Path) -> None:
    build_vocabulary(
        {language: folder / f"entities/{language}.parquet" for language in LANGUAGES},
        {language: folder / f"sitelinks/{language}.parquet" for language in LANGUAGES},
        VocabularySettings(),
        folder / "vocabulary.parquet",
        folder / "entity_vocab.json",
    )
    expected = gold(folder, "vocabulary")
    found = [
        {
            **{key: row[key] for key in ("qid", "count", "languages")},
            "titles": {entry["language"]: entry["title"] for entry in row["titles"]},
        }
        for row in read_rows(folder / "vocabulary.parquet")[3:]
    ]
    assert found == expected and len(found) > 300


@pytest.mark.parametrize("language", ["en", "ja"])
def test_mentions_are_those_of_the_gold(folder: Path, language: str) -> None:
    """Anchors and links counted from the gold, occurrences by looking for each mention."""
    articles = gold(folder, language)
    redirects = {row["source"]: row["target"] for row in gold(folder, f"{language}.resolved")}
    titles = {article["title"] for article in articles}
    linked: Counter[tuple[str, str]] = Counter()
    for article in articles:
        for paragraph in article["paragraphs"]:
            for start, end, target in paragraph["links"]:
                title = redirects.get(target, target)
                if title in titles:
                    linked[fold(paragraph["text"][start:end]), title] += 1
    table = mention_rows(folder, language)
    assert {(row["mention"], row["title"]): row["linked"] for row in table} == linked
    texts = [fold("\n".join(p["text"] for p in article["paragraphs"])) for article in articles]
    before, after = ("", "") if language == "ja" else (r"(?<!\w)", r"(?!\w)")
    for row in table[:: max(1, len(table) // 100)]:
        pattern = re.compile(before + re.escape(row["mention"]) + after)
        assert row["occurring"] == sum(bool(pattern.search(text)) for text in texts), row


def fold(text: str) -> str:
    """Lower case where that is one character too, as it is not for the Turkish İ."""
    lower = (letter.lower() for letter in text.replace("’", "'"))
    return "".join(new if len(new) == 1 else old for new, old in zip(lower, text, strict=True))


def mention_rows(base: Path, language: str) -> list[dict[str, Any]]:
    count_mentions(
        language,
        [base / f"pages/{language}/{part}.parquet" for part in range(PARTS)],
        base / f"redirects/{language}.parquet",
        base / f"sitelinks/{language}.parquet",
        write_vocabulary(base / "no.vocabulary.parquet", []),
        10,
        base / f"mentions/{language}.parquet",
    )
    return read_rows(base / f"mentions/{language}.parquet")
