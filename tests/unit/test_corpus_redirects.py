"""Redirects followed to the end of their chains."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.corpus.pages_file import REDIRECTS
from mluke_core.corpus.redirects import resolve_redirects
from mluke_core.errors import DataError

Row = tuple[str, str, str | None]


def write(path: Path, rows: list[Row]) -> Path:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    pq.write_table(pa.table(columns, schema=REDIRECTS), path)
    return path


def resolve(folder: Path, *parts: list[Row], language: str = "en") -> tuple[list[Row], dict]:
    paths = [write(folder / f"{number}.parquet", rows) for number, rows in enumerate(parts)]
    table, report = resolve_redirects(paths, language)
    return [(r["source"], r["target"], r["fragment"]) for r in table.to_pylist()], report


def test_chains_over_parts_are_followed_and_sorted(tmp_path: Path) -> None:
    rows, report = resolve(tmp_path, [("C", "D", None), ("A", "B", None)], [("B", "C", None)])
    assert rows == [("A", "D", None), ("B", "D", None), ("C", "D", None)]
    assert report == {
        "language": "en",
        "redirects": 3,
        "kept": 3,
        "chains": 2,
        "dead_ends": None,
        "dropped": {},
    }


def test_the_fragment_is_that_of_the_last_hop(tmp_path: Path) -> None:
    rows, _ = resolve(
        tmp_path, [("A", "B", "x"), ("B", "C", "y"), ("D", "C", None), ("E", "D", "z")]
    )
    assert rows == [("A", "C", "y"), ("B", "C", "y"), ("D", "C", None), ("E", "C", None)]


def test_a_very_long_chain(tmp_path: Path) -> None:
    length = 5000
    rows, report = resolve(tmp_path, [(f"P{i}", f"P{i + 1}", None) for i in range(length)])
    assert {target for _, target, _ in rows} == {f"P{length}"}
    assert (report["kept"], report["chains"]) == (length, length - 1)


def test_circles_and_what_leads_into_them_are_dropped(tmp_path: Path) -> None:
    rows, report = resolve(
        tmp_path,
        [("A", "B", None), ("B", "A", None), ("C", "A", None), ("D", "D", None)],
        [("E", "F", None)],
    )
    assert rows == [("E", "F", None)]
    assert report["dropped"] == {"circle": 4}


def test_other_namespaces_and_wikis_are_dropped(tmp_path: Path) -> None:
    rows, report = resolve(
        tmp_path,
        [
            ("A", "Category:X", None),
            ("B", "A", None),
            ("C", "wikt:x", None),
            ("D", "fr:X", None),
            ("E", "", None),
            ("F", "Project:X", None),
            ("G", "Mission: Impossible", None),
        ],
    )
    assert rows == [("G", "Mission: Impossible", None)]
    assert report["dropped"] == {
        "interlanguage": 1,
        "interwiki": 1,
        "invalid": 1,
        "namespace": 2,
        "chain_leaves_articles": 1,
    }


def test_the_first_of_two_with_the_same_title_counts(tmp_path: Path) -> None:
    rows, report = resolve(tmp_path, [("A", "B", None)], [("A", "C", None)])
    assert rows == [("A", "B", None)] and report["dropped"] == {"duplicate": 1}


def test_redirects_to_no_article_are_counted(tmp_path: Path) -> None:
    parts = []
    for number, titles in enumerate((["A", "B"], ["C"])):
        parts.append(tmp_path / f"pages{number}")
        pq.write_table(pa.table({"page_id": [1] * len(titles), "title": titles}), parts[-1])
    redirects = write(tmp_path / "r", [("x", "A", None), ("y", "x", None), ("z", "D", None)])
    table, report = resolve_redirects([redirects], "en", parts)
    assert table.num_rows == 3 and report["dead_ends"] == 1
    with pytest.raises(DataError, match="gone: not a readable Parquet file of pages"):
        resolve_redirects([redirects], "en", [tmp_path / "gone"])


def test_no_redirects(tmp_path: Path) -> None:
    rows, report = resolve(tmp_path, [], [])
    assert rows == [] and report["redirects"] == report["kept"] == 0


def test_files_that_are_no_redirects(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a readable Parquet file"):
        resolve_redirects([tmp_path / "gone.parquet"], "en")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"has the columns a; source, target, fragment"):
        resolve_redirects([tmp_path / "a.parquet"], "en")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 12), st.integers(0, 15), max_size=12))
def test_same_as_following_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, graph: dict[int, int]
) -> None:
    rows: list[Row] = [(f"P{a}", f"P{b}", None) for a, b in graph.items()]
    found, _ = resolve(tmp_path_factory.mktemp("r"), rows)
    wanted = {}
    for source in graph:
        seen, at = {source}, graph[source]
        while at in graph and at not in seen:
            seen.add(at)
            at = graph[at]
        if at not in graph:
            wanted[f"P{source}"] = f"P{at}"
    assert {source: target for source, target, _ in found} == wanted
