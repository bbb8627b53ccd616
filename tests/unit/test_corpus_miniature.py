"""Extraction of the miniature world gives exactly its gold: every paragraph, link and redirect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mluke_core.corpus.extract import extract_part
from mluke_core.corpus.redirects import resolve_redirects
from mluke_core.miniature.dumps import write_dump
from mluke_core.miniature.encyclopaedia import Encyclopaedia, articles_by_language
from mluke_core.miniature.facts import load_world
from mluke_core.miniature.gold import write_gold

LANGUAGES = ["ar", "de", "en", "tr", "zh"]
DATE = "20230501"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("miniature")
    facts = load_world()
    keys = articles_by_language(facts, LANGUAGES, 7)
    pages = {name: Encyclopaedia(facts, name, keys[name], 7).pages() for name in LANGUAGES}
    for name in LANGUAGES:
        write_dump(folder / name, name, DATE, pages[name], 2 if name == "en" else 1)
    write_gold(folder / "gold", pages, [])
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_exactly_the_gold(world: Path, tmp_path: Path, language: str) -> None:
    files = sorted((world / language).glob("*-pages-articles-multistream*.xml*.bz2"))
    found: list[dict[str, Any]] = []
    redirects: list[Path] = []
    for part in range(2):
        redirects.append(tmp_path / f"{part}.redirects")
        extract_part(
            files,
            part,
            2,
            language=language,
            pages_path=tmp_path / "pages",
            redirects_path=redirects[-1],
            report_path=tmp_path / "report",
            wiki_name=f"{language}wiki",
        )
        for row in pq.read_table(tmp_path / "pages").to_pylist():
            for paragraph in row["paragraphs"]:
                del paragraph["kind"]  # the gold has no kinds
                paragraph["links"] = [list(link.values()) for link in paragraph["links"]]
            found.append(row)
    gold = lines(world / "gold" / f"{language}.jsonl")
    assert len(gold) > 300
    assert found == gold

    rows = [row for path in redirects for row in pq.read_table(path).to_pylist()]
    assert rows == lines(world / "gold" / f"{language}.redirects.jsonl")
    resolved, _ = resolve_redirects(redirects, language)
    expected = lines(world / "gold" / f"{language}.resolved.jsonl")
    assert {row["source"]: row["target"] for row in resolved.to_pylist()} == {
        row["source"]: row["target"] for row in expected if row["target"]
    }
