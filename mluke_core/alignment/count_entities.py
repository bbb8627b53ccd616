"""How often each article of one language is linked, redirects resolved, with its Wikidata item."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mluke_core.alignment.database import (
    connect,
    fetch_row,
    fetch_table,
    require_columns,
)
from mluke_core.alignment.page_columns import link_targets, open_pages
from mluke_core.errors import DataError
from mluke_core.io.parquet import stage_metadata, write_table

log = logging.getLogger("mluke")

SCHEMA = pa.schema([("title", pa.string()), ("qid", pa.int64()), ("links", pa.int64())])
TARGETS = ("pages", "sitelinks")

# The redirect table has the last word: every step resolves a target in the same way, also when a
# damaged dump has an article and a redirect of one title.
_REDIRECTS = """
CREATE TABLE redirect AS
SELECT source, min(target) AS target FROM read_parquet($1) GROUP BY source
"""
_COUNTED = "CREATE TABLE counted AS SELECT target, count(*) AS links FROM targets GROUP BY target"
_RESOLVED = """
CREATE TABLE resolved AS
SELECT coalesce(redirect.target, counted.target) AS title, sum(links)::BIGINT AS links,
       sum(links) FILTER (redirect.target IS NOT NULL)::BIGINT AS redirected
FROM counted LEFT JOIN redirect ON redirect.source = counted.target
GROUP BY 1
"""
_JOINED = """
CREATE TABLE joined AS
SELECT resolved.title, sitelink.qid, links,
       {accepted} IS NOT NULL AS accepted
FROM resolved
LEFT JOIN read_parquet($1) AS sitelink ON sitelink.title = resolved.title
LEFT JOIN page ON page.title = resolved.title
"""
_ENTITIES = "SELECT title, qid, links FROM joined WHERE accepted ORDER BY links DESC, title"
_TOTALS = """
SELECT count(*) FILTER (accepted),
       count(*) FILTER (accepted AND qid IS NOT NULL),
       coalesce(sum(links), 0)::BIGINT,
       coalesce(sum(links) FILTER (NOT accepted), 0)::BIGINT,
       coalesce(sum(links) FILTER (accepted AND qid IS NULL), 0)::BIGINT,
       coalesce(sum(links) FILTER (accepted AND qid IS NOT NULL), 0)::BIGINT
FROM joined
"""


def count_entities(
    language: str,
    pages: Sequence[Path],
    redirects: Path,
    sitelinks: Path,
    targets: str,
    output: Path,
    memory_mb: int = 4000,
    threads: int = 1,
    work: Path | None = None,
) -> dict[str, Any]:
    """Count the links of one language and write ``output``: title, qid or null, links.

    The result does not depend on the number of parts, on threads or on the order of rows: it is
    sorted by links, most first, then by title.

    Args:
        language: language of the pages.
        pages: page files of all parts.
        redirects: redirects of the language, resolved to the ends of their chains.
        sitelinks: sitelinks of the language.
        targets: ``pages``: a link counts when its target is an article of the dump;
            ``sitelinks``: when its target has a sitelink.
        output: the table to write.
        memory_mb: memory of the process in megabytes; beyond it the queries spill to disk.
        threads: threads of the queries.
        work: folder for what spills, by default that of the output.

    Returns:
        The report: links in all, redirected, to missing pages, without and with an item, and
        numbers of titles.
    """
    if targets not in TARGETS:
        raise DataError(f"vocabulary.targets is {targets!r}. Write one of: {', '.join(TARGETS)}.")
    require_columns(redirects, "source", "target")
    require_columns(sitelinks, "qid", "title")
    for path in pages:
        open_pages(path).close()
    with connect(memory_mb, work or output.parent, threads) as database:
        database.execute(
            "CREATE TABLE page AS SELECT DISTINCT title FROM read_parquet($1)",
            [[str(path) for path in pages]],
        )
        database.execute(_REDIRECTS, [str(redirects)])
        database.register("targets", link_targets(pages))
        database.execute(_COUNTED)
        database.unregister("targets")
        database.execute(_RESOLVED)
        accepted = "page.title" if targets == "pages" else "sitelink.qid"
        database.execute(_JOINED.format(accepted=accepted), [str(sitelinks)])
        table = fetch_table(database, _ENTITIES, SCHEMA)
        titles, with_item, links, missing, without_item, kept = fetch_row(database, _TOTALS)
        (articles,) = fetch_row(database, "SELECT count(*) FROM page")
        (redirected,) = fetch_row(
            database, "SELECT coalesce(sum(redirected), 0)::BIGINT FROM resolved"
        )
        (both,) = fetch_row(
            database, "SELECT count(*) FROM redirect SEMI JOIN page ON source = title"
        )
    metadata = stage_metadata("count_entities", {"targets": targets}, language)
    write_table(output, table, metadata)
    if not links:
        log.warning("%s: no link in any of its %d articles", language, articles)
    return {
        "language": language,
        "targets": targets,
        "articles": articles,
        "articles_that_are_redirects": both,
        "links": links,
        "links_redirected": redirected,
        "links_to_missing_pages": missing,
        "links_without_item": without_item,
        "links_with_item": kept,
        "entities": titles,
        "entities_with_item": with_item,
    }
