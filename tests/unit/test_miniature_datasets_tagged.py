"""The miniature KBP-37, RELX and CoNLL files, read back by parsers written for these tests."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from mluke_core.miniature.datasets import conll, relations, write_datasets
from mluke_core.miniature.facts import LANGUAGES, load_world

KBP37 = "raw.githubusercontent.com/zhangdongxu/kbp37/master"
RELX = "raw.githubusercontent.com/boun-tabi/RELX/master/Datasets/RELX"
CONLL2002 = "raw.githubusercontent.com/teropa/nlp/master/resources/corpora/conll2002"
CONLL2003 = "conll2003.miniature.example"
RELATIONS = {
    "org:alternate_names", "org:city_of_headquarters", "org:country_of_headquarters", "org:founded",
    "org:founded_by", "org:members", "org:stateorprovince_of_headquarters", "org:subsidiaries",
    "org:top_members/employees", "per:alternate_names", "per:cities_of_residence",
    "per:countries_of_residence", "per:country_of_birth", "per:employee_of", "per:origin",
    "per:spouse", "per:stateorprovinces_of_residence", "per:title",
}  # fmt: skip
LABELS = {f"{x}({order})" for x in RELATIONS for order in ("e1,e2", "e2,e1")} | {"no_relation"}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mirror")
    write_datasets(load_world(), folder, 42, list(LANGUAGES))
    return folder


def records(path: Path) -> dict[int, tuple[str, str]]:
    """Sentence and label by id, from records of four lines of which two are blank."""
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert len(lines) % 4 == 0
    found = {}
    for first, label, *blank in (lines[i : i + 4] for i in range(0, len(lines), 4)):
        match = re.fullmatch(r'(\d+)\t"(.*)"', first)
        assert match, first
        assert blank == ["", ""]
        assert int(match[1]) not in found
        found[int(match[1])] = (match[2], label)
    return found


def names(sentence: str) -> tuple[str, str]:
    match = re.fullmatch(r".*<e1>(.*)</e1>.*<e2>(.*)</e2>.*", sentence)
    assert match, sentence
    return match[1].strip(), match[2].strip()


@pytest.mark.parametrize(("split", "number"), [("train", 1500), ("dev", 200), ("test", 100)])
def test_kbp37_has_all_labels_and_both_names(mirror, split, number):
    found = records(mirror / KBP37 / f"{split}.txt")
    assert len(found) == number
    counts = Counter(label.strip() for _, label in found.values())
    assert set(counts) == LABELS
    assert max(counts.values()) < 0.12 * number
    empty = [x for sentence, _ in found.values() for x in names(sentence) if not x]
    assert len(empty) == (0 if split == "dev" else 1)
    assert all(" . " in sentence and "," not in sentence for sentence, _ in found.values())


def test_one_kbp37_label_has_a_space_behind_it(mirror):
    found = records(mirror / KBP37 / "train.txt")
    assert [x for _, x in found.values() if x != x.strip()] == ["org:alternate_names(e2,e1) "]


def test_kbp37_splits_share_ids_and_facts_with_no_other(mirror):
    splits = [records(mirror / KBP37 / f"{split}.txt") for split in ("train", "dev", "test")]
    facts = []
    for found in splits:
        known = set()
        for sentence, label in found.values():
            one, other = names(sentence)
            relation, _, order = label.strip().partition("(")
            pair = (other, one) if order == "e2,e1)" else (one, other)
            if relation != "no_relation" and all(pair):
                known.add((relation, *pair))
        facts.append(known)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not set(splits[first]) & set(splits[second])
        assert not facts[first] & facts[second]


def test_relx_translates_the_kbp37_test_set(mirror):
    test = records(mirror / KBP37 / "test.txt")
    english = records(mirror / RELX / "RELX_en.txt")
    assert {x: label for x, (_, label) in english.items()} == {
        x: label for x, (_, label) in test.items()
    }
    flipped = {}
    for language in ("fr", "de", "es", "tr"):
        found = records(mirror / RELX / f"RELX_{language}.txt")
        assert list(found) == list(english)
        assert {label for _, label in found.values()} <= LABELS
        different = 0
        for name, (sentence, label) in found.items():
            one, other = english[name][1].partition("(")[0], label.partition("(")[0]
            assert one == other
            different += label != english[name][1]
            assert sum(not x for x in names(sentence)) == sum(
                not x for x in names(english[name][0])
            )
        flipped[language] = different
    assert flipped["tr"] == max(flipped.values()) >= 10
    assert flipped["tr"] < 50


def test_some_relx_tags_touch_the_name(mirror):
    for language, touching in (("en", False), ("de", True), ("fr", True)):
        text = (mirror / RELX / f"RELX_{language}.txt").read_text(encoding="utf-8")
        assert bool(re.search(r"<e2>\S", text)) is touching


def test_every_relation_template_has_both_slots_once_and_both_orders_exist():
    from mluke_core.miniature.datasets.rendering import bundled, slot_order

    for language in relations.LANGUAGES:
        phrases = bundled(f"relations_{language}")
        assert set(phrases) == RELATIONS | {"no_relation", "lead", "trail"}
        for relation in RELATIONS:
            orders = [tuple(slot_order(template)) for template in phrases[relation]]
            assert set(orders) == {("s", "o"), ("o", "s")}, (language, relation)


def sentences(path: Path, encoding: str, columns: int) -> list[list[list[str]]]:
    found: list[list[list[str]]] = [[]]
    text = path.read_bytes().decode(encoding)
    assert text.endswith("\n\n")
    for line in text.split("\n"):
        if not line:
            found.append([])
            continue
        fields = line.split(" ")
        assert len(fields) == columns or fields[0] == "-DOCSTART-"
        found[-1].append(fields)
    return [x for x in found if x]


def spans_iob1(tags: list[str]) -> list[tuple[int, int, str]]:
    spans: list[tuple[int, int, str]] = []
    for index, tag in enumerate(tags):
        if tag == "O":
            continue
        state, type_ = tag.split("-")
        touches = bool(spans) and spans[-1][1] == index and spans[-1][2] == type_
        if state == "B":
            assert touches, "B- may only part two entities of a type"
        if state == "I" and touches:
            spans[-1] = (spans[-1][0], index + 1, type_)
        else:
            spans.append((index, index + 1, type_))
    return spans


def check_iob2(tags: list[str]) -> None:
    previous = "O"
    for tag in tags:
        if tag.startswith("I-"):
            assert previous[2:] == tag[2:]
        previous = tag


@pytest.mark.parametrize(("split", "number"), [("train", 600), ("testa", 120), ("testb", 120)])
def test_english_ner_is_iob1_in_four_columns_with_documents(mirror, split, number):
    path = mirror / CONLL2003 / f"eng.{split}"
    found = sentences(path, "utf-8", 4)
    boundaries = [x for x in found if x[0][0] == "-DOCSTART-"]
    found = [x for x in found if x[0][0] != "-DOCSTART-"]
    assert len(found) == number
    assert len(boundaries) > number / 10
    assert all(x == [["-DOCSTART-", "-X-", "-X-", "O"]] for x in boundaries)
    types = Counter(x[2] for s in found for x in spans_iob1([token[3] for token in s]))
    assert set(types) == {"PER", "LOC", "ORG", "MISC"}
    assert min(types.values()) > number / 12
    chunks = {token[2].split("-")[-1] for s in found for token in s}
    assert chunks == {"O", "NP", "VP", "PP", "ADVP"}
    if split == "train":
        assert any(token[3].startswith("B-") for s in found for token in s)


@pytest.mark.parametrize("split", ["train", "testa", "testb"])
def test_spanish_ner_is_iob2_latin1_in_two_columns_without_documents(mirror, split):
    path = mirror / CONLL2002 / f"esp.{split}"
    with pytest.raises(UnicodeDecodeError):
        path.read_text(encoding="utf-8")
    found = sentences(path, "iso-8859-1", 2)
    assert all(token[0] != "-DOCSTART-" for s in found for token in s)
    assert any("ó" in token[0] for s in found for token in s)
    for sentence in found:
        check_iob2([token[1] for token in sentence])
    types = {token[1][2:] for s in found for token in s if token[1] != "O"}
    assert types == {"PER", "LOC", "ORG", "MISC"}


@pytest.mark.parametrize("split", ["train", "testa", "testb"])
def test_dutch_ner_is_iob2_in_three_columns_with_documents(mirror, split):
    text = (mirror / CONLL2002 / f"ned.{split}").read_text(encoding="utf-8")
    assert text.startswith("-DOCSTART- -DOCSTART- O\n")
    body = re.sub("^-DOCSTART- -DOCSTART- O\n", "", text, flags=re.MULTILINE)
    for block in body.strip().split("\n\n"):
        fields = [line.split(" ") for line in block.split("\n")]
        assert all(len(x) == 3 for x in fields)
        check_iob2([x[2] for x in fields])
    assert set(re.findall(r"[BI]-(\w+)$", text, flags=re.MULTILINE)) == {
        "PER", "LOC", "ORG", "MISC",
    }  # fmt: skip


def test_iob1_parts_touching_entities_only():
    types = [("LOC", True), ("LOC", False), ("LOC", True), (None, False), ("LOC", True)]
    assert conll.iob1(types) == ["I-LOC", "I-LOC", "B-LOC", "O", "I-LOC"]
    assert conll.iob1([("PER", True), ("LOC", True)]) == ["I-PER", "I-LOC"]
