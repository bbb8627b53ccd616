"""Reading KBP-37 and RELX."""

from pathlib import Path

import pytest

from mluke_core.errors import DataError
from mluke_core.tasks.relation_reader import read_relations


def write(folder: Path, *records: str, end: str = "\n\n\n") -> Path:
    path = folder / "relations.txt"
    path.write_text(end.join(records) + end, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("tagged", "text", "head", "tail"),
    [
        ('" <e1> Ada </e1> of <e2> Bern </e2> . "', "Ada of Bern .", "Ada", "Bern"),
        ('"<e1>Ada</e1> of <e2> Bern</e2>."', "Ada of Bern.", "Ada", "Bern"),
        ('"(<e1> Ada </e1>), <e2> Bern </e2>"', "(Ada), Bern", "Ada", "Bern"),
        ('"<e1> Kanada </e1>s <e2> Rat </e2>"', "Kanadas Rat", "Kanada", "Rat"),
        ('"en<e1> Japon </e1> <e2> x </e2>"', "en Japon x", "Japon", "x"),
        ('"<e2> a </e2><e1> b </e1>"', "a b", "b", "a"),
        ('"the <e1> </e1> Prize <e2> Basel </e2> in"', "the Prize Basel in", "", "Basel"),
        ('"<e1>  New   York  </e1> <e2> x </e2>"', "New York x", "New York", "x"),
        # A mention within the other.
        ('"<e1> Bank of <e2> China </e2> </e1> ."', "Bank of China .", "Bank of China", "China"),
        ("<e1> no </e1> <e2> quotes </e2>", "no quotes", "no", "quotes"),
    ],
)
def test_tags(tmp_path: Path, tagged: str, text: str, head: str, tail: str) -> None:
    example = read_relations(write(tmp_path, f"7\t{tagged}\nno_relation")).examples[0]
    assert example.text == text
    assert example.text[slice(*example.head)].strip() == head
    assert example.text[slice(*example.tail)] == tail
    assert (example.id, example.label) == ("7", "no_relation")


def test_oddities_are_counted(tmp_path: Path) -> None:
    records = [
        '1\t"in<e1> x </e1> <e2> </e2>"\nno_relation',
        '1\t"<e1> x </e1> <e2> y </e2>"\nr(e1,e2)\r',
    ]
    data = read_relations(write(tmp_path, *records))
    assert len(data.examples) == 2
    assert len({example.id for example in data.examples}) == 2
    assert data.examples[1].label == "r(e1,e2)"
    assert sorted(data.report.counts.values()) == [1, 1, 1]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("one line", "line 1: expected a sentence line and a label line, found 1"),
        ("a\nb\nc", "line 1: .*found 3"),
        ("no tab\nlabel", "line 1: expected a number, a tab"),
        ('1\t"<e1> x </e1>"\nlabel', "line 1: expected one <e2>"),
        ('1\t"</e1> x <e1> <e2> y </e2>"\nlabel', "line 1: expected one <e1>"),
        ('1\t"<e1> x <e1> y </e1> <e2> y </e2>"\nl', "line 1: <e1> occurs twice"),
    ],
)
def test_broken_records_name_the_line(tmp_path: Path, record: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_relations(write(tmp_path, record))


def test_line_numbers_count_from_the_top(tmp_path: Path) -> None:
    good = '1\t"<e1> x </e1> <e2> y </e2>"\nno_relation'
    with pytest.raises(DataError, match="line 5:"):
        read_relations(write(tmp_path, good, "broken\nlabel"))


def test_empty_and_latin_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no records"):
        read_relations(write(tmp_path, ""))
    path = tmp_path / "latin.txt"
    path.write_bytes('1\t"<e1> é </e1> <e2> y </e2>"\nl'.encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_relations(path)


def test_real_files(mirror: Path) -> None:
    folder = mirror / "raw.githubusercontent.com"
    train = read_relations(folder / "zhangdongxu" / "kbp37" / "master" / "train.txt")
    assert len(train.examples) == 15917
    assert train.report.facts["labels"] == 37
    assert train.report.counts["empty mentions (kept)"] == 110
    labels = {example.label for example in train.examples}
    for language in ("en", "es", "fr", "de", "tr"):
        path = folder / "boun-tabi" / "RELX" / "master" / "Datasets" / "RELX"
        relx = read_relations(path / f"RELX_{language}.txt", language)
        assert len(relx.examples) == 502
        assert {example.label for example in relx.examples} <= labels
        assert all("<e" not in example.text for example in relx.examples)
