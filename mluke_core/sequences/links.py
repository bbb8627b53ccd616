"""Which entity each link of a page file leads to, and the paragraphs with their links as lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mluke_core.alignment.build_vocabulary import titles_in_vocabulary
from mluke_core.alignment.database import (
    connect,
    fetch_table,
    require_columns,
)
from mluke_core.alignment.page_columns import (
    PAGES_PER_BATCH,
    link_targets,
    list_bounds,
    open_pages,
)
from mluke_core.io.parquet import batches

# What stands for the entity of a link that leads to none.
NO_ITEM = -1
OUTSIDE_VOCABULARY = -2

_RESOLVED = """
SELECT target,
       CASE WHEN entity_id IS NOT NULL THEN entity_id
            WHEN sitelink.qid IS NOT NULL THEN {outside}
            ELSE {no_item} END::INTEGER AS entity_id
FROM (SELECT DISTINCT target FROM targets) AS link
LEFT JOIN (SELECT source, min(target) AS end_of_chain FROM read_parquet($redirects)
           GROUP BY source) AS redirect ON redirect.source = link.target
LEFT JOIN vocabulary ON vocabulary.title = coalesce(end_of_chain, target)
LEFT JOIN read_parquet($sitelinks) AS sitelink ON sitelink.title = coalesce(end_of_chain, target)
ORDER BY target
"""
_RESOLVED_SCHEMA = pa.schema([("target", pa.string()), ("entity_id", pa.int32())])


class TargetIndex:
    """Entity id of every link target that occurs in a page file."""

    def __init__(self, table: pa.Table) -> None:
        self._targets = table["target"].combine_chunks()
        self._ids = table["entity_id"].to_numpy()

    @classmethod
    def resolve(
        cls,
        pages: Path,
        redirects: Path,
        sitelinks: Path,
        vocabulary: Path,
        language: str,
        memory_mb: int = 4000,
    ) -> TargetIndex:
        """Resolve the targets of ``pages``: redirect, then the title's entry in the vocabulary."""
        require_columns(redirects, "source", "target")
        require_columns(sitelinks, "qid", "title")
        with connect(memory_mb, pages.parent) as database:
            database.register("targets", link_targets([pages]))
            database.register("vocabulary", titles_in_vocabulary(vocabulary, language))
            query = _RESOLVED.format(outside=OUTSIDE_VOCABULARY, no_item=NO_ITEM)
            parameters = {"redirects": str(redirects), "sitelinks": str(sitelinks)}
            return cls(fetch_table(database, query, _RESOLVED_SCHEMA, parameters))

    def entities_of(self, targets: pa.Array) -> list[int]:
        """Entity id per target; ``NO_ITEM`` or ``OUTSIDE_VOCABULARY`` where there is none."""
        if not len(targets):
            return []
        places = pc.index_in(targets, self._targets)
        return self._ids[places.to_numpy(zero_copy_only=False)].tolist()


@dataclass(slots=True)
class LinkedPage:
    """One article: paragraphs with the links of each."""

    page_id: int
    title: str
    texts: list[str]
    """Texts of the paragraphs."""
    links: list[list[tuple[int, int, int]]]
    """Per paragraph: (start, end, entity id or a negative reason), in order of start."""


def linked_pages(path: Path, targets: TargetIndex) -> Iterator[list[LinkedPage]]:
    """The articles of a page file in its order, some hundred at a time."""
    with open_pages(path) as file:
        for batch in batches(file, PAGES_PER_BATCH):
            yield list(_pages_of(batch, targets))


def _pages_of(batch: pa.RecordBatch, targets: TargetIndex) -> Iterator[LinkedPage]:
    # Columns are flattened and turned into lists as wholes: rows of nested values would cost
    # more than the tokenizer.
    paragraphs = batch.column("paragraphs")
    flat = paragraphs.flatten()
    texts = flat.field("text").to_pylist()
    link_lists = flat.field("links")
    links = link_lists.flatten()
    starts = links.field("start").to_pylist()
    ends = links.field("end").to_pylist()
    entities = targets.entities_of(links.field("target").cast(pa.string()))
    page_bounds = list_bounds(paragraphs)
    link_bounds = list_bounds(link_lists)
    page_ids = batch.column("page_id").to_pylist()
    titles = batch.column("title").to_pylist()
    for i, (page_id, title) in enumerate(zip(page_ids, titles, strict=True)):
        first, last = page_bounds[i], page_bounds[i + 1]
        yield LinkedPage(
            page_id,
            title,
            texts[first:last],
            [
                sorted(
                    zip(
                        starts[link_bounds[k] : link_bounds[k + 1]],
                        ends[link_bounds[k] : link_bounds[k + 1]],
                        entities[link_bounds[k] : link_bounds[k + 1]],
                        strict=True,
                    )
                )
                for k in range(first, last)
            ],
        )
