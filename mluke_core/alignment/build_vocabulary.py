"""The entity vocabulary: the most linked Wikidata items across languages.

The links of an item are summed over the languages, items linked in too few distinct languages are
left out, and the most linked of the rest get an id each (section 3 of the paper, and its footnote
on the vocabulary). The order is total: more links first, then the lower item.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mluke_core.alignment.database import connect, fetch_table, open_parquet, require_columns
from mluke_core.alignment.entity_vocabulary import SPECIAL_ENTITIES
from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import atomic_path
from mluke_core.io.parquet import batches, stage_metadata, write_table

log = logging.getLogger("mluke")

TITLE = pa.struct([("language", pa.string()), ("title", pa.string())])
SCHEMA = pa.schema(
    [
        ("entity_id", pa.int32()),
        ("qid", pa.int64()),
        ("count", pa.int64()),
        ("languages", pa.int16()),
        ("titles", pa.list_(TITLE)),
    ]
)
TITLES_SCHEMA = pa.schema([("title", pa.string()), ("entity_id", pa.int32())])
_QID = re.compile(r"[Qq]?([1-9][0-9]*)")

_ITEMS = """
CREATE TABLE item AS
SELECT qid, sum(links)::BIGINT AS count, count(DISTINCT language)::SMALLINT AS languages
FROM entry WHERE within_limit AND qid IS NOT NULL
GROUP BY qid
"""
_WANTED = """
INSERT INTO item
SELECT qid, 0, 0 FROM wanted
WHERE qid NOT IN (SELECT qid FROM item) AND qid IN (SELECT qid FROM sitelink)
"""
# Items that the user asked for come before the cut at `size`; ids then follow links alone.
_CHOSEN = """
CREATE TABLE chosen AS
SELECT qid, count, languages, row_number() OVER (ORDER BY count DESC, qid) - 1 AS place
FROM (
    SELECT * FROM item
    WHERE qid NOT IN (SELECT qid FROM unwanted)
      AND (languages >= $minimum OR qid IN (SELECT qid FROM wanted))
    ORDER BY qid IN (SELECT qid FROM wanted) DESC, count DESC, qid
    LIMIT $size
)
"""
_ENTITIES = """
SELECT (place + {first})::INTEGER AS entity_id, qid, count, languages
FROM chosen SEMI JOIN sitelink USING (qid) ORDER BY place
"""
# One sort of all rows is far quicker than a sorted list that the database makes for every item.
_NAMES = """
SELECT place, language, title FROM chosen JOIN sitelink USING (qid)
ORDER BY place, language, title
"""
_NAMES_SCHEMA = pa.schema(
    [("place", pa.int64()), ("language", pa.string()), ("title", pa.string())]
)
# A line of the Hub's JSON, with what separates it from the line before.
_JSON_LINES = """
SELECT E',\\n' || to_json(if(language = '', title, language || ':' || title))::VARCHAR
       || ': ' || entity_id
FROM (SELECT entity_id, unnest(titles, recursive := true) FROM vocabulary)
"""
_ROWS_PER_BATCH = 100_000
_COVERAGE = """
SELECT language, count(*), coalesce(sum(links), 0)::BIGINT,
       coalesce(sum(links) FILTER (qid IN (SELECT qid FROM chosen)), 0)::BIGINT
FROM entry GROUP BY language
"""
_THRESHOLDS = "SELECT languages, count(*) FROM item WHERE languages > 0 GROUP BY languages"


@dataclass(frozen=True)
class VocabularySettings:
    """What goes into the vocabulary; the section ``vocabulary`` of the configuration."""

    size: int = 1_200_000
    """Most entities, special ones not counted."""
    minimum_languages: int = 3
    """An item must be linked in this many distinct languages."""
    per_language_limit: int = 1_000_000
    """Only so many titles of each language are looked at, the most linked ones."""
    include: Sequence[str] = field(default_factory=tuple)
    """Wikidata items (``Q42``) that get an entry however little they are linked."""
    exclude: Sequence[str] = field(default_factory=tuple)
    """Wikidata items that never get one."""

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> VocabularySettings:
        """From the step's settings; :class:`ConfigError` for a value that makes no sense."""
        known = {name: settings[name] for name in cls.__dataclass_fields__ if name in settings}
        result = cls(**known)
        for name in ("size", "minimum_languages", "per_language_limit"):
            if getattr(result, name) < 1:
                raise ConfigError(f"vocabulary.{name} is {getattr(result, name)}; it must be >= 1.")
        both = set(item_numbers(result.include)) & set(item_numbers(result.exclude))
        if both:
            names = ", ".join(f"Q{qid}" for qid in sorted(both))
            raise ConfigError(f"vocabulary.include and vocabulary.exclude both name {names}.")
        return result


