"""Sitelinks from both forms of Wikidata, intact and broken."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.alignment.sitelinks import sitelinks
from mluke_core.config import read_yaml
from mluke_core.errors import DataError
from tests.alignment_world import read_rows
from tests.conftest import ROOT

HEADER = """-- MariaDB dump
CREATE TABLE `wb_items_per_site` (
  `ips_row_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `ips_item_id` int(10) unsigned NOT NULL,
  `ips_site_id` varbinary(32) NOT NULL,
  `ips_site_page` varbinary(310) NOT NULL,
  PRIMARY KEY (`ips_row_id`)
) ENGINE=InnoDB DEFAULT CHARSET=binary;

"""
WIKIS = {
    "en": "enwiki",
    "no": "nowiki",
    "be-tarask": "be_x_oldwiki",
    "nan": "zh_min_nanwiki",
    "simple": "simplewiki",
}
Rows = list[tuple[int, str, str]]


def escape(title: str) -> str:
    for plain, escaped in (
        ("\\", "\\\\"),
        ("'", "\\'"),
        ('"', '\\"'),
        ("\0", "\\0"),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\x1a", "\\Z"),
    ):
        title = title.replace(plain, escaped)
    return title


def insert(rows: Rows) -> str:
    values = ",".join(
        f"({n},{qid},'{wiki}','{escape(title)}')" for n, (qid, wiki, title) in enumerate(rows)
    )
    return f"INSERT INTO `wb_items_per_site` VALUES {values};\n"


def write_sql(path: Path, *inserts: str, header: str = HEADER) -> Path:
    path.write_bytes(gzip.compress((header + "".join(inserts)).encode("utf-8", "surrogateescape")))
    return path


def write_json_dump(path: Path, rows: Rows, *lines: str) -> Path:
    items: dict[int, dict[str, Any]] = {}
    for qid, wiki, title in rows:
        items.setdefault(qid, {})[wiki] = {"site": wiki, "title": title, "badges": []}
    written = [
        json.dumps({"type": "item", "id": f"Q{qid}", "sitelinks": links})
        for qid, links in items.items()
    ]
    text = "[\n" + ",\n".join([*written, *lines]) + "\n]\n"
    compress = bz2.compress if path.suffix == ".bz2" else gzip.compress
    path.write_bytes(compress(text.encode()))
    return path


def run(
    path: Path, form: str, output: Path, wikis: dict[str, str] = WIKIS, threads: int = 1
) -> dict[str, Any]:
    return sitelinks(path, form, wikis, output, {"wikis": wikis}, threads)


def table(output: Path, language: str) -> list[tuple[int, str]]:
    return [(row["qid"], row["title"]) for row in read_rows(output / f"{language}.parquet")]


def test_only_the_wikis_asked_for(tmp_path: Path) -> None:
    rows = [
        (7, "enwiki", 'O\'Brien \\ "x"'),
        (7, "enwikiquote", "No"),
        (7, "nowiki", "Ærlig"),
        (7, "nnwiki", "No"),
        (8, "be_x_oldwiki", "Менск"),
        (9, "zh_min_nanwiki", "Tâi-pak"),
        (9, "enwiki", "A_b"),
        (9, "simplewiki", "A"),
        (9, "simplewikibooks", "No"),
    ]
    for path, form in (
        (write_sql(tmp_path / "a.sql.gz", insert(rows[:3]), insert(rows[3:])), "sql"),
        (write_json_dump(tmp_path / "a.json.bz2", rows), "json"),
        (write_json_dump(tmp_path / "b.json.gz", rows), "json"),
    ):
        report = run(path, form, tmp_path / form)
        assert table(tmp_path / form, "en") == [(9, "A b"), (7, 'O\'Brien \\ "x"')]
        assert table(tmp_path / form, "no") == [(7, "Ærlig")]
        assert table(tmp_path / form, "be-tarask") == [(8, "Менск")]
        assert table(tmp_path / form, "nan") == [(9, "Tâi-pak")]
        assert table(tmp_path / form, "simple") == [(9, "A")]
        assert report["broken_lines"] == 0
    assert (tmp_path / "sql/en.parquet").read_bytes() == (tmp_path / "json/en.parquet").read_bytes()


TITLES = st.text(
    st.one_of(st.sampled_from("'\\\"(),;ab_ \t\n\0"), st.characters(codec="utf-8")), max_size=12
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from(["enwiki", "nowiki", "enwikiquote"]), TITLES),
        min_size=1,
        max_size=12,
    )
)
def test_any_title_reads_the_same_from_both(
    tmp_path_factory: pytest.TempPathFactory, rows: Rows
) -> None:
    folder = tmp_path_factory.mktemp("any")
    # JSON has one title per item and wiki; the SQL table could hold more only by damage.
    unique = {(qid, wiki): title for qid, wiki, title in rows}
    rows = [(qid, wiki, title) for (qid, wiki), title in unique.items()]
    rows.append((99, "enwiki", "Anchor"))
    wikis = {"en": "enwiki", "no": "nowiki"}
    reports = [
        run(write_sql(folder / "a.sql.gz", insert(rows)), "sql", folder / "sql", wikis),
        run(write_json_dump(folder / "a.json.gz", rows), "json", folder / "json", wikis),
    ]
    assert reports[0]["languages"] == reports[1]["languages"]
    assert all(report["broken_lines"] == 0 for report in reports)
    for language in wikis:
        assert table(folder / "sql", language) == table(folder / "json", language)
    titles = [title for _, title in table(folder / "sql", "en")]
    assert titles == sorted(set(titles), key=str.encode)
    counts = reports[0]["languages"]["en"]
    assert sum(counts.values()) == sum(wiki == "enwiki" for _, wiki, _ in rows)


def test_duplicates_have_one_winner_and_are_counted(tmp_path: Path) -> None:
    rows = [
        (5, "enwiki", "Same"),
        (3, "enwiki", "Same"),
        (3, "enwiki", "Same"),
        (8, "enwiki", "Second"),
        (8, "enwiki", "First"),
    ]
    for order in (rows, rows[::-1]):
        report = run(write_sql(tmp_path / "a.sql.gz", insert(order)), "sql", tmp_path / "out")
        assert table(tmp_path / "out", "en") == [(8, "First"), (3, "Same")]
        assert report["languages"]["en"] == {
            "sitelinks": 2,
            "duplicates": 3,
            "invalid_titles": 0,
        }


def test_titles_no_page_can_have_are_counted(tmp_path: Path) -> None:
    bad = ["", "a\tb", "a\nb", "nul\0", "x" * 256, "broken \udcff byte"]
    rows = [(i, "enwiki", title) for i, title in enumerate([*bad, "x" * 255, "good"], 1)]
    report = run(write_sql(tmp_path / "a.sql.gz", insert(rows)), "sql", tmp_path / "out")
    assert table(tmp_path / "out", "en") == [(8, "good"), (7, "x" * 255)]
    assert report["languages"]["en"]["invalid_titles"] == len(bad)


def test_broken_lines_are_counted_and_their_good_rows_kept(tmp_path: Path) -> None:
    good = insert([(1, "enwiki", "One"), (2, "enwiki", "Two")])
    cut = insert([(3, "enwiki", "Three"), (4, "enwiki", "Four")])[:-12] + "\n"
    report = run(write_sql(tmp_path / "a.sql.gz", good, cut), "sql", tmp_path / "out")
    assert table(tmp_path / "out", "en") == [(1, "One"), (3, "Three"), (2, "Two")]
    assert report["broken_lines"] == 1
    assert report["broken_examples"][0].startswith("line 11: not a complete INSERT")
    lines = ['{"id": "Q5", "sitelinks"', '{"no": "id"}', '{"id": "Q6", "sitelinks": {"enwiki": 1}}']
    dump = write_json_dump(tmp_path / "a.json.gz", [(1, "enwiki", "One")], *lines)
    report = run(dump, "json", tmp_path / "out")
    assert table(tmp_path / "out", "en") == [(1, "One")]
    assert report["broken_lines"] == 3 and "line 3" in report["broken_examples"][0]


def test_what_looks_like_the_end_of_a_row_inside_a_title(tmp_path: Path) -> None:
    titles = ["a'),(b", "c\\'),(1,2,'enwiki','d", "ends in \\", "'", "'),("]
    rows = [(i, "enwiki", title) for i, title in enumerate(titles, 1)]
    doubled = "INSERT INTO `wb_items_per_site` VALUES (1,9,'enwiki','x''),(y'),(2,8,'enwiki','');\n"
    report = run(write_sql(tmp_path / "a.sql.gz", insert(rows), doubled), "sql", tmp_path / "out")
    expected = {(i, title) for i, (_, _, title) in enumerate(rows, 1)} | {(9, "x'),(y")}
    assert set(table(tmp_path / "out", "en")) == expected
    assert report["broken_lines"] == 0
    assert report["languages"]["en"]["invalid_titles"] == 1


def test_lines_longer_than_a_block_and_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mluke_core.alignment.line_blocks.BLOCK_BYTES", 50)
    cut = "INSERT INTO `wb_items_per_site` VALUES (1,3,'enwiki','Three'),(\n"
    whole = insert([(i, "enwiki", f"T{i}") for i in range(1, 40)])
    report = run(write_sql(tmp_path / "a.sql.gz", whole, cut), "sql", tmp_path / "out")
    assert len(table(tmp_path / "out", "en")) == 39
    assert report["broken_examples"][0].startswith("line 11:")
    dump = write_json_dump(tmp_path / "a.json.gz", [(1, "enwiki", "T" * 200)], "{", '{"id": "Q2"}')
    report = run(dump, "json", tmp_path / "out")
    assert report["broken_examples"] == ["line 3: not an entity in JSON: {,"]
    assert (report["lines"], report["without_sitelinks"]) == (2, 1)


def test_several_cores_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(i, wiki, f"Title {i * 7919 % 450}") for i in range(1, 500) for wiki in WIKIS.values()]
    dump = write_json_dump(tmp_path / "a.json.bz2", rows, "{")
    monkeypatch.setattr("mluke_core.alignment.line_blocks.BLOCK_BYTES", 20_000)
    reports = [run(dump, "json", tmp_path / str(n), threads=n) for n in (1, 2)]
    assert reports[0] == reports[1] and reports[0]["lines"] == 499
    for language in WIKIS:
        name = f"{language}.parquet"
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_old_and_odd_items(tmp_path: Path) -> None:
    lines = [
        '{"id": "Q5", "sitelinks": []}',
        '{"id": "Q6"}',
        '{"id": "Q7", "sitelinks": {"enwiki": "Bare title"}}',
        '{"id": "P31", "type": "property"}',
    ]
    dump = write_json_dump(tmp_path / "a.json.gz", [(1, "enwiki", "One")], *lines)
    report = run(dump, "json", tmp_path / "out")
    assert table(tmp_path / "out", "en") == [(7, "Bare title"), (1, "One")]
    assert (report["lines"], report["without_sitelinks"], report["broken_lines"]) == (4, 2, 0)


def test_an_empty_language_gives_an_empty_table(tmp_path: Path) -> None:
    run(write_sql(tmp_path / "a.sql.gz", insert([(1, "enwiki", "One")])), "sql", tmp_path / "out")
    assert table(tmp_path / "out", "no") == []


def test_unusable_files_are_one_clear_error(tmp_path: Path) -> None:
    whole = write_sql(tmp_path / "a.sql.gz", insert([(1, "dewiki", "Eins")] * 500))
    with pytest.raises(DataError, match="no sitelink to any of enwiki"):
        run(whole, "sql", tmp_path / "out")
    with pytest.raises(DataError, match="no INSERT line"):
        run(write_sql(tmp_path / "b.sql.gz"), "sql", tmp_path / "out")
    other = HEADER.replace("ips_site_page", "page_title")
    with pytest.raises(DataError, match="expected a dump of wb_items_per_site"):
        run(
            write_sql(tmp_path / "b.sql.gz", insert([(1, "enwiki", "x")]), header=other),
            "sql",
            tmp_path,
        )
    with pytest.raises(DataError, match="expected a Wikidata JSON dump"):
        run(whole, "json", tmp_path / "out")
    with pytest.raises(DataError, match="Write sql or json"):
        run(whole, "xml", tmp_path / "out")
    with pytest.raises(DataError, match="no such file"):
        run(tmp_path / "none.sql.gz", "sql", tmp_path / "out")
    cut = tmp_path / "cut.sql.gz"
    cut.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(DataError, match="damaged or cut off"):
        run(cut, "sql", tmp_path / "out")
    dump = write_json_dump(tmp_path / "c.json.bz2", [(i, "enwiki", f"T{i}") for i in range(99)])
    dump.write_bytes(dump.read_bytes()[:-60])
    with pytest.raises(DataError, match="damaged or cut off"):
        run(dump, "json", tmp_path / "out")


@pytest.mark.sample
def test_both_forms_agree_on_real_excerpts(mirror: Path, tmp_path: Path) -> None:
    folder = mirror / "dumps.wikimedia.org/wikidatawiki"
    languages = sorted(read_yaml(ROOT / "config.yaml")["languages"])
    wikis = {language: f"{language}wiki" for language in languages}
    (sql,) = folder.glob("*/*wb_items_per_site.sql.gz")
    (dump,) = folder.glob("entities/*/*-all.json.bz2")
    reports = [
        run(sql, "sql", tmp_path / "sql", wikis),
        run(dump, "json", tmp_path / "json", wikis),
    ]
    assert reports[0]["languages"] == reports[1]["languages"]
    assert [report["broken_lines"] for report in reports] == [0, 0]
    assert reports[1]["lines"] == 722
    counts = {language: reports[0]["languages"][language]["sitelinks"] for language in languages}
    assert (counts["en"], counts["ja"], counts["te"]) == (709, 635, 312)
    for language in languages:
        name = f"{language}.parquet"
        assert (tmp_path / "sql" / name).read_bytes() == (tmp_path / "json" / name).read_bytes()
