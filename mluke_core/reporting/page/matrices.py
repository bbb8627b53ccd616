"""Matrices that the page draws on request: mLAMA by relation, confusions, F1 by class, matching."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mluke_core.io.sources import Source
from mluke_core.metrics.spans import Span
from mluke_core.probes.mlama_data import read_templates
from mluke_core.reporting import plan
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.reporting.score_tables import row_label
from mluke_core.tasks.collections import test_columns
from mluke_core.tasks.conll_reader import parse_spans, read_sentences
from mluke_core.tasks.score import read_predictions

MISSED, SPURIOUS = "(not found)", "(no entity)"
Matrix = dict[str, Any]
"""``system``, ``view``, ``rows``, ``columns``, ``cells`` (row by row; None for nothing), and
``hints`` (of the rows, may be empty)."""


def relation_matrices(run: RunFolder) -> list[Matrix]:
    """Precision at 1 of every relation and language, a matrix per system, variant and setting."""
    found: list[Matrix] = []
    hints = _english_templates(run)
    for system, entry in run.systems.items():
        scores = run.scores(system, "mlama")
        per_relation = scores.details.get("per_relation", {}) if scores else {}
        for variant, languages in per_relation.items():
            for setting in ("restricted", "full"):
                cells = {
                    (relation, language): (values["p1"], values["questions"])
                    for language, settings in languages.items()
                    for relation, values in settings.get(setting, {}).items()
                }
                if not cells:
                    continue
                rows = sorted({relation for relation, _ in cells}, key=_relation_order)
                columns = sorted({language for _, language in cells})
                found.append(
                    {
                        "system": row_label(entry, variant),
                        "view": MLAMA_SETTINGS[setting],
                        "rows": rows,
                        "columns": columns,
                        "hints": [hints.get(relation, "") for relation in rows],
                        "cells": [[cells.get((r, c)) for c in columns] for r in rows],
                    }
                )
    return found


MLAMA_SETTINGS = {
    "restricted": "candidates in the entity vocabulary (Table 5)",
    "full": "all candidates (Appendix G)",
}


def _relation_order(name: str) -> tuple[int, str]:
    digits = name.removeprefix("P")
    return (int(digits), name) if digits.isdigit() else (0, name)


def _english_templates(run: RunFolder) -> dict[str, str]:
    name = run.config["probes"]["mlama"].get("sources", {}).get("data", "")
    manifest = run.file("sources", f"{name}.json")
    return read_templates(Source(manifest), "en") if manifest else {}


def confusion_matrices(run: RunFolder) -> list[Matrix]:
    """Gold labels by predicted labels, of the best runs: RELX, then the entity types of CoNLL."""
    return [
        *(matrix for system in run.systems for matrix in _label_confusions(run, system)),
        *(matrix for system in run.systems for matrix in _span_confusions(run, system)),
    ]


def _label_confusions(run: RunFolder, system: str) -> list[Matrix]:
    found: list[Matrix] = []
    for test in run.tests:
        scores = run.scores(system, test)
        for column, details in scores.details.items() if scores else ():
            counts = details.get("confusion") if isinstance(details, dict) else None
            if counts:
                labels = sorted({*counts, *(label for row in counts.values() for label in row)})
                found.append(_confusion(run, system, f"{test} {column}", labels, labels, counts))
    return found


def _span_confusions(run: RunFolder, system: str) -> list[Matrix]:
    found: list[Matrix] = []
    for test in run.tests:
        if test not in run.task_of or plan.test_entry(run.config, test)["metrics"] != "spans":
            continue
        path, scores = run.predictions(system, test), run.scores(system, test)
        if path is None or scores is None:
            continue
        answers, best = read_predictions(path), scores.runs[0]["run"]
        for column in test_columns(plan.scoring_settings(run.config, test), run.sources(test)):
            given = answers.get((best, column.name))
            if column.path is None or given is None:
                continue
            counts: dict[str, Counter[str]] = {}
            for sentence in read_sentences(column.path).examples:
                _count_types(counts, sentence.spans, parse_spans(given.get(sentence.id, "[]")))
            kinds = sorted({*counts, *(kind for row in counts.values() for kind in row)})
            kinds = [kind for kind in kinds if kind not in (MISSED, SPURIOUS)]
            found.append(
                _confusion(
                    run,
                    system,
                    f"{test} {column.name}",
                    [*kinds, SPURIOUS],
                    [*kinds, MISSED],
                    counts,
                )
            )
    return found


def _count_types(
    counts: dict[str, Counter[str]], gold: tuple[Span, ...], predicted: list[Span]
) -> None:
    """Types of gold spans and of predicted spans with the same limits."""
    right = {(start, end): kind for start, end, kind in gold}
    given = {(start, end): kind for start, end, kind in predicted}
    for limits, kind in right.items():
        counts.setdefault(kind, Counter())[given.get(limits, MISSED)] += 1
    for limits, kind in given.items():
        if limits not in right:
            counts.setdefault(SPURIOUS, Counter())[kind] += 1


def class_matrices(run: RunFolder) -> list[Matrix]:
    """F1 of every relation (RELX) and entity type (CoNLL) in every language, of the best runs.

    Cells hold F1 and the number of gold examples.
    """
    found: list[Matrix] = []
    for system in run.systems:
        for test in run.tests:
            scores = run.scores(system, test)
            of_column = {
                column: details.get("relations") or details.get("types") or {}
                for column, details in (scores.details.items() if scores else ())
                if test in run.task_of
            }
            rows = sorted({name for classes in of_column.values() for name in classes})
            cells = [
                [
                    (classes[row]["f1"], classes[row]["gold"]) if row in classes else None
                    for classes in of_column.values()
                ]
                for row in rows
            ]
            if rows:
                found.append(_matrix(run, system, test, rows, list(of_column), cells))
    return found


def matching_matrices(run: RunFolder) -> list[Matrix]:
    """How mLAMA's names were found among the entities, by language; cells as of a confusion."""
    found: list[Matrix] = []
    for system in run.systems:
        scores = run.scores(system, "mlama")
        matching = scores.details.get("matching", {}) if scores else {}
        for kind, view in MATCHED.items():
            counts = {
                language: {MATCHES[how]: count for how, count in kinds[kind].items()}
                for language, kinds in matching.items()
                if kinds.get(kind)
            }
            if counts:
                columns = list(MATCHES.values())
                found.append(_confusion(run, system, view, sorted(counts), columns, counts))
    return found


