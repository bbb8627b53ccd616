"""Pages to training sequences: sentences, limits, packing, what is dropped and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.errors import ConfigError
from mluke_core.io.parquet import read_metadata
from mluke_core.sequences.build_sequences import build_sequences, is_validation
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.links import LinkedPage, linked_pages
from mluke_core.sequences.packing import PagePacker, SequenceCounts, SequenceSettings
from mluke_core.sequences.sentences import SentenceSplitter
from mluke_core.sequences.target_index import NO_ITEM, OUTSIDE_VOCABULARY, TargetIndex
from mluke_core.sequences.tokenizer import Tokenizer
from tests.alignment_world import (
    REDIRECTS,
    TEXT,
    read_rows,
    train_sentencepiece,
    write_pages,
    write_redirects,
    write_rows,
    write_sitelinks,
    write_source,
    write_vocabulary,
)
from tests.slow_sequences import sentences_of, sequences_of

LINES = TEXT.read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    base = tmp_path_factory.mktemp("tokenizer")
    model = train_sentencepiece(base / "files" / "sentencepiece.bpe.model")
    build_tokenizer(write_source(base / "s.json", "small", [model]), "sentencepiece", base / "t")
    return Tokenizer.load(base / "t")


class Words:
    """A tokenizer of one token per word, so that limits can be counted by eye."""

    def encode(self, segment: str, before: str) -> list[int]:
        return [7] * len(segment.split())

    def encode_many(self, segments: list[str], before: list[str]) -> list[list[int]]:
        return list(map(self.encode, segments, before))

    def to_ids(self, raw: np.ndarray) -> np.ndarray:
        return raw.astype(np.int32)


def page(*paragraphs: tuple[str, list[tuple[int, int, int]]]) -> LinkedPage:
    return LinkedPage(
        1, "Page", [text for text, _ in paragraphs], [links for _, links in paragraphs]
    )


def pack(
    *paragraphs: tuple[str, list[tuple[int, int, int]]], language: str = "en", **limits: int
) -> tuple[list[tuple[int, list[tuple[int, int, int]]]], SequenceCounts]:
    """(length, mentions) of each sequence of a page, with a token per word."""
    counts = SequenceCounts()
    packer = PagePacker(language, Words(), SequenceSettings(**limits), counts)
    (sequences,) = packer.sequences([page(*paragraphs)])
    return [(len(s.tokens), s.mentions) for s in sequences], counts


def link(text: str, anchor: str, entity: int) -> tuple[int, int, int]:
    start = text.index(anchor)
    return start, start + len(anchor), entity


def test_sentences_by_language() -> None:
    text = "Mr. Who came. He left."
    assert SentenceSplitter("en").ends(text) == [14, 22]
    assert SentenceSplitter("fr").ends(text) == [4, 14, 22]
    assert SentenceSplitter("zh").ends("东京很大！北京也大。") == [5, 10]
    assert SentenceSplitter("en").ends("") == []


# Outside the basic plane, combining, right to left, without width, joined by U+200D.
ODD = ["😀", "😀. ", "𠮷野家。", "𝒜bc! ", "e\u0301", "a\u0323\u0302", "\u200f", "\u200e", "… "]
ODD += [
    " ",
    "  ",
    "\u00a0",
    "\u200b",
    "👩\u200d👧",
    "🇩🇪",
    "שלום. ",
    "العربية؟ ",
    "हिन्दी। ",
    "ﬁn",
    "½",
]


def texts(most: int = 5) -> st.SearchStrategy[str]:
    return st.lists(st.one_of(st.sampled_from(LINES), st.sampled_from(ODD)), max_size=most).map(
        "".join
    )


@settings(max_examples=100, deadline=None)
@given(text=texts(), language=st.sampled_from(["en", "de", "ja", "ar", "th", "tr"]))
def test_sentence_ends_count_characters(text: str, language: str) -> None:
    ends = SentenceSplitter(language).ends(text)
    assert ends == sorted(set(ends)) and (ends[-1:] == [len(text)]) == bool(text)
    assert ends == [end for _, end in sentences_of(text, language)]


def test_astral_characters_do_not_shift_sentences() -> None:
    plain, astral = "xx is big. It is far.", "😀😀 is big. It is far."
    assert SentenceSplitter("en").ends(plain) == SentenceSplitter("en").ends(astral) == [11, 21]
    assert SentenceSplitter("ja").ends("𠮷野家。東京。") == [4, 7]


def test_sentences_too_short_or_too_long_are_dropped() -> None:
    text = "One two. Two one three. One two three four five."
    links = [(0, 3, 4), (13, 16, 5), (28, 31, 6)]
    sequences, counts = pack((text, links), minimum_sentence_tokens=3, maximum_tokens=4)
    assert sequences == [(3, [(5, 1, 2)])]
    assert (counts.sentences, counts.sentences_too_short, counts.sentences_too_long) == (1, 1, 1)
    assert counts.links_in_dropped_sentences == 2


@pytest.mark.parametrize(
    ("limits", "lengths"), [((3, 5), [3, 5]), ((4, 5), [5]), ((3, 4), [3]), ((3, 8), [8])]
)
def test_limits_of_sentences_are_inclusive(limits: tuple[int, int], lengths: list[int]) -> None:
    text = "One two three. One two three four five."
    links = [(0, 3, 4), (15, 18, 4)]
    smallest, largest = limits
    sequences, _ = pack((text, links), minimum_sentence_tokens=smallest, maximum_tokens=largest)
    assert [length for length, _ in sequences] == lengths


def test_sentences_of_a_page_are_packed_in_order() -> None:
    text = "A one b. C two d. E f g. H three i. J k l."
    links = [link(text, "one", 3), link(text, "two", 4), link(text, "three", 5)]
    sequences, counts = pack((text, links), minimum_sentence_tokens=1, maximum_tokens=7)
    assert sequences == [(6, [(3, 1, 2), (4, 4, 5)]), (6, [(5, 4, 5)])]
    assert counts.sequences_without_links == 1  # "J k l."
    # A paragraph's end is no end of a sequence.
    split = [("A one b.", [(2, 5, 3)]), ("C two d.", [(2, 5, 4)])]
    assert pack(*split, minimum_sentence_tokens=1, maximum_tokens=7)[0] == sequences[:1]


def test_pages_are_never_mixed(tokenizer: Tokenizer) -> None:
    text = "Tokyo is the capital of Japan."
    packer = PagePacker("en", tokenizer.segmenter, SequenceSettings(), SequenceCounts())
    one = page((text, [link(text, "Tokyo", 3)]))
    alone = packer.sequences([one])
    assert packer.sequences([one, one]) == [alone[0], alone[0]] and len(alone[0]) == 1


def test_links_that_do_not_count() -> None:
    text = "Ab cd ef gh. Ij kl mn op."
    links = [
        (0, 2, NO_ITEM),
        (3, 5, OUTSIDE_VOCABULARY),
        (6, 15, 9),  # runs into the next sentence
        (16, 18, 10),
        (17, 21, 11),  # begins inside the link before it
        (18, 19, 12),  # a blank: no token
        (25, 25, 13),  # behind the text
    ]
    sequences, counts = pack((text, links), minimum_sentence_tokens=1)
    assert sequences == [(8, [(10, 5, 6)])]
    assert counts.links_without_item == counts.links_outside_vocabulary == 1
    assert counts.links_across_sentences == counts.links_overlapping == 1
    assert counts.links_without_tokens == 2


def test_limits_of_mentions() -> None:
    text = "one two three four five six"
    links = [(0, 13, 3), (14, 18, 4), (19, 23, 5)]
    sequences, counts = pack((text, links), maximum_entities=2, maximum_mention_tokens=2)
    assert sequences == [(6, [(3, 0, 2), (4, 3, 4)])]
    assert counts.links_beyond_limit == 1 and counts.mentions_shortened == 1


def test_a_page_without_links_gives_nothing() -> None:
    sequences, counts = pack(("one two three four five six", []))
    assert sequences == [] and counts.sequences_without_links == 1
    assert pack()[0] == [] and pack(("", []))[0] == []


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_token_crosses_a_link_and_no_text_is_lost(
    tokenizer: Tokenizer, data: st.DataObject
) -> None:
    text = data.draw(texts(4))
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    links = [
        (start, end, data.draw(st.sampled_from([3, 4, NO_ITEM, OUTSIDE_VOCABULARY])))
        for start, end in zip(edges[::2], edges[1::2], strict=False)
    ]
    counts = SequenceCounts(links=len(links))
    limits = SequenceSettings(1000, minimum_sentence_tokens=1, maximum_mention_tokens=1000)
    packer = PagePacker("en", tokenizer.segmenter, limits, counts)
    (sequences,) = packer.sequences([page((text, links))])
    kept = [mention for sequence in sequences for mention in sequence.mentions]
    dropped = [
        counts.links_without_item,
        counts.links_outside_vocabulary,
        counts.links_across_sentences,
        counts.links_overlapping,
        counts.links_without_tokens,
        counts.links_in_dropped_sentences,
        counts.links_beyond_limit,
    ]
    assert len(kept) + sum(dropped) == len(links)
    ends = SentenceSplitter("en").ends(text)
    inside = [
        (start, end, entity)
        for start, end, entity in links
        if any(a <= start and end <= b for a, b in zip([0, *ends], ends, strict=False))
    ]
    anchors = [
        tokenizer.encode_with_spans(text, [(start, end)])
        for start, end, entity in inside
        if entity >= 0
    ]
    expected = [ids[slice(*spans[0])] for ids, spans in anchors]
    to_ids = tokenizer.segmenter.to_ids
    found = [
        to_ids(np.array(sequence.tokens[start:end], np.int64)).tolist()
        for sequence in sequences
        for _, start, end in sequence.mentions
    ]
    assert found == [ids for ids in expected if ids]
    if sequences:
        cuts = [(a, b) for a, b, _ in inside] + [
            (a, b) for a, b in zip([0, *ends], ends, strict=False)
        ]
        whole, _ = tokenizer.encode_with_spans(text, cuts)
        tokens = [token for sequence in sequences for token in sequence.tokens]
        assert to_ids(np.array(tokens, np.int64)).tolist() == whole


def linked(text: str, data: st.DataObject) -> list[tuple[int, int, int]]:
    """Links anywhere in a text, some of which overlap."""
    spans = st.tuples(st.integers(0, len(text)), st.integers(0, 12))
    entities = st.sampled_from([3, 4, 5, NO_ITEM, OUTSIDE_VOCABULARY])
    found = data.draw(st.lists(st.tuples(spans, entities), max_size=8))
    return sorted((start, min(start + n, len(text)), entity) for (start, n), entity in found)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_rules_once_more(tokenizer: Tokenizer, data: st.DataObject) -> None:
    """Limits, filters and packing agree with a second program that shares no code with it."""
    language = data.draw(st.sampled_from(["en", "de", "ja", "ar", "th", "hi"]))
    limits = {
        "maximum_tokens": data.draw(st.integers(20, 90) | st.just(510)),
        "minimum_sentence_tokens": data.draw(st.integers(1, 25)),
        "maximum_entities": data.draw(st.sampled_from([1, 2, 128])),
        "maximum_mention_tokens": data.draw(st.sampled_from([1, 3, 30])),
    }
    paragraphs = [(text, linked(text, data)) for text in data.draw(st.lists(texts(), max_size=4))]
    counts = SequenceCounts()
    packer = PagePacker(language, tokenizer.segmenter, SequenceSettings(**limits), counts)
    (sequences,) = packer.sequences([page(*paragraphs)])
    expected = sequences_of(
        [
            (text, [(start, end, entity if entity >= 0 else None) for start, end, entity in links])
            for text, links in paragraphs
        ],
        language,
        tokenizer,
        **limits,
    )
    to_ids = tokenizer.segmenter.to_ids
    assert [
        (to_ids(np.array(sequence.tokens, np.int64)).tolist(), sequence.mentions)
        for sequence in sequences
    ] == expected


def test_limits_are_those_of_the_paper_by_default(root: Path) -> None:
    import yaml

    section = yaml.safe_load((root / "config.yaml").read_text("utf-8"))["sequences"]
    assert SequenceSettings.from_mapping(section) == SequenceSettings()
    limits = SequenceSettings()
    assert (limits.minimum_sentence_tokens, limits.maximum_tokens) == (5, 510)
    assert (limits.maximum_entities, limits.maximum_mention_tokens) == (128, 30)


def world(folder: Path, articles: dict[str, list[str]]) -> tuple[Path, TargetIndex]:
    pages = write_pages(folder / "pages.parquet", articles)
    targets = TargetIndex.resolve(
        pages,
        write_redirects(folder / "redirects.parquet", {"Edo": "Tokyo", "Nippon": "Japan"}),
        write_sitelinks(folder / "sitelinks.parquet", {"Tokyo": 3, "Japan": 4, "Kyoto": 9}),
        write_vocabulary(folder / "v.parquet", [{"en": "Tokyo", "ja": "東京"}, {"en": "Japan"}]),
        "en",
    )
    return pages, targets


ARTICLES = {
    "Japan": [
        "[[Tokyo]], once [[Edo]], is the capital of [[Nippon|Japan]]; [[Kyoto]] and [[Nara]] not.",
        "",
    ],
    "Empty": [],
    "東京": ["[[Tokyo|東京]]都は日本の首都です。大阪は[[Japan|西]]にあります。"],
}


def run(
    folder: Path, tokenizer: Tokenizer, **options: Any
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    pages, targets = world(folder, ARTICLES)
    limits = SequenceSettings(minimum_sentence_tokens=2, **options)
    output = folder / "out" / "sequences.parquet"
    counts = build_sequences("en", pages, targets, tokenizer, "of v", limits, 42, output)
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    return read_rows(output), counts.as_json()


def test_file_of_sequences(tmp_path: Path, tokenizer: Tokenizer) -> None:
    rows, counts = run(tmp_path, tokenizer)
    assert [row["page_id"] for row in rows] == [1, 3]
    assert [row["entity_ids"] for row in rows] == [[3, 3, 4], [3, 4]]
    words = [
        "".join(map(tokenizer.token_of, row["input_ids"][start:end]))
        for row in rows
        for start, end in zip(row["starts"], row["ends"], strict=True)
    ]
    assert words == ["▁Tokyo", "▁Edo", "▁Japan", "▁東京", "西"]
    assert counts["links_without_item"] == 1 and counts["links_outside_vocabulary"] == 1
    assert counts["pages"] == 3 and counts["links"] == 7 and counts["entities"] == 5
    assert counts["tokens"] == sum(len(row["input_ids"]) for row in rows)
    metadata = read_metadata(tmp_path / "out/sequences.parquet")
    assert metadata["tokenizer"] == tokenizer.digest and metadata["entity_vocabulary"] == "of v"
    assert counts["sequences"] == len(rows) and not any(row["validation"] for row in rows)
    first = (tmp_path / "out/sequences.parquet").read_bytes()
    run(tmp_path, tokenizer)
    assert (tmp_path / "out/sequences.parquet").read_bytes() == first


def test_an_empty_part_gives_an_empty_file(tmp_path: Path, tokenizer: Tokenizer) -> None:
    pages, targets = world(tmp_path, {})
    output = tmp_path / "out.parquet"
    limits = SequenceSettings()
    counts = build_sequences("en", pages, targets, tokenizer, "of v", limits, 1, output)
    assert counts.sequences == 0 and read_rows(output) == []


def test_targets_of_a_part(tmp_path: Path) -> None:
    pages, targets = world(tmp_path, ARTICLES)
    ((japan, empty, tokyo),) = linked_pages(pages, targets)
    assert [entity for *_, entity in japan.links[0]] == [3, 3, 4, OUTSIDE_VOCABULARY, NO_ITEM]
    assert (japan.title, japan.links[1], empty.texts, tokyo.links[0][0]) == (
        "Japan",
        [],
        [],
        (0, 2, 3),
    )


def test_targets_where_tables_hold_a_key_twice(tmp_path: Path) -> None:
    """The least redirect and entity count, as in the other steps."""
    pages = write_pages(tmp_path / "pages.parquet", {"A": ["[[Old]] [[New]] [[Old]] [[Gone]]"]})
    rows = [{"source": "Old", "target": target, "fragment": None} for target in ("New", "Also")]
    targets = TargetIndex.resolve(
        pages,
        write_rows(tmp_path / "redirects.parquet", rows, REDIRECTS),
        write_sitelinks(tmp_path / "sitelinks.parquet", {}),
        write_vocabulary(tmp_path / "v.parquet", [{"en": "New"}, {"en": "Also"}, {"en": "New"}]),
        "en",
    )
    assert targets.entities_of(pa.array(["Gone", "New", "Old"])) == [NO_ITEM, 3, 4]
    assert targets.entities_of(pa.array([], pa.string())) == []


def test_pages_are_held_out_by_a_hash() -> None:
    share = sum(is_validation("en", page_id, 0.1, 42) for page_id in range(20_000)) / 20_000
    assert abs(share - 0.1) < 0.01
    assert not any(is_validation("en", page_id, 0.0, 42) for page_id in range(1000))
    held_out = [
        tuple(is_validation(*page, 0.5, seed) for page in (("en", 1), ("en", 2), ("de", 1)))
        for seed in range(20)
    ]
    assert len(set(held_out)) > 3
    # A larger share holds out the same pages and more.
    assert all(
        is_validation("en", page_id, 0.2, 42)
        for page_id in range(1000)
        if is_validation("en", page_id, 0.1, 42)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maximum_tokens", 0),
        ("maximum_tokens", 40_000),
        ("validation_share", 1.0),
        ("minimum_sentence_tokens", 0),
        ("maximum_entities", 0),
    ],
)
def test_settings_without_sense_are_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"sequences\.{name} is {value}"):
        SequenceSettings.from_mapping({name: value})
    assert dataclasses.asdict(SequenceSettings.from_mapping({"unknown": 1})) == dataclasses.asdict(
        SequenceSettings()
    )
