from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mluke_core.errors import DataError
from mluke_core.io.sources import Source
from mluke_core.probes.mlama_data import languages_of, read_language
from mluke_core.probes.titles import TitleMatcher, capitalised, reference_titles
from tests.probe_world import mlama_files, write_mlama, write_source, write_vocabulary


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, list[Source]]:
    return write_mlama(tmp_path_factory.mktemp("mlama"))


def test_languages(sources: tuple[Source, list[Source]]) -> None:
    assert languages_of(sources[0]) == {"en", "ga", "tr"}


def test_triples_of_one_subject_are_one_question(sources: tuple[Source, list[Source]]) -> None:
    cloze = read_language(*sources, "en")
    relations = {relation.name: relation for relation in cloze.relations}
    assert list(relations) == ["P1303", "P36", "P37", "P740"]
    by_subject = {question.subject: question for question in relations["P37"].questions}
    assert by_subject["Switzerland"].gold == ("German", "French", "Italian")
    assert by_subject["Switzerland"].triples == (1, 1, 1)
    band = {question.subject: question for question in relations["P740"].questions}["The Band"]
    assert (band.gold, band.triples, band.key) == (("Sheffield",), (2,), "Q1")
    assert relations["P36"].candidates == ("Paris", "Rome", "Ankara", "New York City")


def test_what_cannot_be_asked_is_skipped_and_counted(
    sources: tuple[Source, list[Source]],
) -> None:
    report = read_language(*sources, "en").report
    assert report["skipped"] == {
        "P54": "no triples",
        "P999": "no template",
        "date_of_birth": "no template",
    }
    assert (report["questions"], report["triples"]) == (9, 12)
    assert report["bad_records"] == 0
    turkish = read_language(*sources, "tr").report
    assert turkish["skipped"] == {"P17": "no triples"}


def test_a_broken_record_is_counted_and_a_broken_file_refused(tmp_path: Path) -> None:
    files = mlama_files()
    files["mlama1.1/en/P36.jsonl"] += (
        '{"sub_label": "x"}\nnot json\n{"sub_label": "", "obj_label": "y"}\n'
    )
    files["mlama1.1/en/P17.jsonl"] = "{}\n"
    files["mlama1.1/en/templates.jsonl"] += (
        json.dumps({"relation": "P20", "template": "[X] died."}) + "\n"
    )
    data = Source(write_source(tmp_path, "mlama", files))
    candidates = write_mlama(tmp_path / "lists")[1]
    report = read_language(data, candidates, "en").report
    assert report["bad_records"] == 3
    assert report["skipped"]["P17"] == "no template"
    files["mlama1.1/en/P36.jsonl"] = "{}\n[]\n"
    data = Source(write_source(tmp_path, "mlama", files))
    with pytest.raises(DataError, match=r"P36\.jsonl: none of its 2 lines"):
        read_language(data, candidates, "en")


@pytest.mark.parametrize("line", ["{", '{"relation": "P1"}', '["P1", "[X] [Y]"]'])
def test_a_broken_template_names_file_and_line(tmp_path: Path, line: str) -> None:
    files = mlama_files()
    files["mlama1.1/en/templates.jsonl"] = "\n" + line + "\n"
    data = Source(write_source(tmp_path, "mlama", files))
    with pytest.raises(DataError, match=r"templates\.jsonl, line 2: expected"):
        read_language(data, [], "en")


def test_a_template_without_both_slots_and_a_missing_list(tmp_path: Path) -> None:
    files = mlama_files()
    files["mlama1.1/en/templates.jsonl"] = (
        '{"relation": "P36", "template": "The capital is [Y]"}\n'
        '{"relation": "P37", "template": "[X] speaks [Y]"}\n'
    )
    data = Source(write_source(tmp_path, "mlama", files))
    cloze = read_language(data, [], "en")
    assert cloze.relations == []
    assert cloze.report["skipped"]["P36"].startswith("template without one [X] and one [Y]")
    assert cloze.report["skipped"]["P37"] == "no candidates"


