"""Counting links: redirects, missing pages, items; independent of parts, threads and order."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.alignment.count_entities import count_entities
from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import DataError
from tests.alignment_world import read_rows, write_pages, write_redirects, write_sitelinks

Articles = dict[str, list[str]]


def count(
    folder: Path,
    parts: list[Articles],
    redirects: dict[str, str],
    items: dict[str, int],
    targets: str = "pages",
    **options: Any,
) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
    pages = [
        write_pages(folder / f"{i:03d}.parquet", articles, first_id=100 * i)
        for i, articles in enumerate(parts)
    ]
    report = count_entities(
        "en",
        pages,
        write_redirects(folder / "redirects.parquet", redirects),
        write_sitelinks(folder / "sitelinks.parquet", items),
        targets,
        folder / "out" / "entities.parquet",
        **options,
    )
    rows = [tuple(row.values()) for row in read_rows(folder / "out" / "entities.parquet")]
    assert [path.name for path in (folder / "out").iterdir()] == ["entities.parquet"]
    return rows, report


PARTS: list[Articles] = [
    {
        "Japan": ["[[Tokyo]] is the capital, [[Edo|once Edo]].", "[[Nowhere]] and [[Japan]]"],
        "Tokyo": ["In [[Japan]]; see [[Edo]]", ""],
    },
    {"Kyoto": ["[[Japan|Japanese]] city"], "Empty": []},
]


def test_links_are_resolved_and_counted(tmp_path: Path) -> None:
    items = {"Japan": 17, "Tokyo": 1490, "Nowhere": 5}
    rows, report = count(tmp_path, PARTS, {"Edo": "Tokyo"}, items)
    assert rows == [("Japan", 17, 3), ("Tokyo", 1490, 3)]
    assert report == {
        "language": "en",
        "targets": "pages",
        "articles": 4,
        "articles_that_are_redirects": 0,
        "links": 7,
        "links_redirected": 2,
        "links_to_missing_pages": 1,
        "links_without_item": 0,
        "links_with_item": 6,
        "entities": 2,
        "entities_with_item": 2,
    }
    rows, report = count(tmp_path, PARTS, {"Edo": "Tokyo"}, items, "sitelinks")
    assert rows == [("Japan", 17, 3), ("Tokyo", 1490, 3), ("Nowhere", 5, 1)]
    assert report["links_to_missing_pages"] == 0


def test_pages_without_item_stay_and_are_counted(tmp_path: Path) -> None:
    rows, report = count(tmp_path, PARTS, {"Edo": "Tokyo"}, {"Tokyo": 1490})
    assert rows == [("Japan", None, 3), ("Tokyo", 1490, 3)]
    assert (report["links_without_item"], report["links_with_item"]) == (3, 3)
    assert (report["entities"], report["entities_with_item"]) == (2, 1)
    rows, _ = count(tmp_path, PARTS, {"Edo": "Tokyo"}, {"Tokyo": 1490}, "sitelinks")
    assert rows == [("Tokyo", 1490, 3)]


def test_a_page_that_is_article_and_redirect(tmp_path: Path) -> None:
    rows, report = count(tmp_path, PARTS, {"Edo": "Tokyo", "Japan": "Kyoto"}, {})
    assert rows == [("Kyoto", None, 3), ("Tokyo", None, 3)]
    assert report["articles_that_are_redirects"] == 1


def test_circles_in_the_redirect_table_end(tmp_path: Path) -> None:
    circle = {"Tokyo": "Tokyo", "Edo": "Edo 2", "Edo 2": "Edo"}
    rows, report = count(tmp_path, PARTS, circle, {})
    assert rows == [("Japan", None, 3), ("Tokyo", None, 1)]
    assert report["links_to_missing_pages"] == 3


@pytest.mark.parametrize("length", [1, 2, 1000])
def test_circles_of_redirects_lead_nowhere(tmp_path: Path, length: int) -> None:
    """From the redirects of the pages to the counts: a circle of any length ends."""
    from mluke_core.corpus.redirects import resolve_redirects

    circle = {f"R{i}": f"R{(i + 1) % length}" for i in range(length)}
    chain = {f"C{i}": f"C{i + 1}" for i in range(length)} | {f"C{length}": "Japan"}
    path = write_redirects(tmp_path / "parts.parquet", circle | chain)
    table, _ = resolve_redirects([path], "en")
    resolved = dict(zip(table["source"].to_pylist(), table["target"].to_pylist(), strict=True))
    parts: list[Articles] = [{"Japan": ["[[R0]] [[C0]] [[C0|x]]"]}]
    rows, report = count(tmp_path, parts, resolved, {"Japan": 17})
    assert rows == [("Japan", 17, 2)]
    assert report["links_to_missing_pages"] == 1


def test_result_does_not_depend_on_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far less memory than the tables need: they go to the work folder, and are gone afterwards."""
    from mluke_core.alignment import database

    titles = [f"{i} {'long title ' * 9}" for i in range(30_000)]
    text = " ".join(f"[[{title}]]" for title in titles)
    parts: list[Articles] = [{"A": [text], titles[7]: [text[: len(text) // 3]]}]
    count(tmp_path, parts, {titles[3]: titles[7]}, {titles[5]: 5}, "sitelinks")
    whole = (tmp_path / "out" / "entities.parquet").read_bytes()
    monkeypatch.setattr(database, "MINIMUM_MB", 16)
    work = tmp_path / "work" / "en"
    count(
        tmp_path, parts, {titles[3]: titles[7]}, {titles[5]: 5}, "sitelinks", memory_mb=0, work=work
    )
    assert (tmp_path / "out" / "entities.parquet").read_bytes() == whole
    assert list(work.iterdir()) == []


def test_odd_titles(tmp_path: Path) -> None:
    titles = ['Say "hi"', "O'Neill", "Tab\there", "Nul\0l", "a,b;c", "𠮷野家", "x" * 255]
    text = " ".join(f"[[{title}]]" for title in titles)
    parts = [{title: [text] for title in titles}]
    rows, _ = count(tmp_path, parts, {}, {title: i for i, title in enumerate(titles, 1)})
    assert {row[0]: row[1:] for row in rows} == {
        title: (i, len(titles)) for i, title in enumerate(titles, 1)
    }


def test_an_empty_language(tmp_path: Path) -> None:
    rows, report = count(tmp_path, [{}], {}, {})
    assert rows == [] and report["links"] == report["articles"] == 0


def test_result_does_not_depend_on_parts_order_or_threads(tmp_path: Path) -> None:
    titles = [f"T{i}" for i in range(40)]
    articles = {
        title: [" ".join(f"[[{titles[(i * k) % 40]}]]" for k in range(1, 1 + i % 7))]
        for i, title in enumerate(titles)
    }
    results = set()
    orders = (titles, titles[::-1], sorted(titles, key=lambda title: title[::-1]))
    for order, size, threads in itertools.product(orders, (40, 7), (1, 3)):
        parts = [
            {title: articles[title] for title in order[start : start + size]}
            for start in range(0, 40, size)
        ]
        redirects = {"T3": "T4", "T9": "T2"}
        count(tmp_path, parts, redirects, dict.fromkeys(titles[:1], 7), threads=threads)
        results.add((tmp_path / "out" / "entities.parquet").read_bytes())
    assert len(results) == 1


@settings(max_examples=40, deadline=None)
@given(
    links=st.lists(st.lists(st.sampled_from("ABCDEFG"), max_size=8), min_size=1, max_size=5),
    redirects=st.dictionaries(st.sampled_from("EFG"), st.sampled_from("ABCD")),
    items=st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 99)),
)
def test_against_counting_by_hand(
    tmp_path_factory: pytest.TempPathFactory,
    links: list[list[str]],
    redirects: dict[str, str],
    items: dict[str, int],
) -> None:
    articles = {
        title: [" ".join(f"[[{target}]]" for target in targets)]
        for title, targets in zip("ABCDX", links, strict=False)
    }
    expected = Counter(redirects.get(target, target) for targets in links for target in targets)
    rows, report = count(tmp_path_factory.mktemp("hand"), [articles], redirects, items)
    assert rows == sorted(
        ((t, items.get(t), n) for t, n in expected.items() if t in articles),
        key=lambda row: (-row[2], row[0]),
    )
    assert report["links"] == sum(expected.values())
    kinds = ("links_to_missing_pages", "links_without_item", "links_with_item")
    assert sum(report[kind] for kind in kinds) == report["links"]


def test_wrong_files_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Write one of: pages, sitelinks"):
        count(tmp_path, PARTS, {}, {}, "items")
    pages = write_pages(tmp_path / "p.parquet", PARTS[0])
    redirects = write_redirects(tmp_path / "r.parquet", {})
    links = write_sitelinks(tmp_path / "s.parquet", {})
    output = tmp_path / "never" / "o.parquet"
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nonsense")
    for wrong, message in (
        ((redirects, redirects, links), "expected a page file"),
        ((pages, tmp_path / "none", links), "no such file"),
        ((pages, tmp_path / "bad.parquet", links), "not a readable Parquet file"),
        ((pages, redirects, redirects), "no column qid, title; it has source"),
    ):
        with pytest.raises(DataError, match=message):
            count_entities("en", [wrong[0]], wrong[1], wrong[2], "pages", output)
    assert not output.exists()


def test_names_are_looked_up_never_positions(tmp_path: Path) -> None:
    path = tmp_path / "entity_vocab.json"
    path.write_text(
        '{"[MASK]": 0, "[PAD]": 3, "en:A:b": 1, "ja:日本": 1, "[UNK]": 2, "[MASK2]": 4}'
    )
    vocabulary = EntityVocabulary.from_json(path)
    ids = (vocabulary.pad_id, vocabulary.unk_id, vocabulary.mask_id, vocabulary.mask2_id)
    assert ids == (3, 2, 0, 4) and vocabulary.size == len(vocabulary) == 5
    assert vocabulary.id_of("A:b", "en") == 1 and vocabulary.id_of("日本", "en") is None
    assert vocabulary.titles_of(1) == {"en": "A:b", "ja": "日本"} and vocabulary.titles_of(0) == {}
    assert vocabulary.titles_in("ja") == {"日本": 1} and vocabulary.languages() == ["en", "ja"]
    assert "en:A:b" in vocabulary and "A:b" not in vocabulary


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["[PAD]"]', "not an entity vocabulary"),
        ('{"[PAD]": 0, "[UNK]": 1, "[MASK]": "2"}', "not an entity vocabulary"),
        ('{"[PAD]": 0, "en:Japan": 1}', r"no \[UNK\], \[MASK\] in it"),
        ('{"[PAD]": 0', "not valid JSON"),
    ],
)
def test_a_wrong_entity_vocabulary_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "entity_vocab.json").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        EntityVocabulary.from_json(tmp_path / "entity_vocab.json")
    assert "entity_vocab.json" in str(error.value)
