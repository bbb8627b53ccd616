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
from mluke_core.sequences.build_sequences import build_sequences
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.packing import SequenceSettings
from mluke_core.sequences.target_index import TargetIndex
from mluke_core.sequences.tokenizer import Tokenizer
from tests.alignment_world import read_rows, write_source
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


def test_sequences_of_the_excerpts(folder: Path, mirror: Path, tmp_path: Path) -> None:
    """Frozen: sequences, their tokens and their entities, with the tokenizer of XLM-R."""
    vocabulary_report(folder, "sitelinks")
    vocabulary = folder / "by-sitelinks" / "vocabulary.parquet"
    names = ("sentencepiece.bpe.model", "tokenizer.json", "tokenizer_config.json")
    files = [
        mirror / "huggingface.co/FacebookAI/xlm-roberta-base/resolve/main" / name for name in names
    ]
    build_tokenizer(
        write_source(tmp_path / "s.json", "xlmr", files), "sentencepiece", tmp_path / "xlmr"
    )
    tokenizer = Tokenizer.load(tmp_path / "xlmr")
    found = {}
    for language in ("ar", "bn", "el", "en", "ja", "vi", "zh"):
        pages = folder / f"pages/{language}.parquet"
        targets = TargetIndex.resolve(
            pages,
            folder / f"redirects/{language}.parquet",
            folder / f"sitelinks/{language}.parquet",
            vocabulary,
            language,
        )
        counts = build_sequences(
            language,
            pages,
            targets,
            tokenizer,
            "",
            SequenceSettings(),
            42,
            tmp_path / f"{language}.parquet",
        )
        found[language] = (counts.sequences, counts.tokens, counts.entities)
    assert found == {
        "ar": (8, 3920, 18),
        "bn": (775, 362623, 1604),
        "el": (1687, 802328, 7499),
        "en": (852, 413251, 1532),
        "ja": (2606, 1255008, 6513),
        "vi": (1386, 655408, 4853),
        "zh": (16, 7858, 40),
    }
