"""A small finished run in the layout of ``results/<scale>``, for the report and for comparisons.

Two systems of scale mini answer RELX, CoNLL, XQuAD, MLQA, G-XLT and mLAMA; the scores are computed
from the predictions by the project's own steps. Some texts try to be markup.
"""

from __future__ import annotations

import json
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mluke_core.io.features import write_features
from mluke_core.io.files import write_json
from mluke_core.io.parquet import stage_metadata, write_table
from mluke_core.io.predictions import PREDICTION_FIELDS
from mluke_core.probes.mlama import SCHEMA
from mluke_core.probes.mlama_scores import score_predictions
from mluke_core.reporting import plan
from mluke_core.reporting.figures.draw import draw_figure
from mluke_core.reporting.provenance import provenance
from mluke_core.reporting.resources import disk_use, read_benchmarks, summarise
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.reporting.significance import table_significance
from mluke_core.reporting.write import write_table_files
from mluke_core.tasks.conll_reader import UNREACHABLE
from mluke_core.tasks.score import score
from tests.probe_world import write_source
from tests.reporting_world import DATA, config

WORDS, ENTITIES = "mluke-w-mini", "mluke-e-mini"
SYSTEMS = (WORDS, ENTITIES)
RUN_TABLES = ["table1", "table2", "table3", "table5", "table6", "tableA", "tableB"]
HOSTILE = "<script>document.title='x'</script><img src=x onerror=alert(1)>"
LABELS = ["no_relation", "per:city_of_birth(e1,e2)", "org:founded(e1,e2)", "org:founded(e2,e1)"]
RUN_NAMES = {"qa": "lr0.001-b16-s1", "relation": "lr0.001-b16-s1", "ner": "lr0.001-b8-s1"}
LANGUAGES = ("en", "de")
QUESTIONS = ("xquad", "mlqa", "gxlt")
PAIRS = tuple(permutations(LANGUAGES, 2))
SENTENCES = 12


def run_config() -> dict[str, Any]:
    """The configuration of scale mini with two systems and a few columns."""
    values = json.loads(json.dumps({k: v for k, v in config().items() if k != "scales"}))
    values["run"]["systems"], values["run"]["tables"] = list(SYSTEMS), RUN_TABLES
    for test in QUESTIONS:
        values["tasks"]["qa"]["tests"][test]["columns"] = list(LANGUAGES)
    values["tasks"]["relation"]["tests"]["relx"]["columns"] = list(LANGUAGES)
    conll = values["tasks"]["ner"]["tests"]["conll"]
    conll["columns"] = ["nl"]
    conll["files"] = {"nl": {"source": "conll2002", "file": "ned.testb"}}
    values["probes"]["mlama"]["languages"] = ["en"]
    values["probes"]["cwr"]["languages"] = ["de"]
    return dict(values)


def sources(folder: Path) -> dict[str, Path]:
    """Gold files and their manifests."""
    relx = {
        f"RELX_{language}.txt": "".join(
            f'{i}\t"<e1> Ada {i} </e1> {HOSTILE if i == 1 else "lived in"} <e2> London </e2>."\n'
            f"{LABELS[i % len(LABELS)]}\n\n\n"
            for i in range(1, SENTENCES + 1)
        )
        for language in LANGUAGES
    }
    conll = "".join(
        f"Jan N B-PER\nwoont V O\nin P O\nGent{i} N B-LOC\n\n" for i in range(SENTENCES)
    )
    xquad = {f"xquad.{language}.json": questions() for language in LANGUAGES}
    mlqa = {
        f"MLQA_V1/test/test-context-{context}-question-{question}.json": questions()
        for context, question in product(LANGUAGES, repeat=2)
    }
    templates = json.dumps({"relation": "P740", "template": "[X] was founded in [Y] ."})
    files = {
        "relx": relx,
        "conll2002": {"ned.testb": conll},
        "xquad": xquad,
        "mlqa": mlqa,
        "mlama": {"mlama1.1/en/templates.jsonl": templates + "\n"},
    }
    return {
        name: write_source(folder / "sources", name, members) for name, members in files.items()
    }