def item_numbers(items: Sequence[str]) -> list[int]:
    """``["Q42"]`` to ``[42]``; :class:`ConfigError` for anything that is no item."""
    numbers = []
    for item in items:
        match = _QID.fullmatch(str(item).strip())
        if match is None:
            raise ConfigError(f"vocabulary: {item!r} is no Wikidata item; write it as Q42.")
        numbers.append(int(match[1]))
    return sorted(set(numbers))


def build_vocabulary(
    entities: Mapping[str, Path],
    sitelinks: Mapping[str, Path],
    settings: VocabularySettings,
    output: Path,
    json_output: Path,
    memory_mb: int = 4000,
    threads: int = 1,
    work: Path | None = None,
) -> dict[str, Any]:
    """Write the vocabulary as Parquet and as the Hub's JSON; return the report.

    Args:
        entities: language to its table of linked articles.
        sitelinks: language to its sitelinks; every title of a chosen item gets its id.
        settings: what goes in.
        output: ``vocabulary.parquet``.
        json_output: ``entity_vocab.json``.
        memory_mb: memory of the process in megabytes; beyond it the queries spill to disk.
        threads: threads of the queries.
        work: folder for what spills, by default that of the output.

    Raises:
        DataError: when no item passes.
    """
    for path in entities.values():
        require_columns(path, "title", "qid", "links")
    for path in sitelinks.values():
        require_columns(path, "qid", "title")
    with connect(memory_mb, work or output.parent, threads) as database:
        _load(database, entities, sitelinks, settings)
        database.execute(_ITEMS)
        database.execute(_WANTED)
        by_languages = dict(database.execute(_THRESHOLDS).fetchall())
        database.execute(_CHOSEN, {"minimum": settings.minimum_languages, "size": settings.size})
        table = _chosen_entities(database)
        coverage = {row[0]: row[1:] for row in database.execute(_COVERAGE).fetchall()}
    sizes = _sizes(by_languages, len(entities))
    if not len(table):
        raise DataError(
            f"the entity vocabulary is empty: no item is linked in {settings.minimum_languages} of "
            f"{len(entities)} languages (items by number of languages: {sizes}). Lower "
            "vocabulary.minimum_languages, add languages, or check the sitelinks."
        )
    table = pa.concat_tables([_special_rows(), table]).combine_chunks()
    write_table(output, table, stage_metadata("build_vocabulary", _as_json(settings)))
    write_hub_json(table, json_output)
    missing = set(item_numbers(settings.include)) - set(table["qid"].to_pylist())
    if missing:
        names = ", ".join(f"Q{qid}" for qid in sorted(missing))
        log.warning("vocabulary.include: no article in any of the languages: %s", names)
    return {
        "entities": len(table) - len(SPECIAL_ENTITIES),
        "size": len(table),
        "titles": pc.sum(pc.list_value_length(table["titles"])).as_py() - len(SPECIAL_ENTITIES),
        "minimum_languages": settings.minimum_languages,
        "size_by_minimum_languages": sizes,
        "included_without_article": [f"Q{qid}" for qid in sorted(missing)],
        "languages": {
            language: _coverage(*coverage.get(language, (0, 0, 0))) for language in entities
        },
    }


