"""Mention tables, mentions of articles and their translation, detection in text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mluke_core.alignment import occurrences, piece_symbols
from mluke_core.alignment.article_mentions import (
    SCHEMA as ARTICLE_SCHEMA,
)
from mluke_core.alignment.article_mentions import (
    Tables,
    article_mentions,
    articles_of,
)
from mluke_core.alignment.count_mentions import SCHEMA, count_mentions
from mluke_core.alignment.detection import ArticleMentions, MentionDetector
from mluke_core.alignment.mention_text import (
    MARK,
    fold,
    mark,
    mark_with_offsets,
    normalize_mention,
)
from mluke_core.alignment.occurrences import OccurrenceCounter
from mluke_core.alignment.text_pieces import pieces_of
from mluke_core.errors import ConfigError, DataError
from mluke_core.io.parquet import stage_metadata
from mluke_core.io.parquet import write_table as write
from tests.alignment_world import (
    TEXT,
    read_rows,
    write_pages,
    write_redirects,
    write_rows,
    write_sitelinks,
    write_source,
    write_vocabulary,
)

LINES = TEXT.read_text("utf-8").splitlines()
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(LINES),
        st.sampled_from([" ", "İ", "ß", "Σ", "𠮷", "😀", "e\u0301", "กำ", "O’Neill", "", "Ǆ"]),
        st.text(max_size=5),
    ),
    max_size=4,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, language=st.sampled_from(["en", "tr", "el", "ja"]))
def test_folding_keeps_offsets(text: str, language: str) -> None:
    folded = fold(text, language)
    assert len(folded) == len(text) and fold(folded, language) == folded
    marked, offsets = mark_with_offsets(folded)
    assert marked.replace(MARK, "") == folded.replace(MARK, "")
    assert len(marked) == len(offsets) and offsets[0] == 0 and offsets[-1] == len(text)
    assert all(
        folded[offset] == character
        for character, offset in zip(marked, offsets, strict=True)
        if character != MARK
    )


def test_case_by_language() -> None:
    assert fold("IĞDIR İzmir", "tr") == "ığdır izmir" and fold("IBM", "en") == "ibm"
    assert fold("ΟΔΟΣ οδός", "el") == "οδοσ οδόσ"  # accents stay, final sigma is no other letter
    assert fold("İ", "en") == "İ"  # its lower case would be two characters
    assert normalize_mention(" O’Neill\u00a0 Jr. ", "en") == "o'neill jr."


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("", "|"),
        ("a cat's 3rd", "|a| |cat|'|s| |3rd|"),
        ("東京タワー", "|東|京|タ|ワ|ー|"),
        ("the東京x", "|the|東|京|x|"),
        ("cafe\u0301s", "|cafe\u0301s|"),
        ("กำ", "|ก|ำ|"),
        ("ที่", "|ที่|"),
        ("𠮷野", "|𠮷|野|"),
        ("도쿄는", "|도쿄는|"),
        ("الدنيا السبع", "|الدنيا| |السبع|"),
    ],
)
def test_where_mentions_may_begin_and_end(text: str, marked: str) -> None:
    assert mark(text).replace(MARK, "|") == marked


def test_occurrences_are_documents_with_whole_words() -> None:
    texts = ["New York, new YORK and York", "Yorkshire", "in New  York", "東京都 york."]
    mentions = ["new york", "york", "new", "東京", "京都", "none"]
    counts = OccurrenceCounter(mentions, "en").count(texts)
    assert counts == {"new york": 1, "york": 3, "new": 2, "東京": 1, "京都": 1}
    assert OccurrenceCounter([], "en").count(texts) == {}


def test_pieces_end_where_mentions_may() -> None:
    texts = ["a cat's", "", "東京 a", "a \u0301b", "\u0301b", "caf\u00e9\n"]
    pieces, bounds = pieces_of(texts)
    found = pieces.to_pylist()
    assert len(bounds) == len(texts) + 1 and bounds[-1] == len(found)
    for text, first, last in zip(texts, bounds, bounds[1:], strict=False):
        assert found[first:last] == [*mark(text)[1:-1].split(MARK), "\n"][not text :]


def test_more_pieces_than_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symbols of two characters, also beyond a whole row of the second ones."""
    monkeypatch.setattr(piece_symbols, "SHORT_SYMBOLS", 10)
    words = [f"w{number}" for number in range(40_000)]
    mentions = [" ".join(words[i : i + 2]) for i in range(0, len(words) - 1, 7)]
    counts = OccurrenceCounter([*mentions, "w1"], "en").count([" ".join(words), "w1 w2, w7 w8"])
    assert counts == dict.fromkeys(mentions, 1) | {"w7 w8": 2, "w1": 2}


