"""The report of the entity vocabulary as a table: size at each threshold, links it covers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mluke_core.reporting.tables import Cell, Column, Panel, Row, Table


def vocabulary_table(report: Mapping[str, Any], scale: str) -> Table:
    """Two panels, from the report of `build_vocabulary`.

    Args:
        report: content of ``reports/vocabulary.json``.
        scale: of the run, for the watermark.
    """
    chosen = report["minimum_languages"]
    sizes = [
        Row(minimum, [Cell("size", "items", size), Cell("size", "chosen", _mark(minimum, chosen))])
        for minimum, size in report["size_by_minimum_languages"].items()
    ]
    coverage = [
        Row(
            language,
            [
                Cell(language, "titles", entry["titles"]),
                Cell(language, "links", entry["links"]),
                Cell(language, "links_in_vocabulary", entry["links_in_vocabulary"]),
                Cell(language, "share", 100 * entry["share"]),
            ],
        )
        for language, entry in report["languages"].items()
    ]
    return Table(
        "vocabulary",
        "Entity vocabulary",
        scale,
        [
            Panel(
                [
                    Column("titles", decimals=0),
                    Column("links", decimals=0),
                    Column("in vocabulary", decimals=0),
                    Column("share %"),
                ],
                coverage,
                title="Links covered",
                row_heading="Language",
            ),
            Panel(
                [Column("items", decimals=0), Column("chosen")],
                sizes,
                title="Items by the least number of languages they are linked in",
                row_heading="Languages",
            ),
        ],
        [
            f"{report['entities']:,} entities with {report['titles']:,} titles, linked in at least "
            f"{chosen} languages or asked for; {report['size']:,} entries with the special ones."
        ],
    )


def _mark(minimum: str, chosen: int) -> str | None:
    return "here" if int(minimum) == chosen else None