MATCHED = {
    "candidates": "candidates, in the run's entity vocabulary",
    "candidates_of_model": "candidates, in the model's own vocabulary",
    "subjects_of_model": "subjects, in the model's own vocabulary",
}
# Longer names would stand upright above columns as narrow as these.
MATCHES = {"exact": "title", "first_letter": "letter", "not_found": "none"}


def _confusion(
    run: RunFolder,
    system: str,
    view: str,
    rows: list[str],
    columns: list[str],
    counts: Mapping[str, Mapping[str, int]],
) -> Matrix:
    """Cells hold the share of the row in percent, and the count."""
    cells: list[list[tuple[float, int] | None]] = []
    for row in rows:
        entries = counts.get(row, {})
        total = sum(entries.values())
        cells.append(
            [(100 * entries[c] / total, entries[c]) if entries.get(c) else None for c in columns]
        )
    return _matrix(run, system, view, rows, columns, cells)


def _matrix(
    run: RunFolder,
    system: str,
    view: str,
    rows: list[str],
    columns: list[str],
    cells: list[list[tuple[float, int] | None]],
) -> Matrix:
    return {
        "system": run.systems[system]["label"],
        "view": view,
        "rows": rows,
        "columns": columns,
        "hints": [],
        "cells": cells,
    }
