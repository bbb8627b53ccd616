"""The mention table of a language: which articles an anchor text leads to, and how often.

Anchors come from the links of the pages. In how many pages a mention occurs as plain text is
counted by :mod:`mluke_core.alignment.occurrences`. From these numbers follow

    link probability of a mention = its links / pages in which it occurs
    commonness of a title for a mention = links of the mention to the title / links of the mention
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from mluke_core.alignment.build_vocabulary import titles_in_vocabulary
from mluke_core.alignment.database import connect, fetch_table, require_columns
from mluke_core.alignment.mention_text import normalize_mention
from mluke_core.alignment.occurrences import OccurrenceCounter
from mluke_core.alignment.page_columns import PAGES_PER_BATCH, open_pages, page_texts
from mluke_core.io.parquet import batches, stage_metadata, write_table

log = logging.getLogger("mluke")

SCHEMA = pa.schema(
    [
        ("mention", pa.string()),
        ("title", pa.string()),
        ("entity_id", pa.int32()),
        ("linked", pa.int64()),
        ("occurring", pa.int64()),
    ]
)
ANCHORS_SCHEMA = pa.schema([("mention", pa.string()), ("target", pa.string())])
# Searching for a million mentions takes about 0.8 GB while the automaton is built.
PATTERNS_PER_PASS = 2_000_000
# MediaWiki's limit for a title; longer anchors are sentences.
MAXIMUM_MENTION_BYTES = 255

_ANCHORS = """
CREATE TABLE anchor AS
SELECT mention, coalesce(end_of_chain, target) AS title, count(*) AS linked
FROM anchors
LEFT JOIN (SELECT source, min(target) AS end_of_chain FROM read_parquet($1) GROUP BY source)
    AS redirect ON redirect.source = anchors.target
GROUP BY ALL
"""
# A link to a page that nobody has written names no entity.
_MENTIONS = """
CREATE TABLE mention AS
SELECT mention, title, entity_id, linked
FROM anchor LEFT JOIN vocabulary USING (title)
WHERE title IN (SELECT title FROM page) OR title IN (SELECT title FROM read_parquet($1))
"""
_TABLE = """
SELECT mention.mention, title, entity_id, linked, coalesce(occurring, 0) AS occurring
FROM mention LEFT JOIN occurrence ON occurrence.mention = mention.mention
ORDER BY mention.mention, linked DESC, title
"""


def count_mentions(
    language: str,
    pages: Sequence[Path],
    redirects: Path,
    sitelinks: Path,
    vocabulary: Path,
    maximum_words: int,
    output: Path,
    memory_mb: int = 4000,
    work: Path | None = None,
) -> int:
    """Write the mention table of one language; return its number of rows.

    Args:
        language: language of the pages.
        pages: page files of all parts.
        redirects: redirects of the language, resolved to the ends of their chains.
        sitelinks: sitelinks of the language; a link counts when its target is an article of the
            dump or has a sitelink.
        vocabulary: ``vocabulary.parquet``, for the column ``entity_id``.
        maximum_words: anchors with more words are left out.
        output: the table to write: mention, title, entity_id or null, linked, occurring.
        memory_mb: memory of the process in megabytes; beyond it the queries spill to disk.
        work: folder for what spills, by default that of the output.
    """
    require_columns(redirects, "source", "target")
    require_columns(sitelinks, "qid", "title")
    with connect(memory_mb, work or output.parent) as database:
        database.execute(
            "CREATE TABLE page AS SELECT DISTINCT title FROM read_parquet($1)",
            [[str(path) for path in pages]],
        )
        database.register("vocabulary", titles_in_vocabulary(vocabulary, language))
        database.register("anchors", read_anchors(pages, language, maximum_words))
        database.execute(_ANCHORS, [str(redirects)])
        database.execute(_MENTIONS, [str(sitelinks)])
        mentions = fetch_table(
            database,
            "SELECT DISTINCT mention FROM mention ORDER BY mention",
            pa.schema([SCHEMA.field("mention")]),
        )["mention"].to_pylist()
        database.execute("CREATE TABLE occurrence (mention VARCHAR, occurring BIGINT)")
        for start in range(0, len(mentions), PATTERNS_PER_PASS):
            part = mentions[start : start + PATTERNS_PER_PASS]
            counts = OccurrenceCounter(part, language).count(page_texts(pages))
            found = pa.table(
                {
                    "mention": pa.array(counts.keys(), pa.string()),
                    "occurring": pa.array(counts.values(), pa.int64()),
                }
            )
            database.register("found", found)
            database.execute("INSERT INTO occurrence SELECT * FROM found")
            database.unregister("found")
        table = fetch_table(database, _TABLE, SCHEMA)
    metadata = stage_metadata("count_mentions", {"maximum_words": maximum_words}, language)
    write_table(output, table, metadata)
    if not len(table):
        log.warning("%s: no mention, because no link leads to an article", language)
    return len(table)


def read_anchors(pages: Sequence[Path], language: str, maximum_words: int) -> pa.RecordBatchReader:
    """Normalised anchor and target of every link, as columns ``mention`` and ``target``."""

    def anchors() -> Iterator[pa.RecordBatch]:
        for path in pages:
            with open_pages(path) as file:
                for batch in batches(file, PAGES_PER_BATCH, ["paragraphs"]):
                    paragraphs = batch.column(0).flatten()
                    yield _anchors_of(paragraphs, language, maximum_words)

    return pa.RecordBatchReader.from_batches(ANCHORS_SCHEMA, anchors())


def _anchors_of(paragraphs: pa.StructArray, language: str, maximum_words: int) -> pa.RecordBatch:
    mentions: list[str] = []
    targets: list[str] = []
    columns = paragraphs.flatten()
    texts = columns[paragraphs.type.get_field_index("text")]
    links = columns[paragraphs.type.get_field_index("links")]
    for text, entries in zip(texts.to_pylist(), links.to_pylist(), strict=True):
        for link in entries or ():
            mention = normalize_mention(text[link["start"] : link["end"]], language)
            if is_mention(mention, maximum_words):
                mentions.append(mention)
                targets.append(link["target"])
    return pa.record_batch(
        [pa.array(mentions, pa.string()), pa.array(targets, pa.string())], schema=ANCHORS_SCHEMA
    )


def is_mention(mention: str, maximum_words: int) -> bool:
    """Whether a normalised anchor is kept: it has a letter or digit and is not too long."""
    return (
        mention.count(" ") < maximum_words
        and len(mention.encode()) <= MAXIMUM_MENTION_BYTES
        and any(map(str.isalnum, mention))
    )