@pytest.mark.parametrize("content", ["[]", '{"P36": ["Paris"]}', '{"P36": {"objects": [1]}}'])
def test_a_broken_candidate_list_names_its_file(tmp_path: Path, content: str) -> None:
    data, _ = write_mlama(tmp_path)
    lists = Source(write_source(tmp_path, "broken", {"en.json": content}))
    with pytest.raises(DataError, match=r"en\.json"):
        read_language(data, [lists], "en")


def test_the_first_questions_are_the_same_for_everybody(
    sources: tuple[Source, list[Source]],
) -> None:
    def chosen(language: str, seed: int, maximum: int = 1) -> dict[str, list[str]]:
        cloze = read_language(*sources, language, maximum, seed)
        return {r.name: [question.key for question in r.questions] for r in cloze.relations}

    assert chosen("en", 1) == chosen("en", 1)
    assert len({str(chosen("en", seed)) for seed in range(8)}) > 1
    everything = chosen("en", 1, 99)
    assert all(set(keys) <= set(everything[name]) for name, keys in chosen("en", 1).items())
    assert all(len(keys) == 1 for keys in chosen("en", 1).values())
    # The subjects of ga are among those of en: what en draws first is what ga draws first.
    for seed in range(8):
        shared = [key for key in chosen("en", seed, 1)["P36"] if key in ("Q142", "Q38")]
        assert not shared or chosen("ga", seed, 1)["P36"] == shared
    assert read_language(*sources, "en", 1, 1).report["left_out"] == 5


def test_real_mlama(mirror: Path, tmp_path: Path) -> None:
    import zipfile

    candidates = mirror / "raw.githubusercontent.com/norakassner/mlama/master/data"
    files = {}
    with zipfile.ZipFile(mirror / "cistern.cis.lmu.de/mlama/mlama1.1.zip") as archive:
        for name in archive.namelist():
            if name.startswith(("mlama1.1/en/", "mlama1.1/zh/")) and name.endswith(".jsonl"):
                files[name] = archive.read(name).decode()
    data = Source(write_source(tmp_path, "mlama", files))
    lists = []
    for folder in ("TREx_multilingual_objects", "GoogleRE_objects"):
        content = {
            f"{code}.json": (candidates / folder / f"{code}.json").read_text(encoding="utf-8")
            for code in ("en", "zh")
        }
        lists.append(Source(write_source(tmp_path, folder, content)))
    english = read_language(data, lists, "en")
    assert len(english.relations) == 43
    assert english.report["triples"] == 37_498
    assert english.report["questions"] == 34_929
    assert english.report["gold_not_a_candidate"] == english.report["bad_records"] == 0
    skipped = ["P102", "P166", "P1923", "P54", "P69", "date_of_birth"]
    assert sorted(english.report["skipped"]) == skipped
    # Chinese has no triples of the two Google-RE relations.
    assert len(read_language(data, lists, "zh").relations) == 41


def test_capitals() -> None:
    assert capitalised("istanbul", "tr") == "İstanbul"
    assert capitalised("istanbul", "en") == "Istanbul"
    assert capitalised("ßa", "de") == "ßa"
    assert capitalised("ж", "ru") == "Ж"
    assert capitalised("", "en") == ""


def test_matching_counts_how() -> None:
    matcher = TitleMatcher({"Rome": 1, "İstanbul": 2}.get, "tr")
    assert matcher.match_all(["Rome", "istanbul", "rOME"]) == [1, 2, None]
    assert matcher.counts == {"exact": 1, "first_letter": 1, "not_found": 1}


def test_reference_titles(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.parquet"
    write_vocabulary(path)
    found = reference_titles(path, {"en": ["Rome", "guitar", "Nowhere"], "tr": ["roma"], "de": []})
    assert found == {"en": {"Rome": 5, "Guitar": 8}, "tr": {"Roma": 5}, "de": {}}


def test_a_file_that_is_no_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a readable entity vocabulary"):
        reference_titles(tmp_path / "missing.parquet", {"en": []})
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="not an entity vocabulary"):
        reference_titles(tmp_path / "other.parquet", {"en": []})