@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(st.text("ab 京.'\u0301\n", max_size=20), max_size=6),
    mentions=st.sets(
        st.text("ab 京.'\u0301", min_size=1, max_size=6)
        .map(lambda text: " ".join(text.split()))
        .filter(bool),
        max_size=12,
    ),
    batch=st.sampled_from([1, 10, 1000]),
    block=st.sampled_from([1, 10, 1000]),
)
@example([" \u0301", "a \u0301b"], {"\u0301", "a \u0301b", "a"}, 1000, 1000)
def test_occurrences_against_searching_for_each(
    texts: list[str], mentions: set[str], batch: int, block: int
) -> None:
    """However many texts are taken at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "BATCH_CHARACTERS", batch)
        patch.setattr(occurrences, "BLOCK_CHARACTERS", block)
        counts = OccurrenceCounter(sorted(mentions), "en").count(texts)
    found = {mention: sum(mark(mention) in mark(text) for text in texts) for mention in mentions}
    assert counts == {mention: number for mention, number in found.items() if number}


def table(folder: Path, articles: dict[str, list[str]], **files: Any) -> list[dict[str, Any]]:
    pages = write_pages(folder / "pages.parquet", articles)
    count_mentions(
        files.get("language", "en"),
        [pages],
        write_redirects(folder / "redirects.parquet", files.get("redirects", {})),
        write_sitelinks(folder / "sitelinks.parquet", files.get("items", {})),
        write_vocabulary(folder / "v.parquet", files.get("vocabulary", [{"en": "Japan"}])),
        files.get("maximum_words", 3),
        folder / "out" / "mentions.parquet",
    )
    assert [path.name for path in (folder / "out").iterdir()] == ["mentions.parquet"]
    return read_rows(folder / "out" / "mentions.parquet")


def test_mention_table(tmp_path: Path) -> None:
    articles = {
        "Japan": [
            "[[Tokyo|The Capital]] of [[Japan]]; [[Edo|the  capital]], [[Gone]], the capital"
        ],
        "Tokyo": ["[[Japan|the capital]]", "[[Seoul|far away from it all]] [[Japan|—]] [[Kyoto]]"],
        "Kyoto": ["Japan was here"],
    }
    rows = table(tmp_path, articles, redirects={"Edo": "Tokyo"}, items={"Seoul": 1})
    assert [tuple(row.values()) for row in rows] == [
        ("japan", "Japan", 3, 1, 2),
        ("kyoto", "Kyoto", None, 1, 1),
        ("the capital", "Tokyo", None, 2, 2),
        ("the capital", "Japan", 3, 1, 2),
    ]
    content = (tmp_path / "out/mentions.parquet").read_bytes()
    backwards = dict(reversed(articles.items()))
    table(tmp_path, backwards, redirects={"Edo": "Tokyo"}, items={"Seoul": 1})
    assert (tmp_path / "out/mentions.parquet").read_bytes() == content
    rows = table(tmp_path, articles, items={"Seoul": 1}, maximum_words=5)
    assert "far away from it all" in {row["mention"] for row in rows}


def test_a_language_without_links(tmp_path: Path) -> None:
    assert table(tmp_path, {"Japan": ["no link at all"]}) == []
    assert table(tmp_path, {}) == []


def test_detection_is_greedy_and_longest_first() -> None:
    names = {
        "new york": "NY",
        "york": "Y",
        "new": "N",
        "york city hall": "H",
        "東京": "T",
        "京都": "K",
    }
    detector = MentionDetector(names, "en")

    def found(text: str) -> list[tuple[str, str]]:
        return [(text[hit.start : hit.end], hit.title) for hit in detector.detect(text)]

    assert found("In New York City Hall, YORK; Newyork") == [("New York", "NY"), ("YORK", "Y")]
    assert found("東京都と京都東京") == [("東京", "T"), ("京都", "K"), ("東京", "T")]
    assert found("") == found("nothing") == []
    assert MentionDetector({}, "en").detect("New York") == []
    assert len(MentionDetector({"a b c": "X", "a": "Y"}, "en", maximum_words=2)) == 1


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, mentions=st.sets(st.sampled_from([line[:7] for line in LINES]), max_size=5))
def test_detections_are_where_they_say(text: str, mentions: set[str]) -> None:
    names = {normalize_mention(mention, "tr"): mention for mention in mentions}
    free = 0
    for hit in MentionDetector(names, "tr").detect(text):
        assert free <= hit.start < hit.end <= len(text)
        assert names[fold(text[hit.start : hit.end], "tr")] == hit.title
        free = hit.end


def mention_table(
    path: Path, rows: list[tuple[str, str, int | None, int, int]], language: str
) -> Path:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) if rows else [[]] * len(SCHEMA)
    data = pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )
    write(path, data, stage_metadata("count_mentions", {}, language))
    return path


def test_dictionary_of_a_language(tmp_path: Path) -> None:
    rows = [
        ("rare", "Rare", None, 1, 101),
        ("often", "Often", 5, 1, 100),
        ("split", "A", None, 2, 4),
        ("split", "B", None, 2, 4),
        ("clear", "A", 7, 3, 4),
        ("clear", "B", None, 1, 4),
        ("unclear", "A", None, 3, 9),
        ("unclear", "B", None, 2, 9),
        ("unclear", "C", None, 2, 9),
        ("ısparta", "Isparta", None, 1, 0),
    ]
    path = mention_table(tmp_path / "m.parquet", rows, "tr")
    detector = MentionDetector.from_table(path, 0.01, 0.5)
    hits = detector.detect("rare often split clear unclear Isparta")
    assert [(hit.title, hit.entity_id) for hit in hits] == [
        ("Often", 5),
        ("A", None),
        ("A", 7),
        ("Isparta", None),
    ]
    assert len(MentionDetector.from_table(path, 0.0, 0.0)) == 6
    with pytest.raises(DataError, match="no column mention"):
        MentionDetector.from_table(write_redirects(tmp_path / "r.parquet", {}))


def articles_world(folder: Path) -> dict[str, Any]:
    """English and German; an article in each, a redirect, ambiguous and rare anchors."""
    pages = [
        (
            "en",
            write_pages(
                folder / "en.0.parquet",
                {
                    "Super Bowl": [
                        "[[Denver]] beat [[Carolina Panthers|Carolina]] and [[Carolina]].",
                        "[[Denver, Colorado|Denver]] [[Panther|panthers]] [[Gone|the]]",
                        "[[NFL|league]]",
                    ]
                },
            ),
        ),
        ("en", write_pages(folder / "en.1.parquet", {"Denver": ["[[Super Bowl]]"]}, 50)),
        ("de", write_pages(folder / "de.0.parquet", {"Denver (Stadt)": ["[[NFL]]"]})),
    ]
    mentions = {
        "en": mention_table(
            folder / "en.m.parquet",
            [
                ("carolina", "Carolina", None, 3, 4),
                ("carolina", "Carolina Panthers", None, 2, 4),
                ("denver", "Denver", 3, 5, 4),
                ("league", "NFL", 4, 1, 2),
                ("panthers", "Panther", 5, 1, 200),
                ("the", "The", None, 1, 10_000),
            ],
            "en",
        ),
        "de": mention_table(
            folder / "de.m.parquet",
            [
                ("denver", "Denver (Stadt)", 3, 9, 10),
                ("die stadt", "Denver (Stadt)", 3, 2, 1000),
                ("liga", "NFL", 4, 1, 10),
                ("mile high city", "Denver (Stadt)", 3, 1, 10),
                ("nfl", "NFL", 4, 8, 10),
            ],
            "de",
        ),
    }
    return {
        "tables": Tables(
            pages,
            {
                "en": write_redirects(
                    folder / "en.r.parquet",
                    {"Denver, Colorado": "Denver", "Super Bowl 50": "Super Bowl"},
                ),
                "de": write_redirects(folder / "de.r.parquet", {}),
            },
            {
                "en": write_sitelinks(
                    folder / "en.s.parquet", {"Denver": 1, "NFL": 2, "Panther": 3}
                ),
                "de": write_sitelinks(folder / "de.s.parquet", {"Denver (Stadt)": 1, "NFL": 2}),
            },
            mentions,
        ),
        "vocabulary": write_vocabulary(
            folder / "v.parquet",
            [{"en": "Denver", "de": "Denver (Stadt)"}, {"en": "NFL", "de": "NFL"}],
        ),
        "languages": ["en", "de"],
        "minimum_link_probability": 0.01,
        "anchors_per_entity": 100,
        "output": folder / "out" / "articles.parquet",
    }


def test_mentions_of_articles_and_their_translation(tmp_path: Path) -> None:
    world = articles_world(tmp_path)
    wanted = {("en", "Super Bowl 50"), ("en", "Unknown"), ("de", "Denver (Stadt)"), ("hi", "x")}
    counts = article_mentions(wanted, **world)
    rows = [tuple(row.values()) for row in read_rows(world["output"])]
    assert [path.name for path in world["output"].parent.iterdir()] == ["articles.parquet"]
    assert rows == [
        ("de", "Denver (Stadt)", "de", "nfl", "NFL", 4, 0.8),
        ("de", "Denver (Stadt)", "en", "league", "NFL", 4, 0.5),
        ("en", "Super Bowl 50", "de", "denver", "Denver (Stadt)", 3, 0.9),
        ("en", "Super Bowl 50", "de", "liga", "NFL", 4, 0.1),
        ("en", "Super Bowl 50", "de", "mile high city", "Denver (Stadt)", 3, 0.1),
        ("en", "Super Bowl 50", "de", "nfl", "NFL", 4, 0.8),
        ("en", "Super Bowl 50", "en", "denver", "Denver", 3, 1.0),
        ("en", "Super Bowl 50", "en", "league", "NFL", 4, 0.5),
    ]
    assert counts == {"articles": 4, "articles_found": 2, "rows": len(rows)}
    article_mentions(wanted, **(world | {"anchors_per_entity": 1}))
    german = [row["mention"] for row in read_rows(world["output"]) if row["language"] == "de"]
    assert german == ["nfl", "denver", "nfl"]


def test_detector_of_an_article(tmp_path: Path) -> None:
    world = articles_world(tmp_path)
    article_mentions({("en", "Super Bowl 50")}, **world)
    articles = ArticleMentions(world["output"])
    assert articles.articles("en") == ["Super Bowl 50"] and articles.articles("de") == []
    assert ("en", "Super_Bowl_50", "de") in articles and ("en", "Other", "de") not in articles
    text = "Denver gewann in der Liga."
    for detector in (
        articles.detector("Super_Bowl_50", "en", "de"),
        MentionDetector.from_articles(world["output"], "Super Bowl 50", "en", "de"),
    ):
        hits = detector.detect(text)
        assert [(text[hit.start : hit.end], hit.entity_id) for hit in hits] == [
            ("Denver", 3),
            ("Liga", 4),
        ]
    assert len(articles.detector("Super Bowl 50", "en", "de", minimum_link_probability=0.5)) == 2
    assert len(articles.detector("Other", "en", "de")) == 0


def test_no_articles_give_an_empty_table(tmp_path: Path) -> None:
    world = articles_world(tmp_path)
    assert article_mentions(set(), **world) == {"articles": 0, "articles_found": 0, "rows": 0}
    assert read_rows(world["output"]) == []
    with pytest.raises(DataError, match="no redirect table for the language 'fr'"):
        article_mentions(set(), **(world | {"languages": ["fr"]}))


def squad(path: Path, titles: list[str | None]) -> Path:
    articles = [
        {"paragraphs": []} | ({} if title is None else {"title": title}) for title in titles
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": "1.1", "data": articles}), "utf-8")
    return path


def test_articles_of_the_data_sets(tmp_path: Path) -> None:
    train = squad(tmp_path / "train-v1.1.json", ["Super_Bowl_50", "", None])
    sources = [write_source(tmp_path / "squad.json", "squad", [train])]
    files = [
        squad(tmp_path / "test-context-de-question-en.json", ["Rhein "]),
        squad(tmp_path / "test-context-en-question-de.json", ["Rhine"]),
        squad(tmp_path / "notes.json", ["Not a test"]),
    ]
    sources.append(write_source(tmp_path / "mlqa.json", "mlqa", files))
    languages = {"squad": "en", "mlqa": "context"}
    assert articles_of(sources, languages) == {
        ("en", "Super Bowl 50"),
        ("de", "Rhein"),
        ("en", "Rhine"),
    }
    with pytest.raises(ConfigError, match="no entry for the source 'mlqa'"):
        articles_of(sources, {"squad": "en"})
    train.write_text('["no SQuAD"]')
    with pytest.raises(DataError, match=r"train-v1\.1\.json: not in the SQuAD format"):
        articles_of(sources, languages)


def test_schemas_are_those_of_the_contract(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.parquet", [], ARTICLE_SCHEMA)
    assert ArticleMentions(path).articles("en") == []
    with pytest.raises(DataError, match="no column title_language, article, language, link_p"):
        ArticleMentions(mention_table(tmp_path / "m.parquet", [], "en"))