def questions() -> str:
    """Questions in SQuAD's format, the same in every language."""

    def paragraph(i: int) -> dict[str, Any]:
        context = f"Berlin {i} is a city. It lies in Germany. {HOSTILE}"
        answer = {"text": "Germany", "answer_start": context.index("Germany")}
        question = {"id": f"q{i}", "question": f"Where is Berlin {i}?", "answers": [answer]}
        return {"context": context, "qas": [question]}

    paragraphs = [paragraph(i) for i in range(SENTENCES)]
    return json.dumps({"data": [{"title": "Berlin", "paragraphs": paragraphs}]})


def answers(test: str, system: str, skill: float, seed: int) -> dict[tuple[str, str], str]:
    """(column, id) → prediction; right with probability ``skill``."""
    generator = np.random.default_rng([seed, len(test), SYSTEMS.index(system)])
    found: dict[tuple[str, str], str] = {}

    def pick(right: str, wrong: str) -> str:
        return right if generator.random() < skill else wrong

    for i in range(1, SENTENCES + 1):
        for language in LANGUAGES:
            if test == "relx":
                found[language, str(i)] = pick(LABELS[i % len(LABELS)], LABELS[(i + 1) % 4])
            if test in ("xquad", "mlqa"):
                found[language, f"q{i - 1}"] = pick("Germany", "a city")
        for pair in PAIRS if test == "gxlt" else ():
            # Half of the wrong answers hold the right word: F1 and exact match differ.
            wrong = "in Germany" if i % 2 else "a city"
            found["-".join(pair), f"q{i - 1}"] = pick("Germany", wrong)
        if test == "conll":
            found["nl", str(i - 1)] = pick('[[0,1,"PER"],[3,4,"LOC"]]', '[[3,4,"PER"]]')
    return found


def write_predictions(path: Path, run: str, found: dict[tuple[str, str], str]) -> None:
    rows = [(run, 1, column, example, text, 0.5) for (column, example), text in found.items()]
    schema = pa.schema(PREDICTION_FIELDS)
    arrays = [pa.array([row[n] for row in rows], field.type) for n, field in enumerate(schema)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)


def write_mlama(folder: Path, system: str, skill: float, seed: int) -> None:
    """Predictions and scores of one relation."""
    generator = np.random.default_rng([seed, 9, SYSTEMS.index(system)])
    variants = ["default"] if system == WORDS else ["[Y]", "[X]&[Y]"]
    rows = []
    for variant in variants:
        for setting in ("full", "restricted"):
            for i in range(SENTENCES):
                rank = 1 if generator.random() < skill else 3
                answer = "Sheffield" if rank == 1 else "Japan"
                name = f"Band {i} {HOSTILE if i == 0 else ''}"
                rows.append(
                    (
                        *("pretrained", 0, "en", f"P740/{i}", answer, -1.0, variant, setting),
                        *("P740", name, ["Sheffield"], rank, 5, 1, variant == "[X]&[Y]"),
                    )
                )
    arrays = [pa.array([row[n] for row in rows], field.type) for n, field in enumerate(SCHEMA)]
    language = {
        "bad_records": 0,
        "questions_too_long": 0,
        "candidates_without_tokens": 0,
        "gold_not_a_candidate": 0,
        "matching": {
            "candidates": {"exact": 6, "first_letter": 3, "not_found": 1},
            **({} if system == WORDS else {"subjects_of_model": {"exact": 4}}),
        },
    }
    report = {"maximum_questions": None, "unavailable": {}, "languages": {"en": language}}
    path = folder / "predictions" / system / "mlama.parquet"
    write_table(
        path,
        pa.Table.from_arrays(arrays, schema=SCHEMA),
        stage_metadata("probe_mlama", {}) | {"report": report},
    )
    write_json(
        folder / "scores" / system / "mlama.json", score_predictions(path, {}, system, "P740")
    )


def write_retrieval(folder: Path, system: str, skill: float, seed: int) -> None:
    """Vectors and scores of word retrieval."""
    from mluke_core.metrics.ranking import mean_reciprocal_rank

    generator = np.random.default_rng([seed, 4])
    english = generator.normal(size=(SENTENCES, 6)).astype(np.float32)
    german = english + (1 - skill) * np.random.default_rng(SYSTEMS.index(system)).normal(
        size=english.shape
    ).astype(np.float32)
    ids = np.array([f"q{i}" for i in range(SENTENCES)])
    arrays = {"en_ids": ids, "en_vectors": english, "de_ids": ids, "de_vectors": german}
    path = folder / "features" / system / "cwr.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_features(path, arrays)
    value = 100 * mean_reciprocal_rank(english, german, range(SENTENCES))
    write_json(
        folder / "scores" / system / "cwr.json",
        {
            "system": system,
            "test": "cwr",
            "runs": [{"run": "pretrained", "seed": 0}],
            "results": {"default": {"de": {"mrr": [value]}}},
            "counts": {"de": SENTENCES},
        },
    )


