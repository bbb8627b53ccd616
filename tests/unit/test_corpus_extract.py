"""One part of a dump to Parquet and a report."""

from __future__ import annotations

import bz2
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from indexed_bzip2 import IndexedBzip2File

from mluke_core.corpus import bz2_streams
from mluke_core.corpus.__main__ import main as corpus_main
from mluke_core.corpus.extract import extract_part
from mluke_core.corpus.pages_file import PAGES
from mluke_core.errors import DataError
from mluke_core.io.parquet import read_metadata
from tests.dumps import FOOTER, articles, header, multistream, page, single


def extract(
    folder: Path,
    files: list[Path],
    part: int = 0,
    parts: int = 1,
    language: str = "en",
    **options: Any,
) -> tuple[list[dict], list[dict], dict]:
    paths = [folder / "out" / f"{part}-{parts}.{kind}" for kind in ("pages", "redirects", "json")]
    report = extract_part(
        files,
        part,
        parts,
        language=language,
        pages_path=paths[0],
        redirects_path=paths[1],
        report_path=paths[2],
        wiki_name=options.pop("wiki_name", ""),
        corpus=options,
    )
    assert json.loads(paths[2].read_text()) == report
    return pq.read_table(paths[0]).to_pylist(), pq.read_table(paths[1]).to_pylist(), report


def test_pages_redirects_and_report(tmp_path: Path) -> None:
    streams = [
        page(1, "Cat", "A [[dog]]s [[File:x]] b.\n\n* [[New York City|NYC]]")
        + page(2, "Kitty", "#REDIRECT [[cat#Young]]", redirect="Cat")
        + page(3, "Template:X", "x", 10),
        page(4, "Empty", "{{x}}") + page(5, "Kit", "#redirect: [[kitty|y]] {{R}}"),
    ]
    pages, redirects, report = extract(tmp_path, [multistream(tmp_path / "x.bz2", streams)])
    assert pages == [
        {
            "page_id": 1,
            "title": "Cat",
            "paragraphs": [
                {
                    "text": "A dogs b.",
                    "links": [{"start": 2, "end": 6, "target": "Dog"}],
                    "kind": "text",
                },
                {
                    "text": "NYC",
                    "links": [{"start": 0, "end": 3, "target": "New York City"}],
                    "kind": "item",
                },
            ],
        },
        {"page_id": 4, "title": "Empty", "paragraphs": []},
    ]
    assert redirects == [
        {"source": "Kitty", "target": "Cat", "fragment": "Young"},
        {"source": "Kit", "target": "Kitty", "fragment": None},
    ]
    assert report == {
        "language": "en",
        "part": 0,
        "counts": {
            "pages": 5,
            "articles": 2,
            "redirects": 2,
            "other_namespaces": 1,
            "other_models": 0,
            "broken_pages": 0,
            "broken_streams": 0,
            "paragraphs": 2,
            "characters": 12,
            "words": 4,
        },
        "word_unit": "spaces",
        "links": {"kept": 2, "dropped": {"file": 1}},
        "broken": [],
    }


def test_schema_and_metadata(tmp_path: Path) -> None:
    path = multistream(tmp_path / "x.bz2", articles(3))
    extract(tmp_path, [path])
    out = tmp_path / "out" / "0-1.pages"
    assert pq.read_schema(out).equals(PAGES)
    assert pa.types.is_int32(PAGES.field("paragraphs").type.value_type[1].type.value_type[0].type)
    assert read_metadata(out)["stage"] == "extract"


