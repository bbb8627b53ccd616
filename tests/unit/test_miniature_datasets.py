"""The miniature evaluation data, read back as the originals are read: JSON and zip files."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

import pytest

from mluke_core.miniature.datasets import texts, write_datasets
from mluke_core.miniature.facts import LANGUAGES, World, load_world

SQUAD = "rajpurkar.github.io/SQuAD-explorer/dataset"
XQUAD = "raw.githubusercontent.com/google-deepmind/xquad/master"
MLAMA = "cistern.cis.lmu.de/mlama/mlama1.1.zip"
CANDIDATES = "raw.githubusercontent.com/norakassner/mlama/master/data"
MLQA = "dl.fbaipublicfiles.com/MLQA/MLQA_V1.zip"
XQUAD_LANGUAGES = ("en", "es", "de", "tr", "ar", "zh")
MLQA_LANGUAGES = ("en", "es", "de", "ar", "zh")


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


@pytest.fixture(scope="module")
def mirror(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mirror")
    write_datasets(world, folder, 42, list(LANGUAGES))
    return folder


def questions(document: dict) -> dict[str, tuple[str, dict]]:
    """Context and question by id; ids must be unique."""
    found: dict[str, tuple[str, dict]] = {}
    for article in document["data"]:
        assert article["title"]
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                assert question["id"] not in found
                found[question["id"]] = (paragraph["context"], question)
    return found


def check_answers(found: dict[str, tuple[str, dict]]) -> None:
    for context, question in found.values():
        assert question["question"].strip() == question["question"] != ""
        assert question["answers"]
        for answer in question["answers"]:
            start = answer["answer_start"]
            assert answer["text"]
            assert context[start : start + len(answer["text"])] == answer["text"]


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("split", "number", "golds"), [("train", 2000, 1), ("dev", 200, 3)])
def test_squad_has_answers_at_their_offsets(mirror, split, number, golds):
    found = questions(load(mirror / SQUAD / f"{split}-v1.1.json"))
    check_answers(found)
    assert len(found) == number
    assert all(len(question["answers"]) == golds for _, question in found.values())


def test_squad_titles_are_english_titles_of_the_world(mirror, world):
    titles = {entity.titles["en"] for entity in world.entities.values()}
    raw = [article["title"] for article in load(mirror / SQUAD / "train-v1.1.json")["data"]]
    assert {unquote(title).replace("_", " ") for title in raw} <= titles
    assert len(raw) == len(set(raw))
    assert any("%C3" in title for title in raw)
    assert any("_" in title for title in raw)


def test_squad_train_and_dev_share_no_article_and_no_question(mirror):
    train, dev = (load(mirror / SQUAD / f"{split}-v1.1.json") for split in ("train", "dev"))
    assert not {x["title"] for x in train["data"]} & {x["title"] for x in dev["data"]}
    texts_of = [{q["question"] for _, q in questions(x).values()} for x in (train, dev)]
    assert not texts_of[0] & texts_of[1]


def test_answering_without_the_question_fails(mirror):
    """Neither one frequent answer nor the first name of a kind gets far."""
    found = questions(load(mirror / SQUAD / "dev-v1.1.json"))
    answers = Counter(question["answers"][0]["text"] for _, question in found.values())
    assert answers.most_common(1)[0][1] < 0.12 * len(found)
    by_context: dict[str, set[str]] = {}
    for context, question in found.values():
        by_context.setdefault(context, set()).add(question["answers"][0]["text"])
    assert sum(map(len, by_context.values())) > 2 * len(by_context)


def test_xquad_translates_questions_of_the_development_set(mirror):
    dev = questions(load(mirror / SQUAD / "dev-v1.1.json"))
    english = questions(load(mirror / XQUAD / "xquad.en.json"))
    assert len(english) == 100
    for language in XQUAD_LANGUAGES:
        path = mirror / XQUAD / f"xquad.{language}.json"
        path.read_bytes().decode("ascii")  # the originals escape everything
        found = questions(load(path))
        check_answers(found)
        assert list(found) == list(english)
        assert set(found) <= set(dev)
        assert language == "en" or all(
            found[x][1]["question"] != english[x][1]["question"] for x in found
        )
    for name, (context, question) in english.items():
        assert context == dev[name][0]
        assert question["question"] == dev[name][1]["question"]


def mlqa_pair(archive: zipfile.ZipFile, split: str, context: str, question: str) -> dict:
    name = f"MLQA_V1/{split}/{split}-context-{context}-question-{question}.json"
    return questions(json.loads(archive.read(name)))


@pytest.mark.parametrize(("split", "number"), [("dev", 40), ("test", 60)])
def test_mlqa_is_parallel_in_every_pair(mirror, split, number):
    with zipfile.ZipFile(mirror / MLQA) as archive:
        assert len(archive.namelist()) == 2 * len(MLQA_LANGUAGES) ** 2
        same = {x: mlqa_pair(archive, split, x, x) for x in MLQA_LANGUAGES}
        assert len(same["en"]) == number
        for language in MLQA_LANGUAGES[1:]:
            assert 0.85 * number < len(same[language]) < number
        for context in MLQA_LANGUAGES:
            for question in MLQA_LANGUAGES:
                found = mlqa_pair(archive, split, context, question)
                check_answers(found)
                assert set(found) == set(same[context]) & set(same[question])
                for name, (text, item) in found.items():
                    assert text == same[context][name][0]
                    assert item["question"] == same[question][name][1]["question"]
                    assert item["answers"] == same[context][name][1]["answers"]


def test_mlqa_titles_are_in_the_context_language(mirror, world):
    with zipfile.ZipFile(mirror / MLQA) as archive:
        for language in MLQA_LANGUAGES:
            name = f"MLQA_V1/test/test-context-{language}-question-en.json"
            titles = {article["title"] for article in json.loads(archive.read(name))["data"]}
            assert titles <= {entity.titles[language] for entity in world.entities.values()}


def mlama_rows(archive: zipfile.ZipFile, language: str, name: str) -> list[dict]:
    lines = archive.read(f"mlama1.1/{language}/{name}.jsonl").decode("ascii").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("language", LANGUAGES)
def test_mlama_facts_have_templates_and_candidates(mirror, language):
    trex = load(mirror / CANDIDATES / "TREx_multilingual_objects" / f"{language}.json")
    google = load(mirror / CANDIDATES / "GoogleRE_objects" / f"{language}.json")
    with zipfile.ZipFile(mirror / MLAMA) as archive:
        rows = mlama_rows(archive, language, "templates")
        templates = {row["relation"]: row["template"] for row in rows}
        members = [Path(x) for x in archive.namelist() if x.startswith(f"mlama1.1/{language}/")]
        relations = {x.stem for x in members} - {"templates"}
        assert relations < set(templates)
        assert all("[X]" in x and "[Y]" in x for x in templates.values())
        assert mlama_rows(archive, language, "date_of_birth") == []
        total = 0
        for relation in relations - {"date_of_birth"}:
            facts = mlama_rows(archive, language, relation)
            total += len(facts)
            candidates = {**trex, **google}[relation]["objects"]
            assert facts
            assert len({row["uuid"] for row in facts}) == len(facts)
            for row in facts:
                assert set(row) == {
                    "sub_uri", "obj_uri", "sub_label", "obj_label", "lineid", "uuid",
                }  # fmt: skip
                assert row["obj_label"] in candidates
                assert row["sub_label"]
                assert row["sub_uri"].startswith("/m/" if relation in google else "Q")
        assert 200 <= total <= 300
    for relation, lists in trex.items():
        assert relation in templates
        assert lists["objects"] == sorted(set(lists["objects"]))


def test_mlama_asks_where_organisations_were_founded_in_many_places(mirror):
    with zipfile.ZipFile(mirror / MLAMA) as archive:
        for language in ("en", "ja", "fr"):
            rows = mlama_rows(archive, language, "P740")
            assert len(rows) >= 25
            common = Counter(row["obj_label"] for row in rows).most_common(1)[0][1]
            assert common <= len(rows) / 3


def test_some_mlama_template_names_the_object_first(mirror):
    with zipfile.ZipFile(mirror / MLAMA) as archive:
        turned = {
            language
            for language in LANGUAGES
            for row in mlama_rows(archive, language, "templates")
            if row["template"].index("[Y]") < row["template"].index("[X]")
        }
    assert turned == {"tr", "zh"}


def test_archives_open_without_errors_and_have_one_date(mirror):
    for path in (MLQA, MLAMA):
        with zipfile.ZipFile(mirror / path) as archive:
            assert archive.testzip() is None
            assert len({entry.date_time for entry in archive.infolist()}) == 1


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes(mirror, world, tmp_path):
    write_datasets(world, tmp_path / "again", 42, list(LANGUAGES))
    assert digests(tmp_path / "again") == digests(mirror)
    write_datasets(world, tmp_path / "other", 43, list(LANGUAGES))
    other = digests(tmp_path / "other")
    same = {path for path, digest in digests(mirror).items() if other[path] == digest}
    assert all("objects" in path for path in same)  # candidate lists hold all facts


def test_only_the_languages_asked_for_are_written(world, tmp_path):
    write_datasets(world, tmp_path, 42, ["en", "zh"])
    names = {path.name for path in (tmp_path / XQUAD).iterdir()}
    assert names == {"xquad.en.json", "xquad.zh.json"}
    with zipfile.ZipFile(tmp_path / MLQA) as archive:
        assert len(archive.namelist()) == 8
    with zipfile.ZipFile(tmp_path / MLAMA) as archive:
        assert {x.split("/")[1] for x in archive.namelist()} == {"en", "zh"}


def test_texts_cover_every_language_and_every_word_of_the_files(mirror, world):
    known = list(texts(world, 42))
    context = next(iter(questions(load(mirror / XQUAD / "xquad.ar.json")).values()))[0]
    assert context in known
    assert any("《" in text for text in known)
    assert all("<e1>" not in text and "[X]" not in text for text in known)
    assert len(known) == len(list(texts(world, 42)))
