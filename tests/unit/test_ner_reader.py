"""Reading CoNLL files."""

from pathlib import Path

import pytest

from mluke_core.errors import DataError
from mluke_core.tasks.conll_reader import parse_spans, read_sentences


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "words.conll"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_iob1_with_four_columns_and_documents(tmp_path: Path) -> None:
    content = (
        "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n\n"
        "-DOCSTART- -X- O O\n\nPeter NNP I-NP I-PER\nBlackburn NNP I-NP I-PER\n"
        "Paul NNP I-NP B-PER\n"
    )
    data = read_sentences(write(tmp_path, content))
    assert data.report.facts == {
        "encoding": "UTF-8",
        "columns": 4,
        "scheme": "IOB1",
        "document_limits": True,
        "documents": 2,
        "sentences": 2,
        "words": 5,
        "spans": 3,
    }
    assert data.examples[1].spans == ((0, 2, "PER"), (2, 3, "PER"))
    assert [sentence.document for sentence in data.examples] == [0, 1]
    assert not data.report.counts


def test_latin_1_two_columns_without_documents(tmp_path: Path) -> None:
    content = "Coruña B-LOC\r\nsueña\tO\r\n\r\nAño O\r\n".encode("latin-1")
    data = read_sentences(write(tmp_path, content))
    assert data.report.facts["encoding"] == "ISO-8859-1"
    assert data.report.facts["scheme"] == "IOB2"
    assert data.report.facts["columns"] == 2
    assert not data.report.facts["document_limits"]
    assert data.examples[0].words == ("Coruña", "sueña")


def test_words_may_hold_odd_spaces(tmp_path: Path) -> None:
    data = read_sentences(write(tmp_path, "10\u00a0000 X O\n\u2028 X O\n"))
    assert data.examples[0].words == ("10\u00a0000", "\u2028")


def test_mixed_schemes_are_told(tmp_path: Path) -> None:
    data = read_sentences(write(tmp_path, "a B-X\nb O\nc I-X\n"))
    assert data.report.facts["scheme"] == "mixed"
    assert data.examples[0].spans == ((0, 1, "X"), (2, 3, "X"))
    assert list(data.report.counts.values()) == [1]


def test_one_odd_tag_does_not_change_the_scheme(tmp_path: Path) -> None:
    data = read_sentences(write(tmp_path, "a B-X\n\n" * 200 + "c I-X\n"))
    assert data.report.facts["scheme"] == "IOB2"
    assert list(data.report.names.values()) == [["200"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a X O\nb O\n", "line 2: 2 columns where 3"),
        ("word\n", "line 1: 1 columns where 2"),
        ("a S-X\n", "line 1: 'S-X' is not an IOB tag"),
        ("a B-\n", "line 1: 'B-' is not an IOB tag"),
        ("\n\n-DOCSTART- O\n", "no sentences"),
    ],
)
def test_other_formats_get_one_message(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_sentences(write(tmp_path, content))


def test_spans_of_a_prediction() -> None:
    assert parse_spans("[]") == []
    assert parse_spans('[[0,2,"PER"],[3,4,"LOC"]]') == [(0, 2, "PER"), (3, 4, "LOC")]
    for text in ("no JSON", "{}x", "[[1,2]]", "7", "null"):
        with pytest.raises(DataError, match="is not a list of spans"):
            parse_spans(text)


def test_real_files(mirror: Path) -> None:
    folder = mirror / "raw.githubusercontent.com/teropa/nlp/master/resources/corpora/conll2002"
    spanish = read_sentences(folder / "esp.testb", "es").report.facts
    dutch = read_sentences(folder / "ned.testb", "nl").report.facts
    assert spanish["sentences"] == 1517
    assert spanish["spans"] == 3559
    assert not spanish["document_limits"]
    assert spanish["scheme"] == dutch["scheme"] == "IOB2"
    assert dutch["spans"] == 3941
    assert dutch["documents"] > 50
