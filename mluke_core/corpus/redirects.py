"""Follow a wiki's redirects to the end of their chains.

Titles become numbers once; chains are then followed for all redirects at the same time by pointer
jumping (each round doubles how far every redirect has been followed), so the time grows with the
logarithm of the longest chain, and ten million redirects fit in memory as arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mluke_core.corpus.pages_file import REDIRECTS
from mluke_core.corpus.titles import ARTICLE, Titles
from mluke_core.corpus.wikis import load_wiki
from mluke_core.errors import DataError


def resolve_redirects(
    paths: Sequence[Path], language: str, pages: Sequence[Path] = ()
) -> tuple[pa.Table, dict[str, Any]]:
    """Resolve the redirects of one wiki.

    A chain of any length is followed to its last page; the fragment (section) is the one that the
    last redirect of the chain names. Dropped and counted are: redirects to no valid title, to
    another namespace or wiki, and those that run in a circle. When a page stands in several parts
    the first is taken.

    Args:
        paths: the parts that `extract` wrote, in order.
        language: code of the wiki's language, for its namespaces.
        pages: the wiki's pages as `extract` wrote them, to count the redirects whose chain ends at
            a title that no article has. These are kept: what counts as an entity is decided later.

    Returns:
        The table (source, target, fragment), sorted by source, and the report: ``redirects``,
        ``kept``, ``chains`` (kept ones with more than one hop), ``dead_ends`` (kept ones that lead
        to no article; None without ``pages``) and ``dropped`` by reason.

    Raises:
        DataError: a file is missing or has other columns.
    """
    table = pa.concat_tables([_read(path) for path in paths])
    titles = Titles(load_wiki(language))
    total = table.num_rows
    kinds = [_kind(titles, target) for target in table["target"].to_pylist()]
    kind_array = pa.array(kinds, pa.string())
    dropped = {
        reason: count
        for reason, count in sorted(
            (entry["values"].as_py(), entry["counts"].as_py())
            for entry in pc.value_counts(kind_array)
        )
        if reason != ARTICLE
    }
    # A redirect to another namespace still ends a chain that leads through it.
    table = table.combine_chunks()
    sources = table["source"].combine_chunks()
    targets = table["target"].combine_chunks()
    codes = pa.concat_arrays([sources, targets]).dictionary_encode()
    indices = codes.indices.to_numpy(zero_copy_only=False)
    source_codes, target_codes = indices[:total], indices[total:]
    _, first_rows = np.unique(source_codes, return_index=True)
    first_rows.sort()

    row_of = np.full(len(codes.dictionary), -1, dtype=np.int64)
    row_of[source_codes[first_rows]] = first_rows
    # For each row, the row of the redirect it leads to; itself where it leads to a page.
    next_row = np.arange(total)
    leads_on = row_of[target_codes] >= 0
    next_row[leads_on] = row_of[target_codes[leads_on]]
    last_row = next_row.copy()
    for _ in range(max(total, 1).bit_length() + 1):
        further = last_row[last_row]
        if np.array_equal(further, last_row):
            break
        last_row = further
    in_circle = leads_on[last_row]
    is_first = np.zeros(total, dtype=bool)
    is_first[first_rows] = True
    is_article = np.array([kind == ARTICLE for kind in kinds], dtype=bool)
    ends_in_article = is_article[last_row] if total else is_article
    kept = is_first & ~in_circle & ends_in_article
    lost_on_the_way = is_first & ~in_circle & is_article & ~ends_in_article
    if in_circle[is_first].any():
        dropped["circle"] = int((in_circle & is_first).sum())
    if lost_on_the_way.any():
        dropped["chain_leaves_articles"] = int(lost_on_the_way.sum())
    if not is_first.all():
        dropped["duplicate"] = int((~is_first).sum())

    ends = pa.array(last_row[kept])
    resolved = pa.table(
        {
            "source": sources.filter(pa.array(kept)),
            "target": targets.take(ends),
            "fragment": table["fragment"].combine_chunks().take(ends),
        },
        schema=REDIRECTS,
    ).sort_by("source")
    report = {
        "language": language,
        "redirects": total,
        "kept": resolved.num_rows,
        "chains": int((kept & leads_on).sum()),
        "dead_ends": _dead_ends(resolved["target"], pages) if pages else None,
        "dropped": dropped,
    }
    return resolved, report


def _dead_ends(targets: pa.ChunkedArray, pages: Sequence[Path]) -> int:
    """How many of ``targets`` are no title of ``pages``."""
    found = pa.concat_tables(_read_titles(path) for path in pages)["title"].combine_chunks()
    return int(pc.sum(pc.invert(pc.is_in(targets, value_set=found))).as_py() or 0)


def _read_titles(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, columns=["title"]).replace_schema_metadata(None)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: not a readable Parquet file of pages ({error}).") from None


def _kind(titles: Titles, target: str) -> str:
    kind = titles.parse(target).kind
    return "namespace" if kind in ("file", "category") else kind


def _read(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}).") from None
    if table.schema.names != REDIRECTS.names:
        raise DataError(
            f"{path}: has the columns {', '.join(table.schema.names)}; "
            f"{', '.join(REDIRECTS.names)} were expected. Delete it so that it is made again."
        )
    return table.cast(REDIRECTS).replace_schema_metadata(None)
