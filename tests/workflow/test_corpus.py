"""The target `corpus` alone, and what a changed option runs again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.dumps import header, multistream, page
from tests.workflow.conftest import snakemake
from tests.workflow.test_planning import job_counts

pytestmark = pytest.mark.workflow

LANGUAGES = "run={languages: [nl, tr]}"


@pytest.fixture(scope="module")
def results(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the target `corpus` for two languages of the miniature world."""
    folder = tmp_path_factory.mktemp("corpus")
    outcome = snakemake(root, folder, "corpus", LANGUAGES)
    assert outcome.returncode == 0, outcome.stderr[-8000:]
    return folder


def test_dumps_become_parquet_and_a_report(results: Path) -> None:
    for language in ("nl", "tr"):
        pages = pq.read_table(results / "mini" / "pages" / language / "000.parquet")
        redirects = pq.read_table(results / "mini" / "redirects" / f"{language}.parquet")
        report = json.loads((results / "mini/reports/corpus" / f"{language}.json").read_text())
        assert report["counts"]["articles"] == pages.num_rows > 100
        assert report["redirects"]["kept"] == redirects.num_rows > 0
        links = sum(len(p["links"]) for row in pages["paragraphs"].to_pylist() for p in row)
        assert report["links"]["kept"] == links > 500
        assert (results / "mini/reports/corpus" / f"{language}.md").stat().st_size > 500


def test_the_preset_runs_extraction_and_what_follows_again(root: Path, results: Path) -> None:
    unchanged = snakemake(root, results, "-n", "corpus", LANGUAGES)
    assert "Nothing to be done" in unchanged.stdout + unchanged.stderr
    counts = job_counts(
        snakemake(root, results, "-n", "corpus", LANGUAGES, "corpus={preset: authors}")
    )
    assert counts == {
        "extract": 2,
        "resolve_redirects": 2,
        "extraction_report": 2,
        "corpus": 1,
        "total": 7,
    }


def test_a_language_that_is_not_among_the_24(root: Path, tmp_path: Path) -> None:
    """As docs/corpus.md says; Afar has no facts in the project."""
    folder = tmp_path / "mirror" / "dumps.wikimedia.org" / "aawiki" / "20251101"
    folder.mkdir(parents=True)
    head = header("aa", "0.11").replace(">File<", ">Ficce<")
    text = "[[qafar]]af [[Ficce:x.png|a]]"
    pages = page(1, "Awsa", text) + page(2, "A", "#REDIRECT [[awsa]]", redirect="Awsa")
    dump = multistream(folder / "aawiki-20251101-pages-articles-multistream.xml.bz2", [pages], head)
    content = dump.read_bytes()
    files = {dump.name: {"size": len(content), "sha1": hashlib.sha1(content).hexdigest()}}
    job = {"status": "done", "files": files}
    (folder / "dumpstatus.json").write_text(json.dumps({"jobs": {"articlesmultistreamdump": job}}))
    outcome = snakemake(
        root,
        tmp_path / "results",
        "corpus",
        f"mirror={tmp_path}/mirror",
        "dump_date=20251101",
        "run={languages: [aa]}",
        "languages={aa: {name: Afar, wiki: aawiki, parts: 1}}",
    )
    assert outcome.returncode == 0, outcome.stderr[-8000:]
    results = tmp_path / "results" / "mini"
    (row,) = pq.read_table(results / "pages" / "aa" / "000.parquet").to_pylist()
    (paragraph,) = row["paragraphs"]
    assert paragraph["text"] == "qafaraf"
    assert paragraph["links"] == [{"start": 0, "end": 7, "target": "Qafar"}]
    assert "no facts about the Wikipedia 'aa'" in (results / "logs/extract/aa-000.log").read_text()
    report = json.loads((results / "reports" / "corpus" / "aa.json").read_text())
    assert report["links"] == {"kept": 1, "dropped": {"file": 1}}
    assert report["redirects"]["kept"] == 1
