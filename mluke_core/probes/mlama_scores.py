"""From mLAMA predictions to scores: accuracy per language and relation, and the language bias."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mluke_core.errors import DataError
from mluke_core.io.parquet import read_metadata
from mluke_core.metrics.lama import (
    NEVER,
    WrongAnswer,
    cloze_scores,
    most_frequent_wrong,
    relation_precision,
)
from mluke_core.probes.mlama import BOTH_VARIANT, FULL, RESTRICTED, RUN_NAME
from mluke_core.probes.titles import capitalised

ENGLISH = "en"


def score_predictions(
    path: Path, sitelinks: Mapping[str, Path], system: str, bias_relation: str
) -> dict[str, Any]:
    """The content of ``scores/{system}/mlama.json``.

    Args:
        path: predictions as :mod:`mluke_core.probes.mlama` writes them.
        sitelinks: per language its sitelinks, for the English titles of the language bias.
        system: name of the system.
        bias_relation: relation of Table 6.

    Raises:
        DataError: the file is not one of mLAMA predictions.
    """
    report = read_metadata(path).get("report")
    table = pq.read_table(path)
    if report is None or "gold_rank" not in table.column_names:
        raise DataError(f"{path}: not mLAMA predictions. Delete it so that it is made again.")
    results: dict[str, dict[str, dict[str, list[float]]]] = {}
    per_relation: dict[str, Any] = {}
    counts: dict[str, int] = {}
    coverage: dict[str, Any] = {}
    notes = _data_notes(report, bias_relation)
    for variant in _values(table, "variant"):
        of_variant = table.filter(pc.equal(table["variant"], variant))
        for language in report["languages"]:
            rows = of_variant.filter(pc.equal(of_variant["test_set"], language))
            scores: dict[str, list[float]] = {}
            for setting in (RESTRICTED, FULL):
                part = rows.filter(pc.equal(rows["setting"], setting))
                ranks = ranks_of(part)
                relations = part["relation"].to_pylist()
                measures = cloze_scores(ranks, part["triples"].to_numpy(), relations)
                scores |= {f"{setting}_{name}": [value] for name, value in measures.items()}
                per_relation.setdefault(variant, {}).setdefault(language, {})[setting] = (
                    relation_precision(ranks, relations)
                )
                if setting == FULL:
                    counts[language] = part.num_rows
                    coverage[language] = _coverage(part, variant, coverage.get(language))
                elif not part.num_rows:
                    note = f"{language}: no answer is in the entity vocabulary (restricted)."
                    notes += [note] if note not in notes else []
            results.setdefault(variant, {})[language] = scores
    return {
        "system": system,
        "test": "mlama",
        "runs": [{"run": RUN_NAME, "seed": 0}],
        "results": results,
        "counts": counts,
        "coverage": coverage,
        "unavailable": report["unavailable"],
        "notes": notes,
        "details": {
            "language_bias": language_bias(table, sitelinks, bias_relation),
            "per_relation": per_relation,
            "matching": {
                language: entry["matching"] for language, entry in report["languages"].items()
            },
            "data": {
                language: {key: value for key, value in entry.items() if key != "matching"}
                for language, entry in report["languages"].items()
            },
        },
    }


def ranks_of(rows: pa.Table) -> np.ndarray:
    """Ranks of the best right answers, :data:`~mluke_core.metrics.lama.NEVER` for none."""
    return pc.fill_null(rows["gold_rank"], NEVER).to_numpy()


def language_bias(
    table: pa.Table, sitelinks: Mapping[str, Path], relation: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """Per variant and language, the most frequent wrong answer to a relation's questions.

    All questions and candidates count. Each entry has ``relation``, ``questions``, ``prediction``
    (as answered), ``entity`` (its English title, or the prediction where there is none),
    ``english`` (the title or null), ``top1_false``, ``total_false`` and ``ratio_percent``.
    """
    rows = table.filter(
        pc.and_(pc.equal(table["relation"], relation), pc.equal(table["setting"], FULL))
    )
    found: dict[str, dict[str, tuple[int, WrongAnswer]]] = {}
    for variant in _values(rows, "variant"):
        for language in _values(rows, "test_set"):
            part = rows.filter(
                pc.and_(pc.equal(rows["variant"], variant), pc.equal(rows["test_set"], language))
            )
            right = ranks_of(part) == 1
            answer = most_frequent_wrong(part["prediction"].to_pylist(), right.tolist())
            found.setdefault(variant, {})[language] = (part.num_rows, answer)
    wanted: dict[str, set[str]] = {}
    for entries in found.values():
        for language, (_, answer) in entries.items():
            if answer.prediction:
                wanted.setdefault(language, set()).add(answer.prediction)
    english = english_titles(sitelinks, wanted)
    return {
        variant: {
            language: {
                "relation": relation,
                "questions": questions,
                "prediction": answer.prediction,
                "english": english.get((language, answer.prediction or "")),
                "entity": english.get((language, answer.prediction or ""), answer.prediction),
                "top1_false": answer.count,
                "total_false": answer.total_wrong,
                "ratio_percent": answer.ratio_percent,
            }
            for language, (questions, answer) in entries.items()
        }
        for variant, entries in found.items()
    }


def english_titles(
    sitelinks: Mapping[str, Path], wanted: Mapping[str, set[str]]
) -> dict[tuple[str, str], str]:
    """English titles of names in other languages, through their Wikidata items.

    A name stands for the item of the article with that title, or with its first letter
    capitalised. Names without such an article, and items without an English one, are absent.
    """
    items: dict[tuple[str, str], int] = {}
    for language, names in wanted.items():
        if language not in sitelinks or not names:
            continue
        forms = {form for name in names for form in (name, capitalised(name, language))}
        links = _filtered(sitelinks[language], "title", sorted(forms))
        by_title = dict(zip(links["title"].to_pylist(), links["qid"].to_pylist(), strict=True))
        for name in names:
            item = by_title.get(name, by_title.get(capitalised(name, language)))
            if item is not None:
                items[language, name] = item
    if not items or ENGLISH not in sitelinks:
        return {}
    links = _filtered(sitelinks[ENGLISH], "qid", sorted(set(items.values())))
    titles = dict(zip(links["qid"].to_pylist(), links["title"].to_pylist(), strict=True))
    return {key: titles[item] for key, item in items.items() if item in titles}


def _filtered(path: Path, column: str, values: list[Any]) -> pa.Table:
    try:
        return pq.read_table(path, columns=["qid", "title"], filters=[(column, "in", values)])
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: not readable sitelinks ({error}).") from None


def _values(table: pa.Table, column: str) -> list[str]:
    """Distinct values in the order of their first row."""
    return pc.unique(table[column]).to_pylist()


def _coverage(part: pa.Table, variant: str, known: dict[str, Any] | None) -> dict[str, Any]:
    """How many questions came with the subject's entity; the variant that can give it decides."""
    if known is not None and variant != BOTH_VARIANT:
        return known
    given = int(pc.sum(pc.cast(part["subject_entity"], pa.int64())).as_py() or 0)
    total = part.num_rows
    return {
        "examples": total,
        "with_entities": given,
        "entities_per_example": given / total if total else 0.0,
    }


def _data_notes(report: Mapping[str, Any], bias_relation: str) -> list[str]:
    notes = []
    if report["maximum_questions"] is not None:
        notes.append(
            f"Only {report['maximum_questions']} questions of each relation and language were "
            f"asked, the same for every system (of {bias_relation} too)."
        )
    for language, entry in report["languages"].items():
        for key, text in (
            ("bad_records", "records that could not be read were skipped"),
            ("questions_too_long", "questions too long for the model were skipped"),
            ("candidates_without_tokens", "candidates have no token and cannot be answered"),
            ("gold_not_a_candidate", "questions have no answer among the candidates"),
        ):
            if entry[key]:
                notes.append(f"{language}: {entry[key]} {text}.")
    return notes
