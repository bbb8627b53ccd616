"""The steps of alignment and sequences as commands, one after the other."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from tests.alignment_world import (
    read_rows,
    train_sentencepiece,
    write_pages,
    write_redirects,
    write_source,
)
from workflow_scripts.article_mentions import main as article_mentions
from workflow_scripts.build_sequences import main as build_sequences
from workflow_scripts.build_tokenizer import main as build_tokenizer
from workflow_scripts.build_vocabulary import main as build_vocabulary
from workflow_scripts.count_entities import main as count_entities
from workflow_scripts.count_mentions import main as count_mentions
from workflow_scripts.preview_sequences import main as preview_sequences
from workflow_scripts.shuffle_sequences import main as shuffle_sequences
from workflow_scripts.sitelinks import main as sitelinks
from workflow_scripts.write_manifest import main as write_manifest

LANGUAGES = ("de", "en")
ITEMS = {
    1: {"enwiki": "Tokyo", "dewiki": "Tokio", "enwikiquote": "Tokyo"},
    2: {"enwiki": "Japan", "dewiki": "Japan"},
    3: {"enwiki": "Danube"},
}
ARTICLES = {
    "en": {
        "Japan": ["The capital of [[Japan]] is [[Edo|Tokyo]]; see [[Tokyo]] and the [[Danube]]."],
        "Tokyo": ["[[Tokyo|The city]] is the capital of [[Japan]], and [[Berlin]] is not."],
        "Danube": ["The river [[Danube]] flows through Vienna, Bratislava and Budapest."],
    },
    "de": {
        "Tokio": ["[[Tokio]] ist eine Stadt in [[Japan]], der [[Donau|Fluss]] ist weit weg."],
        "Japan": ["Die Hauptstadt von [[Japan]] ist seit langem [[Tokio|die Stadt]]."],
    },
}


def settings(**values: object) -> list[str]:
    return ["--settings", json.dumps(values)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every step from sitelinks to the manifest, run in a folder that is handed back."""
    base = tmp_path_factory.mktemp("results")
    rows = [
        f"({n},{qid},'{wiki}','{title}')"
        for qid, links in ITEMS.items()
        for n, (wiki, title) in enumerate(links.items())
    ]
    dump = base / "wb_items_per_site.sql.gz"
    dump.write_bytes(
        gzip.compress(f"INSERT INTO `wb_items_per_site` VALUES {','.join(rows)};\n".encode())
    )
    write_source(base / "sources/wikidata.json", "wikidata_sql", [dump])
    wikis = {language: f"{language}wiki" for language in LANGUAGES}
    assert (
        sitelinks(
            [
                *settings(format="sql", wikis=wikis),
                *("--source", str(base / "sources/wikidata.json")),
                *("--output-dir", str(base / "sitelinks")),
                *("--report", str(base / "reports/sitelinks.json")),
            ]
        )
        == 0
    )
    model = train_sentencepiece(base / "downloads" / "sentencepiece.bpe.model")
    write_source(base / "sources/tokenizer.json", "xlmr_tokenizer", [model])
    arguments = [*settings(kind="sentencepiece"), "--source", str(base / "sources/tokenizer.json")]
    assert build_tokenizer([*arguments, "--output", str(base / "tokenizers/xlmr")]) == 0
    for language, articles in ARTICLES.items():
        write_pages(base / f"pages/{language}/000.parquet", articles)
        redirects = {"Edo": "Tokyo"} if language == "en" else {}
        write_redirects(base / f"redirects/{language}.parquet", redirects)
        arguments = [
            *settings(language=language, targets="pages"),
            *inputs(base, language),
            *("--output", str(base / f"entities/{language}.parquet")),
            *("--report", str(base / f"reports/entities/{language}.json")),
        ]
        assert count_entities(arguments) == 0
    assert (
        build_vocabulary(
            [
                *settings(scale="mini", size=100, minimum_languages=2, per_language_limit=100),
                *("--entities", *per_language(base, "entities/{}.parquet")),
                *("--sitelinks", *per_language(base, "sitelinks/{}.parquet")),
                *("--output", str(base / "entities/vocabulary.parquet")),
                *("--json", str(base / "entities/entity_vocab.json")),
                *("--report", str(base / "reports/vocabulary.json")),
                *("--table", str(base / "reports/vocabulary")),
                *("--memory-mb", "1000", "--work", str(base / "work/build_vocabulary")),
            ]
        )
        == 0
    )
    vocabulary = ["--vocabulary", str(base / "entities/vocabulary.parquet")]
    for language in LANGUAGES:
        arguments = [
            *settings(language=language, mentions={"maximum_mention_tokens": 10}),
            *inputs(base, language),
            *vocabulary,
            *("--output", str(base / f"mentions/{language}.parquet")),
        ]
        assert count_mentions(arguments) == 0
        arguments = [
            *settings(language=language, seed=42, sequences={"validation_share": 0.0}),
            *inputs(base, language),
            *vocabulary,
            *("--tokenizer", str(base / "tokenizers/xlmr")),
            *("--output", str(base / f"work/sequences/{language}/000.parquet")),
            *("--report", str(base / f"reports/sequences/{language}/000.json")),
        ]
        assert build_sequences(arguments) == 0
        assert shuffle_sequences(shuffle_arguments(base, language)) == 0
    questions = base / "downloads/train-v1.1.json"
    questions.write_text(json.dumps({"data": [{"title": "Japan", "paragraphs": []}]}))
    write_source(base / "sources/squad.json", "squad", [questions])
    mentions = {"minimum_link_probability": 0.01, "anchors_per_entity": 100}
    assert (
        article_mentions(
            [
                *settings(languages=LANGUAGES, title_languages={"squad": "en"}, mentions=mentions),
                *("--articles", str(base / "sources/squad.json")),
                *("--pages", *per_language(base, "pages/{}/000.parquet")),
                *("--redirects", *per_language(base, "redirects/{}.parquet")),
                *("--sitelinks", *per_language(base, "sitelinks/{}.parquet")),
                *("--mentions", *per_language(base, "mentions/{}.parquet")),
                *vocabulary,
                *("--output", str(base / "mentions/articles.parquet")),
            ]
        )
        == 0
    )
    assert write_manifest(manifest_arguments(base)) == 0
    assert preview_sequences(preview_arguments(base)) == 0
    return base


