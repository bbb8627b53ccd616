"""What is found in the mirror's real dumps of 24 languages, frozen.

A change of these figures is a change of what models are trained on: look at the difference, and
bump the version of `extract` with it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mluke_core.corpus.extract import extract_part
from mluke_core.errors import DataError

DATE = "20230501"
EXPECTED = json.loads(
    (Path(__file__).parent.parent / "data" / "corpus" / "sample.json").read_text("utf-8")
)
RESIDUAL = re.compile(r"\[\[|\{\{|<ref|''|&nbsp;")

pytestmark = pytest.mark.sample


def files_of(mirror: Path, language: str) -> list[Path]:
    folder = mirror / "dumps.wikimedia.org" / f"{language}wiki" / DATE
    return sorted(folder.glob("*-pages-articles-multistream*.xml*.bz2"))


@pytest.mark.parametrize("language", sorted(EXPECTED))
def test_counts_of_the_real_dumps(mirror: Path, tmp_path: Path, language: str) -> None:
    report = extract_part(
        files_of(mirror, language),
        0,
        1,
        language=language,
        pages_path=tmp_path / "pages",
        redirects_path=tmp_path / "redirects",
        report_path=tmp_path / "report",
        wiki_name=f"{language}wiki",
    )
    assert report["broken"] == []
    residual = 0
    for batch in pq.ParquetFile(tmp_path / "pages").iter_batches(batch_size=100):
        paragraphs = batch.column("paragraphs").flatten()
        residual += sum(len(RESIDUAL.findall(text)) for text in paragraphs.field(0).to_pylist())
    counts = report["counts"]
    found = {key: counts[key] for key in EXPECTED[language] if key in counts}
    found |= {"links": report["links"]["kept"], "residual": residual}
    assert found == EXPECTED[language]


def test_facts_of_the_mirror() -> None:
    assert {language: EXPECTED[language]["articles"] for language in ("en", "ja", "el", "bn")} == {
        "en": 287,
        "ja": 409,
        "el": 525,
        "bn": 381,
    }
    assert (EXPECTED["vi"]["articles"], EXPECTED["nl"]["articles"]) == (275, 21)
    assert EXPECTED["en"]["redirects"] == 160
    others = set(EXPECTED) - {"en", "ja", "el", "bn", "vi", "nl"}
    assert len(others) == 18 and all(1 <= EXPECTED[name]["articles"] <= 8 for name in others)
    characters = sum(counts["characters"] for counts in EXPECTED.values())
    # What is left is there for a reader too: nowiki, escapes, apostrophes without a partner.
    assert sum(counts["residual"] for counts in EXPECTED.values()) < 2e-6 * characters


@pytest.mark.parametrize(
    ("name", "language", "articles", "redirects", "message"),
    [
        ("aawiki-schema-0.11", "aa", 1, 1, ""),
        ("enwiki-schema-0.3", "en", 2, 2, ""),
        ("enwiki-bad-tail", "en", 24, 2, ""),
        ("jawiki-truncated-mid-page", "ja", 48, 8, "cut off at byte 262937"),
        ("nlwiki-truncated-bz2", "nl", 0, 0, "its header cannot be decompressed"),
    ],
)
def test_odd_dumps(
    mirror: Path,
    tmp_path: Path,
    name: str,
    language: str,
    articles: int,
    redirects: int,
    message: str,
) -> None:
    dump = mirror.parent / "oddities" / f"{name}.xml.bz2"
    if not dump.exists():
        pytest.skip("no odd dumps beside the mirror")

    def extract(wiki_name: str = "", **corpus: bool) -> dict[str, int]:
        paths = [tmp_path / kind for kind in ("pages", "redirects", "report")]
        report = extract_part(
            [dump],
            0,
            1,
            language=language,
            pages_path=paths[0],
            redirects_path=paths[1],
            report_path=paths[2],
            wiki_name=wiki_name,
            corpus=corpus,
        )
        return report["counts"]

    if articles:
        with pytest.raises(DataError, match=f"a dump of '{language}wiki', but 'frwiki'"):
            extract("frwiki")
    if message:
        with pytest.raises(DataError, match=message):
            extract()
    if articles:
        counts = extract(f"{language}wiki", allow_truncated=bool(message))
        assert (counts["articles"], counts["redirects"]) == (articles, redirects)
