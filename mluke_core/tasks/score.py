"""Score the predictions of one system on one test collection: the step `score`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

from mluke_core.errors import DataError
from mluke_core.io.cli import required_settings
from mluke_core.io.files import read_json, write_json
from mluke_core.tasks.collections import TestColumn, test_columns
from mluke_core.tasks.data import NAMED_RECORDS
from mluke_core.tasks.mention_sources import describe_sources
from mluke_core.tasks.parallel_ids import Ids, language_notes, pair_notes
from mluke_core.tasks.scorers import Scorer, scorer_class
from mluke_core.tasks.select_run import selected_runs

log = logging.getLogger("mluke")

VARIANT = "default"
GXLT, MLQA = "gxlt", "mlqa"
"""G-XLT's pairs of equal languages are the columns of MLQA."""
Results = dict[str, dict[str, list[float]]]
COVERAGE = ("examples", "with_entities", "entities_per_example", "mentions")
"""What the scores take over from the coverage file; only questions have ``mentions``."""

# Averages over the pairs of G-XLT, named after the 7 languages of MLQA.
OFF_DIAGONAL_AVERAGE, WHOLE_AVERAGE = "avg42", "avg49"


def score(
    settings: Mapping[str, Any],
    predictions: Path,
    coverage: Path,
    selection: Path,
    sources: Mapping[str, Path],
    output: Path,
    diagonal: Path | None = None,
) -> None:
    """Write ``results/<scale>/scores/{system}/{test}.json``.

    Args:
        settings: as ``docs/design.md`` lists them for `score`.
        diagonal: for G-XLT, the scores of MLQA, whose columns are the pairs of equal languages.

    Raises:
        DataError: predictions of a column or run are missing altogether.
    """
    names = ("system", "test", "metrics", "columns")
    system, test, metrics, _ = required_settings(dict(settings), *names)
    covered = read_json(coverage)
    runs = selected_runs(selection)
    answers = read_predictions(predictions)
    columns = test_columns(settings, sources)
    scorer = scorer_class(metrics)
    results: Results = {}
    counts: dict[str, int] = {}
    gold_ids: dict[str, set[str]] = {}
    details: dict[str, Any] = {}
    notes: list[str] = []
    for column in columns:
        if column.path is None:
            continue
        gold = scorer(column, covered)
        counts[column.name] = len(gold.ids)
        if gold.parallel:
            gold_ids[column.name] = set(gold.ids)
        per_run = [_answers(answers, run["run"], column, gold, notes, predictions) for run in runs]
        scored = [gold.metrics(found) for found in per_run]
        results[column.name] = {name: [run[name] for run in scored] for name in scored[0]}
        more = gold.details(per_run[0])
        if more:
            details[column.name] = more
        troubles = covered["columns"].get(column.name, {}).get("troubles", {})
        notes += [f"{column.name}: {trouble}: {count}" for trouble, count in troubles.items()]
    notes += _parallel_notes(gold_ids, settings, sources, scorer, covered)
    notes += describe_sources(covered["columns"])
    if test == GXLT:
        _add_pair_averages(results, runs, diagonal, notes)
    write_json(
        output,
        {
            "system": system,
            "test": test,
            "runs": runs,
            "results": {VARIANT: results},
            "counts": counts,
            "coverage": {
                name: {key: entry[key] for key in COVERAGE if key in entry}
                for name, entry in covered["columns"].items()
            },
            "unavailable": {c.name: c.missing for c in columns if c.path is None},
            "notes": notes,
            "details": details,
        },
    )


def _parallel_notes(
    gold_ids: Ids,
    settings: Mapping[str, Any],
    sources: Mapping[str, Path],
    scorer: type[Scorer],
    covered: Mapping[str, Any],
) -> list[str]:
    """Questions that some columns of a translated collection have and others lack."""
    if settings["test"] != GXLT:
        return language_notes(gold_ids, complete=scorer.parallel == "complete")
    languages = {language for pair in gold_ids for language in pair.split("-")}
    equal = {
        column.name: set(scorer(column, covered).ids)
        for column in test_columns({**settings, "test": MLQA}, sources)
        if column.path is not None and column.name in languages
    }
    return pair_notes(gold_ids, equal)


def read_predictions(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """``{(run, test set): {example id: prediction}}`` of a predictions file."""
    columns = ["run", "test_set", "example_id", "prediction"]
    try:
        table = pq.read_table(path, columns=columns)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a predictions file ({error}).") from None
    found: dict[tuple[str, str], dict[str, str]] = {}
    for run, test_set, example, text in zip(
        *(table[name].to_pylist() for name in columns), strict=True
    ):
        found.setdefault((run, test_set), {})[example] = text
    return found


def _answers(
    answers: Mapping[tuple[str, str], dict[str, str]],
    run: str,
    column: TestColumn,
    gold: Scorer,
    notes: list[str],
    path: Path,
) -> dict[str, str]:
    """Predictions of a run for a column; examples without one are counted and named."""
    found = answers.get((run, column.name))
    if found is None:
        raise DataError(
            f"{path}: no predictions of run '{run}' for '{column.name}'. "
            "Delete it so that it is made again."
        )
    missing = [example for example in gold.ids if example not in found]
    if missing:
        named = ", ".join(missing[:NAMED_RECORDS])
        notes.append(
            f"{column.name}, run {run}: {len(missing)} examples without a prediction count as "
            f"wrong ({named})"
        )
        log.warning("%s", notes[-1])
    return found


def _add_pair_averages(
    results: Results, runs: Sequence[dict[str, Any]], diagonal: Path | None, notes: list[str]
) -> None:
    """Add the averages over pairs of different languages, and over all pairs."""
    pairs = dict(results)
    if not pairs:
        return
    results[OFF_DIAGONAL_AVERAGE] = _average(list(pairs.values()))
    notes.append(f"{OFF_DIAGONAL_AVERAGE}: mean of {len(pairs)} pairs of different languages")
    if diagonal is None:
        notes.append(f"{WHOLE_AVERAGE}: not computed, because the MLQA scores were not given")
        return
    equal = read_json(diagonal)
    names = [run["run"] for run in runs]
    if [run["run"] for run in equal["runs"]] != names:
        raise DataError(
            f"{diagonal}: scores of other runs than {', '.join(names)}. Score it again."
        )
    languages = dict.fromkeys(language for pair in pairs for language in pair.split("-"))
    same = {name: value for name, value in equal["results"][VARIANT].items() if name in languages}
    results[WHOLE_AVERAGE] = _average([*pairs.values(), *same.values()])
    notes.append(f"{WHOLE_AVERAGE}: mean of {len(pairs) + len(same)} pairs, {len(same)} of MLQA")


def _average(columns: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Mean over columns of every metric, run by run."""
    return {
        metric: [fmean(run) for run in zip(*(column[metric] for column in columns), strict=True)]
        for metric in columns[0]
    }
