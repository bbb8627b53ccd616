"""One language's extraction report."""

from __future__ import annotations

from typing import Any

import pytest

from mluke_core.corpus.report import as_markdown, extraction_report
from mluke_core.errors import DataError


def part(number: int, **counts: int) -> dict[str, Any]:
    names = ("pages", "articles", "redirects", "broken_pages", "broken_streams", "words")
    return {
        "language": "ja",
        "part": number,
        "counts": dict.fromkeys(names, 0) | counts,
        "word_unit": "characters",
        "links": {"kept": 10, "dropped": {"file": number + 1, "odd": 2}},
        "broken": [
            {"file": "a.bz2", "stream": 7, "page_id": 5, "title": "a|<b", "error": "bad"},
            {"file": "a.bz2", "stream": 9, "until": 12, "error": "worse"},
        ],
    }


RESOLVED = {
    "language": "ja",
    "kept": 3,
    "chains": 1,
    "dead_ends": 2,
    "redirects": 5,
    "dropped": {"circle": 2},
}


def test_parts_are_added_up() -> None:
    report = extraction_report([part(0, pages=1000, redirects=5), part(1, pages=234)], RESOLVED)
    assert report["counts"]["pages"] == 1234 and report["parts"] == 2
    assert report["links"] == {"kept": 20, "dropped": {"file": 3, "odd": 4}}
    assert report["redirects"] == {
        "kept": 3,
        "chains": 1,
        "dead_ends": 2,
        "dropped": {"circle": 2},
    }
    assert [entry["part"] for entry in report["broken"]] == [0, 0, 1, 1]


def test_the_page_to_read() -> None:
    text = as_markdown(extraction_report([part(0, pages=1234, redirects=5)], RESOLVED))
    assert "| pages read | 1,234 |" in text
    assert "| words (characters: the script writes no spaces) | 0 |" in text
    assert "| kept | 10 | 76.9 % |" in text
    assert "| dropped: file or picture | 1 | 7.7 % |" in text
    assert "| dropped: odd | 2 | 15.4 % |" in text
    assert "| of these to no article | 2 | 40.0 % |" in text
    assert "| dropped: runs in a circle | 2 | 40.0 % |" in text
    assert "| 0 | a.bz2 | 7 | 5 | a\\|&lt;b | bad |" in text
    assert "| 0 | a.bz2 | 9 |  |  | worse |" in text


def test_reports_of_several_languages() -> None:
    with pytest.raises(DataError, match="these are of de, ja"):
        extraction_report([part(0), part(1) | {"language": "de"}], RESOLVED)


def test_at_most_a_hundred_are_named() -> None:
    many = part(0) | {"broken": part(0)["broken"] * 80}
    assert len(extraction_report([many, many], RESOLVED)["broken"]) == 100
