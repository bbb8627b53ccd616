"""The report of a run as one page that needs no network."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mluke_core.reporting.figures.style import duration, memory
from mluke_core.reporting.html_format import LINES, asset, environment, table_parts
from mluke_core.reporting.page.examples import OUTCOMES, Pair, examples_of, pair_of
from mluke_core.reporting.page.facts import (
    configuration_sections,
    coverage_rows,
    disk_rows,
    input_rows,
    resource_rows,
    short_facts,
    version_rows,
)
from mluke_core.reporting.page.matrices import (
    class_matrices,
    confusion_matrices,
    matching_matrices,
    relation_matrices,
)
from mluke_core.reporting.page.measures import measure_tables
from mluke_core.reporting.page.svg import Figure, read_figure
from mluke_core.reporting.plan import significance_pairs
from mluke_core.reporting.run_folder import RunFolder
from mluke_core.reporting.tables import Cell, Contrast, Table, watermark
from mluke_core.reporting.text import format_difference, format_number

TEST_NAMES = {
    "xquad": "XQuAD",
    "mlqa": "MLQA",
    "gxlt": "G-XLT",
    "relx": "RELX",
    "conll": "CoNLL",
    "mlama": "mLAMA",
    "cwr": "Word retrieval",
    "modularity": "Modularity",
}


@dataclass(frozen=True)
class TableSection:
    """One table of the report; ``short`` is ``Table 3``."""

    name: str
    short: str
    long: str
    """What stands behind the colon of its title."""
    parts: dict[str, Any]
    figures: Sequence[Figure] = field(default_factory=tuple)


@dataclass(frozen=True)
class Gain:
    """What entity inputs add to one block of a table, on average over its columns."""

    table: str
    block: str
    word: str
    entity: str
    measured: str
    contrast: Contrast | None
    interval: str
    published: str


def report_page(run: RunFolder) -> str:
    """The whole page; equal runs give equal pages."""
    tables = {name: run.table(name) for name in run.tables}
    pair = pair_of(run)
    page: str = (
        environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            watermark=watermark(run.scale),
            facts=short_facts(run),
            systems=run.systems,
            gains=gains(run, tables),
            tables=[_table_section(run, name, table) for name, table in tables.items()],
            lines=LINES,
            corpus=_figures(run, "corpus", "sampling", "vocabulary"),
            pretraining=_figures_under(run, "loss"),
            finetuning=_figures_under(run, "finetuning"),
            probes=[*_figures_under(run, "projection"), *_figures(run, "sweep")],
            resource_figure=_figures(run, "resources"),
            coverage=coverage_rows(run),
            examples=_example_groups(run, pair),
            outcomes=_outcome_names(pair),
            pair=pair,
            measures=measure_tables(run),
            matrices={
                "classes": class_matrices(run),
                "matching": matching_matrices(run),
                "relations": relation_matrices(run),
                "confusions": confusion_matrices(run),
            },
            resources=resource_rows(run),
            disk=disk_rows(run),
            inputs=input_rows(run),
            versions=version_rows(run),
            configuration=configuration_sections(run),
            seeds=run.provenance.get("seeds", {}),
            stage_versions=run.provenance.get("stage_versions", {}),
            test_names=TEST_NAMES,
            duration=duration,
            memory=memory,
            style=asset("table.css") + asset("report.css"),
            script=asset("table.js") + asset("report.js"),
        )
    )
    return page


def _table_section(run: RunFolder, name: str, table: Table) -> TableSection:
    short, _, long = table.title.partition(": ")
    return TableSection(
        name, short, long or table.title, table_parts(table), _figures(run, f"comparison/{name}")
    )


def _figures(run: RunFolder, *names: str) -> list[Figure]:
    paths = {name: run.file("figures", f"{name}.svg") for name in names}
    return [read_figure(path, name) for name, path in paths.items() if path]


def _figures_under(run: RunFolder, folder: str) -> list[Figure]:
    paths = sorted((run.path / "figures" / folder).glob("*.svg"))
    return _figures(run, *(f"{folder}/{path.stem}" for path in paths))


def gains(run: RunFolder, tables: dict[str, Table]) -> list[Gain]:
    """Entity inputs against word inputs of the same model, block by block.

    Each block stands with its average where it has one, else with the mean of its columns.
    """
    found = []
    for name, table in tables.items():
        if run.config["tables"][name]["kind"] != "scores":
            continue
        cells = _cells(table)
        for pair in significance_pairs(run.config, name):
            for block in run.config["tables"][name]["blocks"]:
                found += _block_gains(table, block, pair, cells)
    return found


def _cells(table: Table) -> dict[tuple[str, str, str, str], Cell]:
    return {
        (row.system, row.variant, cell.block, cell.column): cell
        for panel in table.panels
        for row in panel.rows
        for cell in row.cells
    }


def _block_gains(
    table: Table,
    block: dict[str, Any],
    pair: dict[str, str],
    cells: dict[tuple[str, str, str, str], Cell],
) -> list[Gain]:
    label = block["label"]
    columns = [block["average"]] if block.get("average") else list(block.get("columns", ()))
    found = []
    variants = dict.fromkeys(v for s, v, b, _ in cells if s == pair["system"] and b == label)
    for variant in variants:
        wanted = columns or [
            c for s, v, b, c in cells if (s, v, b) == (pair["system"], variant, label)
        ]
        both = [
            (word, entity)
            for column in wanted
            if (word := cells.get((pair["baseline"], "default", label, column)))
            and (entity := cells.get((pair["system"], variant, label, column)))
            and isinstance(word.value, float)
            and isinstance(entity.value, float)
        ]
        if not both:
            continue
        decimals = 2 if block["test"] == "modularity" else 1
        words, entities = (
            statistics.fmean(float(cells_of_both[side].value or 0.0) for cells_of_both in both)
            for side in (0, 1)
        )
        printed = [
            float(two.published) - float(one.published)
            for one, two in both
            if isinstance(one.published, (int, float)) and isinstance(two.published, (int, float))
        ]
        contrast = both[0][1].contrast if len(both) == 1 else None
        suffix = "" if variant == "default" else f" {variant}"
        found.append(
            Gain(
                table.title.partition(":")[0],
                f"{label}{suffix}",
                format_number(words, decimals),
                format_number(entities, decimals),
                format_difference(entities - words, decimals),
                contrast,
                _interval(contrast, decimals),
                format_difference(sum(printed) / len(printed), decimals) if printed else "–",
            )
        )
    return found


def _interval(contrast: Contrast | None, decimals: int) -> str:
    if contrast is None:
        return "–"
    low, high = (format_difference(limit, decimals) for limit in (contrast.low, contrast.high))
    return f"{low} to {high}"


def _example_groups(run: RunFolder, pair: Pair | None) -> list[Any]:
    return list(examples_of(run, pair)) if pair else []


def _outcome_names(pair: Pair | None) -> dict[str, str]:
    if pair is None:
        return {}
    first, second = pair.labels
    names = ("both right", f"only {second} right", f"only {first} right", "both wrong")
    return dict(zip(OUTCOMES, names, strict=True))
