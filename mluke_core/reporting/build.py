"""Build any table of the configuration from the files of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mluke_core.errors import ConfigError, DataError
from mluke_core.io.cli import required_settings
from mluke_core.reporting.corpus_table import corpus_table, read_corpus
from mluke_core.reporting.gxlt import gxlt_table
from mluke_core.reporting.hyperparameter_table import hyperparameter_table
from mluke_core.reporting.language_bias import language_bias_table
from mluke_core.reporting.marks import mark_table
from mluke_core.reporting.published import Published
from mluke_core.reporting.score_tables import score_table
from mluke_core.reporting.scores import ScoreBook, Selection
from mluke_core.reporting.tables import Table

KINDS = ["scores", "language_bias", "gxlt", "corpus", "hyperparameters"]


def build_table(
    settings: dict[str, Any],
    scores: Sequence[Path] = (),
    selections: Sequence[Path] = (),
    corpus: Path | None = None,
    significance: Path | None = None,
) -> Table:
    """Lay out one table.

    Args:
        settings: ``scale``, ``name`` and ``table`` (its entry); for all kinds but ``corpus`` also
            ``systems`` (name → entry); for kinds with languages ``columns`` (test → columns);
            optionally ``order``, the systems from top to bottom, ``missing``, the tests that
            cannot be run here (test → reason), and ``notes``, remarks that come last.
        scores: score files, for the kinds ``scores``, ``language_bias`` and ``gxlt``.
        selections: for the kind ``hyperparameters``.
        corpus: ``reports/corpus.json``, for the kind ``corpus``.
        significance: what the step `significance` found, for the kind ``scores``.

    Raises:
        MlukeError: settings are missing.
        ConfigError: the kind is unknown.
        DataError: a file is damaged or was not given.
    """
    table = _laid_out(settings, scores, selections, corpus, significance)
    return replace(table, notes=[*table.notes, *settings.get("notes", ())])


def _laid_out(
    settings: dict[str, Any],
    scores: Sequence[Path],
    selections: Sequence[Path],
    corpus: Path | None,
    significance: Path | None,
) -> Table:
    name, scale, entry = required_settings(settings, "name", "scale", "table")
    systems = ordered_systems(settings)
    columns, missing = settings.get("columns", {}), settings.get("missing", {})
    match entry["kind"]:
        case "scores":
            book = ScoreBook.load(_given(scores, name, "--scores", missing), missing)
            table = score_table(name, scale, entry, systems, columns, book, Published.load())
            return mark_table(table, significance, systems)
        case "gxlt":
            book = ScoreBook.load(_given(scores, name, "--scores", missing), missing)
            return gxlt_table(name, scale, entry, systems, columns, book, Published.load())
        case "language_bias":
            book = ScoreBook.load(_given(scores, name, "--scores", missing), missing)
            return language_bias_table(name, scale, entry, systems, book, Published.load())
        case "hyperparameters":
            loaded = [Selection.load(path) for path in _given(selections, name, "--selections", {})]
            return hyperparameter_table(name, scale, entry, systems, loaded)
        case "corpus":
            if corpus is None:
                raise DataError(f"{name} is a table of corpus statistics: give --corpus.")
            return corpus_table(name, scale, entry, read_corpus(corpus))
        case kind:
            raise ConfigError(
                f"tables.{name}.kind: there is no kind '{kind}'; write one of {', '.join(KINDS)}."
            )


def ordered_systems(settings: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The systems in the order of the rows.

    Raises:
        ConfigError: ``order`` names a system that has no entry.
    """
    systems = settings.get("systems", {})
    order = settings.get("order", list(systems))
    unknown = [system for system in order if system not in systems]
    if unknown:
        raise ConfigError(
            f"the settings of the step `table` order the system '{unknown[0]}', which has no "
            f"entry; there are {', '.join(systems)}."
        )
    return {system: systems[system] for system in order}


def _given(
    paths: Sequence[Path], name: str, option: str, missing: Mapping[str, str]
) -> Sequence[Path]:
    if not paths and not missing:
        raise DataError(f"{name} needs the files of {option}, and none was given.")
    return paths
