"""Which rows, columns and tests a table has: worked out from the configuration alone.

Rules, the report and the comparison of runs all ask here, so that they agree. Imports nothing
heavy: the rules are read by every job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mluke_core.config import is_available, tests, unavailable_reason
from mluke_core.config_notes import fill_note

Config = Mapping[str, Any]
LANGUAGE_BIAS_TESTS = ["mlama"]
GXLT_TESTS = ["mlqa", "gxlt"]
COMPARISON_FIGURES: dict[str, tuple[str, dict[str, str]]] = {
    "scores": ("comparison", {}),
    "language_bias": ("comparison", {"measure": "ratio_percent"}),
    "gxlt": ("pairs", {}),
}


def is_luke(config: Config, system: str) -> bool:
    """Whether a system's model has entities."""
    return config["models"][config["systems"][system]["model"]].get("objective") == "luke"


def table_systems(config: Config, table: str) -> list[str]:
    """The run's systems that a table has a row for."""
    only_luke = config["tables"][table].get("models") == "luke"
    return [name for name in config["run"]["systems"] if is_luke(config, name) or not only_luke]


def tests_of(config: Config, table: str) -> list[str]:
    """The test collections and probes that a table reads."""
    entry = config["tables"][table]
    match entry["kind"]:
        case "scores":
            return list(dict.fromkeys(block["test"] for block in entry["blocks"]))
        case "language_bias":
            return LANGUAGE_BIAS_TESTS
        case "gxlt":
            return GXLT_TESTS
        case _:
            return []


def is_active(config: Config, test: str) -> bool:
    """Whether a test can be run: probes always, tasks when their training data is there."""
    task = tests(dict(config)).get(test)
    if task is None:
        return True
    entry = config["tasks"][task]
    return all(is_available(dict(config), entry[split]["source"]) for split in ("train", "dev"))


def test_entry(config: Config, test: str) -> dict[str, Any]:
    """The configuration of a test collection or probe."""
    if test in config["probes"]:
        return dict(config["probes"][test])
    return dict(config["tasks"][tests(dict(config))[test]]["tests"][test])


def test_columns(config: Config, test: str) -> list[str]:
    """The columns of a test collection, the languages of a probe."""
    entry = test_entry(config, test)
    return list(entry["columns"] if "columns" in entry else entry["languages"])


def row_entries(config: Config, systems: list[str]) -> dict[str, dict[str, Any]]:
    """What a table shows of its systems, so that nothing else of their entries re-runs it."""
    return {
        name: {
            key: config["systems"][name][key]
            for key in ("label", "published")
            if key in config["systems"][name]
        }
        for name in systems
    }


def comparison_figure(config: Config, table: str) -> tuple[str, dict[str, str]] | None:
    """The kind of figure that sets a table's numbers beside the paper's, and its own settings.

    None for tables without scores: the corpus has a figure of its own, hyper-parameters have none.
    """
    return COMPARISON_FIGURES.get(config["tables"][table]["kind"])


def missing_tests(config: Config, table: str) -> dict[str, str]:
    """Tests of a table that cannot be run here -> the reason, for a note under the table."""
    task_of = tests(dict(config))
    return {
        test: unavailable_reason(dict(config), config["tasks"][task_of[test]]["train"]["source"])
        for test in tests_of(config, table)
        if not is_active(config, test)
    }


def table_layout(config: Config, table: str) -> dict[str, Any]:
    """A table's entry without its notes, which change no number."""
    return {key: value for key, value in config["tables"][table].items() if key != "notes"}


def table_notes(config: Config, table: str) -> list[str]:
    """What a table does otherwise than the paper, with the values of this run."""
    return [fill_note(note, config) for note in config["tables"][table].get("notes", [])]


def table_settings(config: Config, table: str) -> dict[str, Any]:
    """The settings of the step `table`."""
    systems = table_systems(config, table)
    return {
        "scale": config["scale"],
        "name": table,
        "table": table_layout(config, table),
        "notes": table_notes(config, table),
        "systems": row_entries(config, systems),
        "order": systems,
        "columns": {test: test_columns(config, test) for test in tests_of(config, table)},
        "missing": missing_tests(config, table),
    }


def significance_pairs(config: Config, table: str) -> list[dict[str, str]]:
    """Systems of a table that share a model: words are the baseline of entities."""
    entries, names = config["systems"], table_systems(config, table)
    return [
        {"baseline": word, "system": entity}
        for word in names
        for entity in names
        if entries[word]["model"] == entries[entity]["model"]
        and (entries[word]["inputs"], entries[entity]["inputs"]) == ("word", "entity")
    ]


def is_tested(config: Config, table: str) -> bool:
    """Whether any cell of a table can be tested against a baseline's."""
    return config["tables"][table]["kind"] == "scores" and bool(significance_pairs(config, table))


def scoring_settings(config: Config, test: str) -> dict[str, Any]:
    """Where the gold answers of a task's test collection are, and how they are scored."""
    entry = test_entry(config, test)
    files = entry.get("files", {})
    return {
        "test": test,
        "metrics": entry["metrics"],
        "columns": entry["columns"],
        "files": files,
        "source": entry.get("source"),
        "unavailable": {
            column: unavailable_reason(dict(config), file["source"])
            for column, file in files.items()
            if not is_available(dict(config), file["source"])
        },
    }


def gold_sources(config: Config, test: str) -> list[str]:
    """The available sources of a test collection's gold answers."""
    entry = test_entry(config, test)
    files = entry.get("files", {})
    names = {file["source"] for file in files.values()} if files else {entry["source"]}
    return sorted(name for name in names if is_available(dict(config), name))
