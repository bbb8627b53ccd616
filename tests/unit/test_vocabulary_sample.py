"""What the 24 real excerpts give: articles and links shared between languages, frozen.

The full set of excerpts, with all of the Italian file, has 72 entities with an article in at least
two languages and 34 in at least three, and 487 and 426 entities linked in as many. Two things make
the numbers here lower:

* The Italian file holds one article here. Without it, a plain search for ``[[...]]`` over the raw
  wikitext of the 24 files finds 66 and 32 entities with an article, and 473 and 391 linked.
* The extraction keeps links in the text of articles. Of the 304 pairs of entity and language that
  the plain search finds on top, those looked at stand in templates, tables (wiki and HTML), file
  captions, references, comments, or on pages outside the main namespace.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mluke_core.alignment.build_vocabulary import VocabularySettings, build_vocabulary
from mluke_core.alignment.count_entities import count_entities
from mluke_core.alignment.sitelinks import sitelinks
from mluke_core.config import read_yaml
from mluke_core.corpus.extract import extract_part
from mluke_core.corpus.redirects import resolve_redirects
from mluke_core.io.parquet import stage_metadata, write_table
from tests.alignment_world import read_rows
from tests.conftest import ROOT

LANGUAGES = sorted(read_yaml(ROOT / "config.yaml")["languages"])

pytestmark = pytest.mark.sample


@pytest.fixture(scope="module")
def folder(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("sample")
    dumps = mirror / "dumps.wikimedia.org"
    (sql,) = dumps.glob("wikidatawiki/*/*wb_items_per_site.sql.gz")
    wikis = {language: f"{language}wiki" for language in LANGUAGES}
    sitelinks(sql, "sql", wikis, base / "sitelinks", {})
    for language in LANGUAGES:
        redirects = base / f"redirects/{language}.parquet"
        extract_part(
            sorted(dumps.glob(f"{language}wiki/*/*-pages-articles-multistream*.xml*.bz2")),
            0,
            1,
            language=language,
            pages_path=base / f"pages/{language}.parquet",
            redirects_path=redirects,
            report_path=base / f"reports/{language}.json",
        )
        table, _ = resolve_redirects([redirects], language)
        write_table(redirects, table, stage_metadata("resolve_redirects", {}))
    return base


def vocabulary_report(folder: Path, targets: str) -> dict[str, object]:
    entities = {}
    for language in LANGUAGES:
        entities[language] = folder / f"by-{targets}" / f"{language}.parquet"
        count_entities(
            language,
            [folder / f"pages/{language}.parquet"],
            folder / f"redirects/{language}.parquet",
            folder / f"sitelinks/{language}.parquet",
            targets,
            entities[language],
        )
    return build_vocabulary(
        entities,
        {language: folder / f"sitelinks/{language}.parquet" for language in LANGUAGES},
        VocabularySettings(),
        folder / f"by-{targets}" / "vocabulary.parquet",
        folder / f"by-{targets}" / "entity_vocab.json",
    )


def test_entities_with_articles_in_several_languages(folder: Path) -> None:
    languages: Counter[int] = Counter()
    for language in LANGUAGES:
        titles = {row["title"] for row in read_rows(folder / f"pages/{language}.parquet")}
        links = read_rows(folder / f"sitelinks/{language}.parquet")
        languages.update(row["qid"] for row in links if row["title"] in titles)
    counts = [sum(n >= minimum for n in languages.values()) for minimum in (2, 3)]
    assert counts == [66, 32]


def test_entities_linked_in_several_languages(folder: Path) -> None:
    report = vocabulary_report(folder, "sitelinks")
    sizes = report["size_by_minimum_languages"]
    assert isinstance(sizes, dict)
    assert (sizes["2"], sizes["3"], report["entities"]) == (436, 361, 361)


def test_few_entities_pass_when_the_target_must_be_a_page_of_the_excerpt(folder: Path) -> None:
    report = vocabulary_report(folder, "pages")
    sizes = report["size_by_minimum_languages"]
    assert isinstance(sizes, dict)
    assert (sizes["2"], sizes["3"]) == (62, 31)