@pytest.mark.parametrize(
    ("language", "text", "tag", "target"),
    [
        ("en", "#REDIRECT [[a b]]", None, "A b"),
        ("en", " # redirect [[a]]", None, None),
        ("de", "#weiterleitung [[a]]", None, "A"),
        ("ja", "＃転送[[a]]", None, "A"),
        ("ar", "#تحويل [[قطة]]", None, "قطة"),
        ("tr", "#YÖNLENDİRME [[istanbul]]", None, "İstanbul"),
        ("en", "#WEITERLEITUNG [[a#b]]", "A", "A"),
        ("en", "nothing", "Tagged", "Tagged"),
        ("en", "#REDIRECT [[x]]", "", "X"),
        ("en", "# a list [[x]]", None, None),
        ("en", "#REDIRECT nowhere", None, None),
        ("en", "#REDIRECT [[Kategorie:x]]", None, "Kategorie:x"),
        ("de", "#REDIRECT [[Kategorie:x]]", None, "Category:X"),
    ],
)
def test_redirects_by_tag_and_by_words(
    tmp_path: Path, language: str, text: str, tag: str | None, target: str | None
) -> None:
    head = header(language)
    dump = multistream(tmp_path / "x.bz2", [page(1, "S", text, redirect=tag)], head)
    pages, redirects, _ = extract(tmp_path, [dump], language=language)
    assert [row["target"] for row in redirects] == ([target] if target else [])
    assert len(pages) == (0 if target else 1)


def test_old_schemas_take_the_namespace_from_the_title(tmp_path: Path) -> None:
    pages = page(1, "A: b", "a", None) + page(2, "File:C", "c", None) + page(3, "Talk:D", "d", None)
    dump = multistream(tmp_path / "x.bz2", [pages], header(schema="0.3"))
    found, _, report = extract(tmp_path, [dump])
    assert [row["title"] for row in found] == ["A: b"]
    assert report["counts"]["other_namespaces"] == 2


def test_pages_that_are_not_wikitext(tmp_path: Path) -> None:
    text = page(1, "A", "a").replace("<model>wikitext", "<model>json")
    _, _, report = extract(tmp_path, [multistream(tmp_path / "x.bz2", [text])])
    assert report["counts"]["other_models"] == 1 and report["counts"]["articles"] == 0


def test_parts_together_are_the_whole(tmp_path: Path) -> None:
    files = [
        multistream(tmp_path / "1.bz2", articles(40)),
        single(tmp_path / "2.bz2", header() + "".join(articles(5, first=41)) + FOOTER),
    ]
    whole, _, report = extract(tmp_path, files)
    parts = [extract(tmp_path, files, part, 4) for part in range(4)]
    assert [row for pages, _, _ in parts for row in pages] == whole
    assert sum(r["links"]["kept"] for _, _, r in parts) == report["links"]["kept"] == 45


def test_an_empty_part_is_an_empty_file(tmp_path: Path) -> None:
    dump = single(tmp_path / "x.bz2", header() + page(1, "A", "a") + FOOTER)
    pages, redirects, report = extract(tmp_path, [dump], 1, 2)
    assert pages == redirects == [] and report["counts"]["pages"] == 0


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    dump = multistream(tmp_path / "x.bz2", articles(20))
    extract(tmp_path / "a", [dump])
    extract(tmp_path / "b", [dump])
    for name in ("0-1.pages", "0-1.redirects", "0-1.json"):
        assert (tmp_path / "a/out" / name).read_bytes() == (tmp_path / "b/out" / name).read_bytes()


def test_row_groups_do_not_change_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = multistream(tmp_path / "x.bz2", articles(20))
    whole, _, _ = extract(tmp_path / "a", [dump])
    monkeypatch.setattr("mluke_core.corpus.pages_file.ROW_GROUP_CHARACTERS", 50)
    cut, _, _ = extract(tmp_path / "b", [dump])
    assert cut == whole
    assert pq.ParquetFile(tmp_path / "b/out/0-1.pages").num_row_groups > 5


@pytest.mark.parametrize(
    ("language", "unit", "words"), [("en", "spaces", 4), ("ja", "characters", 8)]
)
def test_how_words_are_counted(tmp_path: Path, language: str, unit: str, words: int) -> None:
    dump = multistream(tmp_path / "x.bz2", [page(1, "A", "ab cd ef\n\ngh")], header(language))
    _, _, report = extract(tmp_path, [dump], language=language)
    assert (report["word_unit"], report["counts"]["words"]) == (unit, words)


