"""The `corpus` section: presets, and what each option changes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mluke_core.corpus.extract import extract_part
from mluke_core.corpus.options import PRESETS, corpus_options
from mluke_core.errors import DataError
from tests.dumps import header, multistream, page

PAGE = """[[Haus]]es {{lang|la|domus}}
und [[Datei:a.jpg|mini|[[Bild]]]] mehr
[[Kategorie:K]] [[File:b.jpg|c]]"""


def extract(folder: Path, **corpus: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    dump = multistream(folder / "x.bz2", [page(1, "A", PAGE)], header("de"))
    extract_part(
        [dump],
        0,
        1,
        language="de",
        pages_path=folder / "pages",
        redirects_path=folder / "redirects",
        report_path=folder / "report",
        corpus=corpus,
    )
    (row,) = pq.read_table(folder / "pages").to_pylist()
    return [
        (p["text"], [(p["text"][k["start"] : k["end"]], k["target"]) for k in p["links"]])
        for p in row["paragraphs"]
    ]


def test_presets_decide_what_is_not_given() -> None:
    assert corpus_options() == corpus_options({"preset": "reader", "link_trails": None})
    authors = asdict(corpus_options({"preset": "authors", "max_broken": 0.5}))
    assert authors.pop("max_broken") == 0.5
    assert {key: authors[key] for key in PRESETS["authors"]} == PRESETS["authors"]
    assert all(PRESETS["authors"][key] != value for key, value in PRESETS["reader"].items())
    assert corpus_options({"preset": "authors", "link_trails": True}).link_trails


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ({"preset": "author"}, "write reader or authors"),
        ({"link_trail": True}, "no key link_trail"),
    ],
)
def test_mistakes(corpus: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        corpus_options(corpus)


def test_text_and_links_as_readers_see_them(tmp_path: Path) -> None:
    paragraphs = extract(tmp_path)
    assert "".join(text for text, _ in paragraphs).replace(" ", "") == "Hausesdomusundmehr"
    assert paragraphs[0][1] == [("Hauses", "Haus")]


def test_text_and_links_as_in_the_authors_data(tmp_path: Path) -> None:
    paragraphs = extract(tmp_path, preset="authors")
    assert paragraphs[0] == ("Hauses", [("Haus", "Haus")])
    texts = [text for text, _ in paragraphs]
    assert "domus" not in " ".join(texts)
    assert any(text.startswith("und mini|") for text in texts)
    assert texts[-1].startswith("Kategorie:K") and "c" not in texts[-1]


@pytest.mark.parametrize(
    ("option", "value", "found"),
    [
        ("link_trails", True, "Hauses|Haus"),
        ("template_text", True, "domus"),
        ("local_prefixes", True, "mehr"),
        ("paragraph_per_line", False, "Hauses und"),
    ],
)
def test_an_option_goes_before_its_preset(
    tmp_path: Path, option: str, value: bool, found: str
) -> None:
    paragraphs = extract(tmp_path, preset="authors", **{option: value})
    shown = [text for text, _ in paragraphs]
    shown += [f"{anchor}|{target}" for _, links in paragraphs for anchor, target in links]
    assert any(found in text for text in shown), shown
    if option == "local_prefixes":
        assert not any("mini" in text or "Kategorie" in text for text in shown)
