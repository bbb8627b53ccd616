"""The paragraphs of a page file as lists, each link with the entity that it leads to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from mluke_core.alignment.page_columns import PAGES_PER_BATCH, list_bounds, open_pages
from mluke_core.io.parquet import batches
from mluke_core.sequences.target_index import TargetIndex


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
    columns = link_lists.flatten()
    links = list(
        zip(
            columns.field("start").to_pylist(),
            columns.field("end").to_pylist(),
            targets.entities_of(columns.field("target").cast(pa.string())),
            strict=True,
        )
    )
    bounds = list_bounds(link_lists)
    links_of = [sorted(links[first:end]) if first < end else [] for first, end in pairwise(bounds)]
    page_ids = batch.column("page_id").to_pylist()
    titles = batch.column("title").to_pylist()
    for page_id, title, (first, end) in zip(
        page_ids, titles, pairwise(list_bounds(paragraphs)), strict=True
    ):
        yield LinkedPage(page_id, title, texts[first:end], links_of[first:end])