def test_too_much_broken_fails_and_leaves_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    streams = articles(10, 1)
    streams[3] = streams[3].replace("Text", "<")
    dump = multistream(tmp_path / "x.bz2", streams)
    message = r"1 pages and 0 streams beside 9 good pages are broken, .*0\.001.* page 4 \(Title 4\)"
    with pytest.raises(DataError, match=message):
        extract(tmp_path, [dump])
    assert not list((tmp_path / "out").iterdir())
    caplog.clear()
    _, _, report = extract(tmp_path, [dump], max_broken=0.2)
    assert (
        "1 pages and 0 streams beside 9 good pages are broken and left out" in caplog.messages[-1]
    )
    assert "page 4 (Title 4): not well-formed" in caplog.messages[-1]
    assert report["counts"]["broken_pages"] == 1 and report["broken"][0]["page_id"] == 4


def test_a_broken_stream_counts_as_the_pages_it_holds(tmp_path: Path) -> None:
    dump = multistream(tmp_path / "x.bz2", articles(300, 3))
    raw = bytearray(dump.read_bytes())
    starts = [i for i in range(len(raw)) if raw[i : i + 10] == b"BZh91AY&SY"]
    raw[starts[5] + 30 : starts[5] + 60] = b"\0" * 30
    dump.write_bytes(raw)
    with pytest.raises(DataError, match=f"0 pages and 1 streams .* byte {starts[5]}"):
        extract(tmp_path, [dump], max_broken=0.2)
    _, _, report = extract(tmp_path, [dump], max_broken=0.3)
    assert report["counts"]["broken_streams"] == 1 and report["counts"]["articles"] == 297


