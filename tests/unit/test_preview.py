"""The page that shows sequences: what stands on it, what is marked, what is escaped."""

from __future__ import annotations

from pathlib import Path

import lxml.html
import pytest

from mluke_core.errors import DataError
from mluke_core.io.files import file_digest, write_json
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.packing import Sequence
from mluke_core.sequences.preview_sequences import Piece, preview_sequences, shown_sequence
from mluke_core.sequences.shuffle_sequences import shuffle_sequences
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.sequences.write_manifest import write_manifest
from tests.alignment_world import train_sentencepiece, write_source, write_vocabulary
from tests.sequence_shards import write_part

TITLES = [{"en": "Tokyo", "ja": "東京都"}, {"en": "<b>Japan</b>", "ja": '日"本'}]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    base = tmp_path_factory.mktemp("tokenizer")
    model = train_sentencepiece(base / "files" / "sentencepiece.bpe.model")
    build_tokenizer(write_source(base / "s.json", "small", [model]), "sentencepiece", base / "t")
    return Tokenizer.load(base / "t")


def sequence(tokenizer: Tokenizer, text: str, *anchors: tuple[str, int]) -> Sequence:
    spans = [(text.index(anchor), text.index(anchor) + len(anchor)) for anchor, _ in anchors]
    ids, found = tokenizer.encode_with_spans(text, spans)
    mentions = [(entity, *span) for (_, entity), span in zip(anchors, found, strict=True)]
    return Sequence(ids, mentions)


def write_page(base: Path, tokenizer: Tokenizer, texts: dict[str, list[Sequence]]) -> str:
    vocabulary = write_vocabulary(base / "vocabulary.parquet", TITLES)
    digests = {"tokenizer": tokenizer.digest, "entity_vocabulary": file_digest(vocabulary)}
    folders, indexes = [], []
    for language, sequences in texts.items():
        rows = [(page, page == 2, entry) for page, entry in enumerate(sequences, 1)]
        part = write_part(base, f"{language}/000", rows, digests)
        folder, index = base / "sequences" / language, base / f"{language}.json"
        write_json(index, shuffle_sequences(language, [part], 1, 256, folder))
        folders.append((language, folder))
        indexes.append((language, index))
    manifest = base / "sequences" / "manifest.json"
    content = write_manifest(folders, indexes, vocabulary, tokenizer, 0.7, manifest.parent)
    write_json(manifest, content)
    output = base / "preview.html"
    names = {"ja": "Japanese", "en": "English", "te": "Telugu"}
    preview_sequences(manifest, vocabulary, tokenizer, names, "test", output)
    return output.read_text("utf-8")


def test_text_mentions_and_titles(tmp_path: Path, tokenizer: Tokenizer) -> None:
    english = sequence(tokenizer, "Tokyo, the capital of Japan", ("Tokyo", 3), ("Japan", 4))
    japanese = sequence(tokenizer, "日本の東京都は大都市", ("東京都", 3))
    many = [sequence(tokenizer, f"The city of Tokyo, {i}", ("Tokyo", 3)) for i in range(20)]
    text = write_page(tmp_path, tokenizer, {"en": [english], "ja": [japanese, *many]})
    page = lxml.html.fromstring(text)
    (shown,) = page.xpath("//section[@id='en']//article/p[@class='text']")
    assert shown.text_content() == "Tokyo, the capital of Japan"
    marks = [(mark.text, mark.get("title")) for mark in shown.xpath("./mark")]
    assert marks == [("Tokyo", "Tokyo · Q3"), ("Japan", "<b>Japan</b> · Q4")]
    assert (shown.get("dir"), shown.get("lang")) == ("auto", "en")
    assert len(page.xpath("//section[@id='ja']//article")) == 12
    titles = set(page.xpath("//section[@id='ja']//mark/@title"))
    assert titles == {"東京都 · Tokyo · Q3"}
    assert "No sequence mentions" in page.xpath("string(//section[@id='te'])")
    assert [link.text for link in page.xpath("//nav/a")] == ["Japanese", "English", "Telugu"]
    # One file that needs nothing else, and names everything it shows.
    assert not page.xpath("//script | //link | //img | //@src")
    assert "<b>Japan" not in text and "prefers-color-scheme: dark" in text
    assert page.xpath("//meta[@name='viewport']")


def test_blanks_stand_outside_mentions(tokenizer: Tokenizer) -> None:
    entry = sequence(tokenizer, "in Berliner Luft", ("Berlin", 3))
    row = {
        "page_id": 1,
        "input_ids": entry.tokens,
        "entity_ids": [3],
        "starts": [entry.mentions[0][1]],
        "ends": [entry.mentions[0][2]],
        "validation": True,
    }
    shown = shown_sequence(row, tokenizer, {}, "de")
    mention = Piece("Berlin", "not in the vocabulary")
    assert shown.pieces == [Piece("in"), Piece(" "), mention, Piece("er Luft")]
    assert shown.held_out and shown.tokens == len(entry.tokens) and shown.unknown == 0


def test_another_vocabulary_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    entry = sequence(tokenizer, "Tokyo, the capital of Japan", ("Tokyo", 3))
    write_page(tmp_path, tokenizer, {"en": [entry]})
    other = write_vocabulary(tmp_path / "other.parquet", TITLES[:1])
    with pytest.raises(DataError, match="made with another entity vocabulary"):
        preview_sequences(
            tmp_path / "sequences" / "manifest.json",
            other,
            tokenizer,
            {"en": "English"},
            "test",
            tmp_path / "page.html",
        )
    assert not (tmp_path / "page.html").exists()
