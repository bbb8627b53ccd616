import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sentencepiece
from tokenizers import Tokenizer

from mluke_core.config import load_config, source_checksums, source_files
from mluke_core.io.download_source import fetch_source
from workflow_scripts import extract, make_miniature

SETTINGS = {
    "seed": 3,
    "languages": ["ar", "en", "ja", "tr"],
    "dump_date": "20201201",
    "wikidata_date": "20201130",
}


def make(folder: Path, **changes) -> int:
    settings = json.dumps({**SETTINGS, **changes})
    return make_miniature.main(
        ["--settings", settings, "--output", f"{folder}/mirror", "--gold", f"{folder}/gold"]
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("miniature")
    assert make(folder) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def gold_lines(path: Path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_checksums_cover_every_file(made):
    for name in ("mirror", "gold"):
        files = contents(made / name)
        sums = files.pop("SHA256SUMS").decode().splitlines()
        listed = dict(reversed(line.split("  ", 1)) for line in sums)
        assert listed == {x: hashlib.sha256(content).hexdigest() for x, content in files.items()}


def test_mirror_is_laid_out_as_the_servers(made):
    files = contents(made / "mirror")
    dumps = "dumps.wikimedia.org"
    stem = f"{dumps}/jawiki/20201201/jawiki-20201201-pages-articles-multistream"
    for name in (
        f"{stem}.xml.bz2",
        f"{stem}-index.txt.bz2",
        f"{dumps}/enwiki/20201201/dumpstatus.json",
        f"{dumps}/wikidatawiki/entities/20201130/wikidata-20201130-all.json.bz2",
        f"{dumps}/wikidatawiki/20201201/wikidatawiki-20201201-wb_items_per_site.sql.gz",
        "huggingface.co/FacebookAI/xlm-roberta-base/resolve/main/sentencepiece.bpe.model",
        "rajpurkar.github.io/SQuAD-explorer/dataset/train-v1.1.json",
    ):
        assert name in files
    assert sum("enwiki" in name and ".xml-p" in name for name in files) == 2


def test_wikidata_is_found_and_held_to_its_lists_of_digests(made, tmp_path, caplog):
    config = load_config(Path(__file__).parents[2] / "config.yaml", {"scale": "mini"})
    for name in ("wikidata_sql", "wikidata_json"):
        settings = {"name": name, "files": source_files(config, name), "mirror": f"{made}/mirror"}
        checksums = source_checksums(config, name)
        (file,) = fetch_source(settings | checksums, tmp_path)["files"].values()
        assert Path(file["path"]).is_file()
        assert (tmp_path / checksums["checksums"][0].removeprefix("https://")).is_file()
    assert "not checked" not in caplog.text


def test_same_seed_same_bytes(made, tmp_path):
    (tmp_path / "mirror" / "old").mkdir(parents=True)  # what stood there is replaced
    assert make(tmp_path) == 0
    assert contents(tmp_path) == contents(made)


def test_tokenizer_gives_the_ids_of_sentencepiece_plus_one(made):
    folder = made / "mirror/huggingface.co/FacebookAI/xlm-roberta-base/resolve/main"
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    model = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/sentencepiece.bpe.model")
    size = model.get_piece_size()
    assert tokenizer.get_vocab_size() == size + 2
    assert json.loads((folder / "config.json").read_bytes())["vocab_size"] == size + 2
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    assert [tokenizer.token_to_id(token) for token in specials] == [0, 1, 2, 3, size + 1]
    framed = tokenizer.encode("Berlin").ids
    assert (framed[0], framed[-1]) == (0, 2)
    texts = [
        paragraph["text"]
        for language in SETTINGS["languages"]
        for article in gold_lines(made / f"gold/{language}.jsonl")
        for paragraph in article["paragraphs"]
    ]
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    for text, encoding in zip(texts, encodings, strict=True):
        ids = model.encode(text)
        assert 0 not in ids, text
        assert encoding.ids == [number + 1 for number in ids], text


@pytest.mark.parametrize("language", SETTINGS["languages"])
def test_extraction_finds_the_gold(made, tmp_path, language):
    folder = made / f"mirror/dumps.wikimedia.org/{language}wiki/20201201"
    files = json.loads((folder / "dumpstatus.json").read_bytes())["jobs"]
    names = [name for name in files["articlesmultistreamdump"]["files"] if ".xml" in name]
    manifest = tmp_path / "dump.json"
    manifest.write_text(
        json.dumps(
            {
                "language": language,
                "wiki": f"{language}wiki",
                "date": "20201201",
                "files": [{"path": str(folder / name)} for name in sorted(names)],
            }
        )
    )
    pages, redirects = tmp_path / "pages.parquet", tmp_path / "redirects.parquet"
    settings = json.dumps({"language": language, "wiki": f"{language}wiki"})
    arguments = ["--settings", settings, "--dump", str(manifest), "--part", "0", "--parts", "1"]
    arguments += ["--pages", str(pages), "--redirects", str(redirects)]
    assert extract.main([*arguments, "--report", str(tmp_path / "report.json")]) == 0
    found = [
        {
            "page_id": row["page_id"],
            "title": row["title"],
            "paragraphs": [
                {
                    "text": paragraph["text"],
                    "links": [[x["start"], x["end"], x["target"]] for x in paragraph["links"]],
                }
                for paragraph in row["paragraphs"]
            ],
        }
        for row in pq.read_table(pages).to_pylist()
    ]
    assert found == gold_lines(made / f"gold/{language}.jsonl")
    assert pq.read_table(redirects).to_pylist() == gold_lines(
        made / f"gold/{language}.redirects.jsonl"
    )


def test_gold_counts_are_those_of_the_gold_links(made):
    for language in SETTINGS["languages"]:
        articles = gold_lines(made / f"gold/{language}.jsonl")
        ends = {
            line["source"]: line["target"]
            for line in gold_lines(made / f"gold/{language}.resolved.jsonl")
        }
        titles = {article["title"] for article in articles}
        total = 0
        for article in articles:
            for paragraph in article["paragraphs"]:
                for _, _, target in paragraph["links"]:
                    total += ends.get(target, target) in titles
        entities = gold_lines(made / f"gold/{language}.entities.jsonl")
        assert sum(line["links"] for line in entities) == total > 1000
    vocabulary = gold_lines(made / "gold/vocabulary.jsonl")
    assert len(vocabulary) > 300
    assert all(len(entry["titles"]) == entry["languages"] >= 3 for entry in vocabulary)
    order = [(-entry["count"], entry["qid"]) for entry in vocabulary]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"languages": ["en", "xx"]}, "no miniature Wikipedia in xx"),
        ({"languages": []}, "no language"),
        ({"dump_date": "2020-12-01"}, "write it as YYYYMMDD"),
    ],
)
def test_wrong_settings_are_named(tmp_path, capsys, changes, message):
    assert make(tmp_path, **changes) == 1
    assert message in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_missing_settings_are_named(tmp_path, capsys):
    arguments = ["--output", f"{tmp_path}/mirror", "--gold", f"{tmp_path}/gold"]
    assert make_miniature.main(["--settings", '{"seed": 1}', *arguments]) == 1
    assert "languages" in capsys.readouterr().err