def test_a_dump_of_another_wiki(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dump = multistream(tmp_path / "x.bz2", articles(1), header("de"))
    with pytest.raises(DataError, match=r"a dump of 'dewiki', but 'enwiki' was asked for"):
        extract(tmp_path, [dump], wiki_name="enwiki")
    extract(tmp_path, [dump])
    assert "says the language is 'de'; it is read as 'en'" in caplog.text


def test_a_dump_of_another_wiki_from_before_its_name_was_in_the_header(tmp_path: Path) -> None:
    base = "<base>http://de.wikipedia.org/wiki/Hauptseite</base>"
    head = header("de", schema="0.3").replace("<dbname>dewiki</dbname>", base)
    dump = multistream(tmp_path / "x.bz2", articles(1), head)
    with pytest.raises(DataError, match=r"a dump of 'dewiki', but 'enwiki' was asked for"):
        extract(tmp_path, [dump], wiki_name="enwiki")
    extract(tmp_path, [dump], language="de", wiki_name="dewiki")


def test_an_unknown_extractor(tmp_path: Path) -> None:
    dump = multistream(tmp_path / "x.bz2", articles(1))
    with pytest.raises(DataError, match="write mluke or wikiextractor"):
        extract(tmp_path, [dump], extractor="other")
    assert not list((tmp_path / "out").iterdir())


def test_wikiextractor_under_the_same_contract(tmp_path: Path) -> None:
    text = "'''A''' & [[dog]]s, &lt;x&gt; [[New York City|the city]]\n\n== H ==\nmore [[b]] text"
    streams = [page(1, "Cat", text) + page(2, "R", "#REDIRECT [[a]]"), page(3, "Last", "[[cat]] x")]
    dump = multistream(tmp_path / "x.bz2", streams)
    pages, redirects, report = extract(tmp_path, [dump], extractor="wikiextractor")
    assert [row["title"] for row in pages] == ["Cat", "Last"] and len(redirects) == 1
    links = {
        (p["text"][link["start"] : link["end"]], link["target"])
        for row in pages
        for p in row["paragraphs"]
        for link in p["links"]
    }
    assert {("the city", "New York City"), ("b", "B"), ("cat", "Cat")} <= links
    assert report["links"]["kept"] == sum(len(p["links"]) for r in pages for p in r["paragraphs"])
    assert not [path.name for path in (tmp_path / "out").iterdir() if "wikiextractor" in path.name]


def test_wikiextractor_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mluke_core.corpus.wikiextractor.COMMAND", ("false",))
    dump = multistream(tmp_path / "x.bz2", articles(1))
    with pytest.raises(Exception, match="wikiextractor failed"):
        extract(tmp_path, [dump], extractor="wikiextractor")


def test_the_command_for_people_who_only_want_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = [
        page(1, "A", "[[b]]") + page(2, "C", "#REDIRECT [[D]]") + page(3, "D", "#REDIRECT [[A]]")
    ]
    dump = multistream(tmp_path / "x.bz2", streams)
    assert corpus_main([str(dump), "-o", str(tmp_path / "out")]) == 0
    assert "1 articles, 1 links" in capsys.readouterr().out
    redirects = pq.read_table(tmp_path / "out" / "redirects.parquet").to_pylist()
    assert [(row["source"], row["target"]) for row in redirects] == [("C", "A"), ("D", "A")]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["redirects"] == {"kept": 2, "chains": 1, "dead_ends": 0, "dropped": {}}
    assert "| articles | 1 |" in (tmp_path / "out" / "report.md").read_text()
    assert corpus_main([str(tmp_path / "gone"), "-o", str(tmp_path / "out2")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_threads_of_the_command_leave_the_files_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Level 1 makes blocks of 100 kB, of which there are several; all is one stream.
    pages = "".join(page(n, f"T{n}", f"[[A{n}]] " + f"{n * 7919:x} " * 400) for n in range(1, 200))
    dump = tmp_path / "x.bz2"
    dump.write_bytes(bz2.compress(f"{header()}{pages}{FOOTER}".encode(), 1))
    monkeypatch.setattr(bz2_streams, "HELD_BYTES", 1_000)
    used: list[int] = []

    def spy(source: Any, parallelization: int) -> Any:
        used.append(parallelization)
        return IndexedBzip2File(source, parallelization=parallelization)

    monkeypatch.setattr(bz2_streams, "IndexedBzip2File", spy)
    files = []
    for threads in ("1", "2"):
        folder = tmp_path / threads
        assert corpus_main([str(dump), "-o", str(folder), "--threads", threads]) == 0
        files.append({path.name: path.read_bytes() for path in folder.iterdir()})
        assert max(used) == int(threads)
        used.clear()
    assert files[0] == files[1] and len(files[0]) == 4
    assert pq.read_table(tmp_path / "1" / "pages.parquet").num_rows == 199
    assert corpus_main([str(dump), "-o", str(tmp_path / "0"), "--threads", "0"]) == 1
    assert "0 threads: write 1 or more" in capsys.readouterr().err


def test_the_command_on_a_language_beyond_the_24(tmp_path: Path) -> None:
    text = "-{sr-ec:реч;sr-el:reč}- [[кућа]]ма, [[Датотека:а.jpg|мини]] и [[Слика:б.jpg]]"
    pages = page(1, "Кућа", text) + page(2, "Дом", "#ПРЕУСМЕРИ [[кућа]]")
    dump = multistream(tmp_path / "x.bz2", [pages], header("sr"))
    assert corpus_main([str(dump), "-o", str(tmp_path / "out")]) == 0
    (row,) = pq.read_table(tmp_path / "out" / "pages.parquet").to_pylist()
    assert "".join(p["text"] for p in row["paragraphs"]).startswith("реч кућама,")
    ((link,),) = [p["links"] for p in row["paragraphs"] if p["links"]]
    assert link == {"start": 4, "end": 10, "target": "Кућа"}
    (redirect,) = pq.read_table(tmp_path / "out" / "redirects.parquet").to_pylist()
    assert (redirect["source"], redirect["target"]) == ("Дом", "Кућа")