def _load(
    database: duckdb.DuckDBPyConnection,
    entities: Mapping[str, Path],
    sitelinks: Mapping[str, Path],
    settings: VocabularySettings,
) -> None:
    database.execute(
        "CREATE TABLE entry (language VARCHAR, qid BIGINT, links BIGINT, within_limit BOOLEAN)"
    )
    for language, path in entities.items():
        # The order of the file is not trusted: the cut must not depend on it.
        database.execute(
            "INSERT INTO entry SELECT $1, qid, links, "
            "row_number() OVER (ORDER BY links DESC, title) <= $2 FROM read_parquet($3)",
            [language, settings.per_language_limit, str(path)],
        )
    database.execute("CREATE TABLE sitelink (language VARCHAR, qid BIGINT, title VARCHAR)")
    for language, path in sitelinks.items():
        database.execute(
            "INSERT INTO sitelink SELECT $1, qid, title FROM read_parquet($2)",
            [language, str(path)],
        )
    for name, items in (("wanted", settings.include), ("unwanted", settings.exclude)):
        database.execute(f"CREATE TABLE {name} (qid BIGINT)")
        for qid in item_numbers(items):
            database.execute(f"INSERT INTO {name} VALUES ($1)", [qid])


def _chosen_entities(database: duckdb.DuckDBPyConnection) -> pa.Table:
    """The chosen items that have a title anywhere, with all their titles."""
    entities = fetch_table(
        database,
        _ENTITIES.format(first=len(SPECIAL_ENTITIES)),
        pa.schema([field for field in SCHEMA if field.name != "titles"]),
    )
    names = fetch_table(database, _NAMES, _NAMES_SCHEMA)
    places = names["place"].to_numpy()
    bounds = np.flatnonzero(np.diff(places, prepend=-1, append=-2)).astype(np.int32)
    titles = pa.StructArray.from_arrays(
        [names[name].combine_chunks() for name in ("language", "title")], fields=list(TITLE)
    )
    return entities.append_column("titles", pa.ListArray.from_arrays(bounds, titles)).cast(SCHEMA)


def _sizes(by_languages: Mapping[int, int], languages: int) -> dict[str, int]:
    """Number of items linked in at least 1, 2, ... languages."""
    return {
        str(minimum): sum(n for linked, n in by_languages.items() if linked >= minimum)
        for minimum in range(1, languages + 1)
    }


def _coverage(titles: int, links: int, inside: int) -> dict[str, float]:
    return {
        "titles": titles,
        "links": links,
        "links_in_vocabulary": inside,
        "share": inside / links if links else 0.0,
    }


def _special_rows() -> pa.Table:
    rows = [
        {
            "entity_id": i,
            "qid": None,
            "count": 0,
            "languages": 0,
            "titles": [{"language": "", "title": name}],
        }
        for i, name in enumerate(SPECIAL_ENTITIES)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def _as_json(settings: VocabularySettings) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, (list, tuple)) else value
        for name, value in vars(settings).items()
    }


def write_hub_json(table: pa.Table, path: Path) -> None:
    """Write ``{"[PAD]": 0, ..., "en:Japan": 7, ...}``, one name per line, in the order of ids."""
    with (
        duckdb.connect(":memory:") as database,
        atomic_path(path) as temporary,
        open(temporary, "wb") as stream,
    ):
        database.execute("SET threads = 1")
        database.register("vocabulary", table)
        stream.write(b"{")
        skipped = len(",")
        reader: Any = database.sql(_JSON_LINES).to_arrow_reader(_ROWS_PER_BATCH)
        for batch in reader:
            # What the lines of a batch make up stands in one piece in memory.
            _, bounds, data = batch.column(0).cast(pa.string()).buffers()
            first, last = np.frombuffer(bounds, np.int32)[[0, len(batch)]]
            stream.write(memoryview(data)[first + skipped : last])
            skipped = 0
        stream.write(b"\n}\n")


def titles_in_vocabulary(path: Path, language: str) -> pa.Table:
    """``title`` and ``entity_id`` of a language's titles in ``vocabulary.parquet``, by title."""
    require_columns(path, "entity_id", "titles")
    found = [TITLES_SCHEMA.empty_table()]
    with open_parquet(path) as file:
        for batch in batches(file, _ROWS_PER_BATCH, ["entity_id", "titles"]):
            titles = batch.column("titles").flatten()
            ids = batch.column("entity_id").take(pc.list_parent_indices(batch.column("titles")))
            columns = pa.table([titles.field("title"), ids], schema=TITLES_SCHEMA)
            found.append(columns.filter(pc.equal(titles.field("language"), language)))
    return pa.concat_tables(found).sort_by("title").combine_chunks()


def vocabulary_size(path: Path) -> int:
    """Number of entity ids in ``vocabulary.parquet``, special ones included."""
    with open_parquet(path) as file:
        return file.metadata.num_rows