def build_run(
    folder: Path, skills: tuple[float, float] = (0.3, 0.9), seed: int = 0, figures: bool = True
) -> Path:
    """Write a whole run; ``skills`` are the shares of right answers of words and entities."""
    values = run_config()
    manifests = sources(folder)
    for system, skill in zip(SYSTEMS, skills, strict=True):
        for task, entry in values["tasks"].items():
            selection = {"task": task, "metric": entry["metric"], "best": RUN_NAMES[task]}
            chosen = {"run": RUN_NAMES[task], "dev": 50.0, "selected": True, "seed": 1}
            path = folder / "finetuned" / system / task / "selection.json"
            write_json(path, {**selection, "system": system, "runs": [chosen]})
            for test in entry["tests"]:
                predictions = folder / "predictions" / system / f"{test}.parquet"
                write_predictions(predictions, RUN_NAMES[task], answers(test, system, skill, seed))
                coverage = predictions.with_suffix(".coverage.json")
                covered = {"examples": SENTENCES, "with_entities": 6, "entities_per_example": 1.5}
                if test in QUESTIONS and system == ENTITIES:
                    covered["mentions"] = {"article": 6, "dictionary": 18}
                names = entry["tests"][test]["columns"]
                if test == "gxlt":
                    names = ["-".join(pair) for pair in PAIRS]
                unreachable = {"nl": [["0", 3, 4, "LOC"]]} if test == "conll" else {}
                write_json(
                    coverage,
                    {
                        "labels": LABELS,
                        "columns": dict.fromkeys(names, covered),
                        UNREACHABLE: unreachable,
                    },
                )
                settings = {**plan.scoring_settings(values, test), "system": system, "task": task}
                gold = {name: manifests[name] for name in plan.gold_sources(values, test)}
                output = folder / "scores" / system / f"{test}.json"
                equal = output.with_name("mlqa.json") if test == "gxlt" else None
                score(settings, predictions, coverage, path, gold, output, equal)
        write_mlama(folder, system, skill, seed)
        write_retrieval(folder, system, skill, seed)
    made_from = provenance(
        values, sorted(DATA.glob("sources/*.json")), sorted(DATA.glob("dumps/*.json")), []
    )
    write_json(folder / "provenance.json", made_from)
    finish_run(folder, figures)
    return folder


def finish_run(folder: Path, figures: bool) -> None:
    """Significance, tables, figures and resources of a run whose scores stand."""
    run = RunFolder(folder)
    reports = folder / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "corpus.json").write_bytes((DATA / "corpus.json").read_bytes())
    for name in run.tables:
        pairs = plan.significance_pairs(run.config, name)
        if plan.is_tested(run.config, name):
            columns = {t: plan.test_columns(run.config, t) for t in plan.tests_of(run.config, name)}
            entry = run.config["tables"][name]
            tested = table_significance(name, entry, pairs, columns, run.examples, 1, draws=500)
            write_json(folder / "significance" / f"{name}.json", tested)
        write_table_files(run.table(name), folder / "tables" / name)
    summary = summarise(read_benchmarks(DATA / "benchmarks"))
    summary["disk"], summary["energy"] = disk_use(folder), {"kwh": None, "reason": "no counter"}
    write_json(reports / "resources.json", summary)
    if figures:
        systems = plan.row_entries(run.config, list(SYSTEMS))
        shared = {"scale": "mini", "systems": systems}
        table = {"title": run.config["tables"]["table3"]["title"]}
        inputs = [folder / "features" / name / "cwr.npz" for name in SYSTEMS]
        draw = {
            "comparison/table3": ("comparison", [folder / "tables/table3.csv"], table),
            "resources": ("resources", [reports / "resources.json"], {}),
            "corpus": ("corpus", [reports / "corpus.json"], {}),
            "projection/cwr": ("projection", inputs, {"probe": "cwr", "order": list(SYSTEMS)}),
        }
        for name, (kind, paths, more) in draw.items():
            draw_figure(kind, paths, {**shared, **more}, folder / "figures" / f"{name}.svg")