def inputs(base: Path, language: str) -> list[str]:
    return [
        *("--pages", str(base / f"pages/{language}/000.parquet")),
        *("--redirects", str(base / f"redirects/{language}.parquet")),
        *("--sitelinks", str(base / f"sitelinks/{language}.parquet")),
    ]


def per_language(base: Path, pattern: str) -> list[str]:
    return [f"{language}={base / pattern.format(language)}" for language in LANGUAGES]


def shuffle_arguments(base: Path, language: str) -> list[str]:
    return [
        *settings(language=language, seed=42, shard_mb=256),
        *("--parts", str(base / f"work/sequences/{language}/000.parquet")),
        *("--reports", str(base / f"reports/sequences/{language}/000.json")),
        *("--output", str(base / f"sequences/{language}")),
        *("--index", str(base / f"reports/sequences/{language}.json")),
    ]


def manifest_arguments(base: Path) -> list[str]:
    return [
        *settings(alpha=0.7),
        *("--shards", *per_language(base, "sequences/{}")),
        *("--indexes", *per_language(base, "reports/sequences/{}.json")),
        *("--vocabulary", str(base / "entities/vocabulary.parquet")),
        *("--tokenizer", str(base / "tokenizers/xlmr")),
        *("--output", str(base / "sequences/manifest.json")),
    ]


def preview_arguments(base: Path) -> list[str]:
    return [
        *settings(scale="test", languages={"de": "German", "en": "English"}),
        *("--manifest", str(base / "sequences/manifest.json")),
        *("--vocabulary", str(base / "entities/vocabulary.parquet")),
        *("--tokenizer", str(base / "tokenizers/xlmr")),
        *("--output", str(base / "sequences/preview.html")),
    ]


def test_the_chain_ends_in_a_manifest(results: Path) -> None:
    names = json.loads((results / "entities/entity_vocab.json").read_text())
    # Tokyo: 3 links in English (one through a redirect), 2 in German; Japan: 2 and 2.
    assert names == {
        "[PAD]": 0,
        "[UNK]": 1,
        "[MASK]": 2,
        "de:Tokio": 3,
        "en:Tokyo": 3,
        "de:Japan": 4,
        "en:Japan": 4,
    }
    manifest = json.loads((results / "sequences/manifest.json").read_text())
    assert manifest["languages"]["en"]["sequences"] == 2
    assert manifest["languages"]["en"]["entities"] == 5
    assert manifest["languages"]["de"]["entities"] == 4
    weights = [entry["weight"] for entry in manifest["languages"].values()]
    assert weights == [0.5, 0.5]
    rows = read_rows(results / "sequences/de/00000.parquet")
    assert sorted(row["entity_ids"] for row in rows) == [[3, 4], [4, 3]]
    rows = read_rows(results / "mentions/articles.parquet")
    assert [(row["language"], row["mention"], row["title"]) for row in rows] == [
        ("de", "die stadt", "Tokio"),
        ("de", "japan", "Japan"),
        ("de", "tokio", "Tokio"),
        ("en", "danube", "Danube"),
        ("en", "japan", "Japan"),
        ("en", "tokyo", "Tokyo"),
    ]


def test_files_name_their_stage_and_hold_no_leftovers(results: Path) -> None:
    import pyarrow.parquet as pq

    stages = {
        path.relative_to(results).as_posix(): json.loads(pq.read_schema(path).metadata[b"mluke"])
        for path in results.rglob("*.parquet")
        if path.parent.parent.name not in ("pages",) and path.parent.name != "redirects"
    }
    assert {entry["stage"] for entry in stages.values()} == {
        "sitelinks",
        "count_entities",
        "build_vocabulary",
        "count_mentions",
        "article_mentions",
        "build_sequences",
        "shuffle_sequences",
    }
    assert list(results.rglob(".*")) == []


def test_the_same_inputs_give_the_same_bytes(results: Path) -> None:
    manifest = results / "sequences/manifest.json"
    before = manifest.read_bytes()
    sequences, shard = (
        results / name for name in ("work/sequences/en/000.parquet", "sequences/en/00000.parquet")
    )
    contents = sequences.read_bytes(), shard.read_bytes()
    arguments = [
        *settings(language="en", seed=42, sequences={"validation_share": 0.0}),
        *inputs(results, "en"),
        *("--vocabulary", str(results / "entities/vocabulary.parquet")),
        *("--tokenizer", str(results / "tokenizers/xlmr")),
        *("--output", str(sequences)),
        *("--report", str(results / "reports/sequences/en/000.json")),
    ]
    assert build_sequences(arguments) == shuffle_sequences(shuffle_arguments(results, "en")) == 0
    assert (sequences.read_bytes(), shard.read_bytes()) == contents
    assert write_manifest(manifest_arguments(results)) == 0 and manifest.read_bytes() == before


@pytest.mark.parametrize(
    ("main", "changed", "message"),
    [
        (write_manifest, {"--settings": "{}"}, "this step also needs alpha"),
        (write_manifest, {"--tokenizer": "nowhere"}, "nowhere: no tokenizer.json"),
        (write_manifest, {"--vocabulary": "nowhere"}, "nowhere: no such file"),
        (write_manifest, {"--indexes": "de=nowhere"}, "nowhere: no such file"),
    ],
)
def test_a_mistake_is_one_message(
    results: Path,
    capsys: pytest.CaptureFixture[str],
    main: object,
    changed: dict[str, str],
    message: str,
) -> None:
    arguments = manifest_arguments(results)
    for option, value in changed.items():
        arguments[arguments.index(option) + 1] = value
    output = results / "new" / "manifest.json"
    arguments[arguments.index("--output") + 1] = str(output)
    assert callable(main) and main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not output.exists()


def test_parts_without_reports_are_one_message(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = shuffle_arguments(results, "en")
    arguments.insert(arguments.index("--parts") + 1, str(results / "work/sequences/de/000.parquet"))
    assert shuffle_sequences(arguments) == 1
    error = capsys.readouterr().err
    assert "--parts has 2 files, --reports 1" in error and error.count("\n") == 1


def test_a_mismatched_source_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_source(tmp_path / "s.json", "wikidata_sql", [])
    arguments = [
        *settings(format="sql", wikis={"en": "enwiki"}),
        *("--source", str(tmp_path / "s.json")),
        *("--output-dir", str(tmp_path / "out")),
        *("--report", str(tmp_path / "r.json")),
    ]
    assert sitelinks(arguments) == 1
    assert "0 files; the Wikidata dump is one file" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.json"]


def blocks(root: Path, results: Path, language: str) -> list[str]:
    """The code of docs/alignment.md in one language, on the results of the test."""
    text = (root / "docs" / "alignment.md").read_text("utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, re.S)
    return [block.replace("results/mini", str(results)) for block in found]


def test_the_code_of_the_page_runs(
    results: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import duckdb

    known = {"= 183": "= 1", "'georgia'": "'tokyo'"}
    queries = blocks(root, results, "sql")
    for there, here in known.items():
        queries = [query.replace(there, here) for query in queries]
    rows = [duckdb.sql(query).fetchall() for query in queries]
    assert {title for _, title in rows[0]} == {"Tokyo", "Tokio"}
    assert rows[1] == [("Tokyo", 1, 3), ("Danube", 3, 2), ("Japan", 2, 2)]
    assert rows[2] == [("Tokyo", 2, 1.0, 2.0)]
    names: dict[str, object] = {}
    for program in blocks(root, results, "python"):
        names = {}
        exec(program, names)
    assert names["entities"] == {"en": [3, 4], "de": [3, 4]}
    assert "{'de': 'Japan', 'en': 'Japan'}" in capsys.readouterr().out


def test_the_report_of_the_vocabulary_as_a_table(results: Path) -> None:
    report = (results / "reports/vocabulary.md").read_text("utf-8")
    assert "2 entities with 4 titles, linked in at least 2 languages" in report
    assert not list((results / "work/build_vocabulary").iterdir())
