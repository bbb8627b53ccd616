"""Mentions for questions: what the article that a question is about links to (appendix C).

For each article of the question answering data sets that is in the dump: the anchors of its links,
without those that are rarely links (link probability) and those that name two different articles.
For other languages the linked articles are followed through the sitelinks, and the anchors that
language uses most for them are taken.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from mluke_core.alignment.build_vocabulary import titles_in_vocabulary
from mluke_core.alignment.database import connect, fetch_table, require_columns
from mluke_core.alignment.detection import article_name
from mluke_core.alignment.mention_text import normalize_mention
from mluke_core.alignment.page_columns import open_pages
from mluke_core.errors import ConfigError, DataError
from mluke_core.io.files import read_json
from mluke_core.io.parquet import stage_metadata, write_table
from mluke_core.io.sources import Source

log = logging.getLogger("mluke")

SCHEMA = pa.schema(
    [
        ("title_language", pa.string()),
        ("article", pa.string()),
        ("language", pa.string()),
        ("mention", pa.string()),
        ("title", pa.string()),
        ("entity_id", pa.int32()),
        ("link_probability", pa.float64()),
    ]
)
LINKS_SCHEMA = pa.schema(
    [("article", pa.string()), ("mention", pa.string()), ("target", pa.string())]
)
CONTEXT = "context"
"""Title language of data sets whose titles are in the language of the context (MLQA)."""
_CONTEXT_FILE = re.compile(r"context-([a-z-]+)-question-")

_TABLES = """
CREATE TABLE {name} (language VARCHAR, {columns})
"""
# A data set may know an article by a title that is a redirect by now.
_WANTED = """
SELECT name, coalesce(target, name) AS title
FROM wanted LEFT JOIN redirect ON redirect.language = $1 AND redirect.source = name
WHERE wanted.language = $1
"""
_PROBABILITY = """
CREATE TABLE probability AS
SELECT language, mention, sum(linked) / greatest(max(occurring), sum(linked)) AS link_probability
FROM mention GROUP BY language, mention
"""
# Different links of one anchor to one article are one title: only then is the anchor ambiguous.
_OWN = """
CREATE TABLE own AS
SELECT $1 AS title_language, article, $1 AS language, mention, any_value(title) AS title,
       any_value(link_probability) AS link_probability
FROM (
    SELECT DISTINCT article, mention, title, link_probability
    FROM (
        SELECT article, mention, coalesce(redirect.target, link.target) AS title
        FROM link LEFT JOIN redirect
          ON redirect.language = $1 AND redirect.source = link.target
    ) JOIN probability USING (mention)
    WHERE probability.language = $1 AND link_probability >= $2
)
GROUP BY article, mention HAVING count(DISTINCT title) = 1
"""
_TRANSLATED = """
SELECT $1 AS title_language, article, language, mention, any_value(title) AS title,
       any_value(link_probability) AS link_probability
FROM (
    SELECT DISTINCT own.article, there.language, anchor.mention, there.title,
           anchor.link_probability
    FROM own
    JOIN sitelink AS here ON here.language = $1 AND here.title = own.title
    JOIN sitelink AS there ON there.qid = here.qid AND there.language <> $1
    JOIN anchor ON anchor.language = there.language AND anchor.title = there.title
)
GROUP BY article, language, mention HAVING count(DISTINCT title) = 1
"""
_ANCHORS = """
CREATE TABLE anchor AS
SELECT language, mention, title, link_probability
FROM mention JOIN probability USING (language, mention)
WHERE link_probability >= $minimum
QUALIFY row_number() OVER (PARTITION BY language, title ORDER BY linked DESC, mention) <= $anchors
"""
_RESULT = """
SELECT title_language, article, result.language, mention, result.title, entity_id,
       link_probability
FROM result LEFT JOIN vocabulary
  ON vocabulary.language = result.language AND vocabulary.title = result.title
ORDER BY title_language, article, result.language, mention
"""


@dataclass(frozen=True)
class Tables:
    """The files of each language."""

    pages: Sequence[tuple[str, Path]]
    redirects: Mapping[str, Path]
    sitelinks: Mapping[str, Path]
    mentions: Mapping[str, Path]


def articles_of(
    sources: Iterable[Source], title_languages: Mapping[str, str]
) -> set[tuple[str, str]]:
    """(language of the title, article) of every article that questions are asked about.

    Args:
        sources: data sets in the SQuAD format.
        title_languages: source to the language of its titles, or ``context``.

    Raises:
        ConfigError: for a source without title language.
        DataError: for a file in another format.
    """
    found = set()
    for source in sources:
        if source.name not in title_languages:
            raise ConfigError(
                f"title_languages has no entry for the source '{source.name}'. "
                f"Write a language code or '{CONTEXT}'."
            )
        for name in sorted(source.files):
            if not name.endswith(".json"):
                continue
            language = title_languages[source.name]
            if language == CONTEXT:
                match = _CONTEXT_FILE.search(name)
                if match is None:
                    continue
                language = match[1]
            path = source.file(name)
            for title in _titles(read_json(path), path):
                if title:
                    found.add((language, title))
    return found


def _titles(data: Any, path: Path) -> Iterator[str]:
    articles = data.get("data") if isinstance(data, dict) else None
    if not isinstance(articles, list):
        raise DataError(f'{path}: not in the SQuAD format (a JSON object with a list "data").')
    for article in articles:
        yield article_name(str(article.get("title") or ""))


def article_mentions(
    articles: Iterable[tuple[str, str]],
    tables: Tables,
    vocabulary: Path,
    languages: Sequence[str],
    minimum_link_probability: float,
    anchors_per_entity: int,
    output: Path,
    memory_mb: int = 4000,
    work: Path | None = None,
) -> dict[str, int]:
    """Write the mentions of these articles in every language.

    Args:
        articles: (language of the title, title).
        tables: pages, redirects, sitelinks and mention tables of the languages.
        vocabulary: ``vocabulary.parquet``, for the column ``entity_id``.
        languages: languages of the questions and contexts.
        minimum_link_probability: rarer links are left out.
        anchors_per_entity: only so many anchors of a translated title are taken, most used first.
        output: the table to write, sorted by article, language and mention.
        memory_mb: memory of the process in megabytes; beyond it the queries spill to disk.
        work: folder for what spills, by default that of the output.

    Returns:
        Articles asked for, found in the dumps, and rows written.
    """
    wanted = sorted(articles)
    found = 0
    with connect(memory_mb, work or output.parent) as database:
        _load(database, wanted, tables, vocabulary, languages)
        database.execute(_PROBABILITY)
        limits = {"minimum": minimum_link_probability, "anchors": anchors_per_entity}
        database.execute(_ANCHORS, limits)
        database.execute(
            "CREATE TABLE result (title_language VARCHAR, article VARCHAR, language VARCHAR, "
            "mention VARCHAR, title VARCHAR, link_probability DOUBLE)"
        )
        for language in sorted({language for language, _ in wanted}):
            names = database.execute(_WANTED, [language]).fetchall()
            pages = [path for name, path in tables.pages if name == language]
            links = linked_mentions(pages, names, language)
            found += len(pc.unique(links["article"]))
            database.register("link", links)
            database.execute("DROP TABLE IF EXISTS own")
            database.execute(_OWN, [language, minimum_link_probability])
            database.execute("INSERT INTO result SELECT * FROM own")
            database.execute("INSERT INTO result " + _TRANSLATED, [language])
            database.unregister("link")
        table = fetch_table(database, _RESULT, SCHEMA)
    settings = {**limits, "languages": list(languages)}
    write_table(output, table, stage_metadata("article_mentions", settings))
    return {"articles": len(wanted), "articles_found": found, "rows": len(table)}


def _load(
    database: duckdb.DuckDBPyConnection,
    wanted: list[tuple[str, str]],
    tables: Tables,
    vocabulary: Path,
    languages: Sequence[str],
) -> None:
    columns = {
        "wanted": "name VARCHAR",
        "redirect": "source VARCHAR, target VARCHAR",
        "sitelink": "qid BIGINT, title VARCHAR",
        "mention": "mention VARCHAR, title VARCHAR, linked BIGINT, occurring BIGINT",
        "vocabulary": "title VARCHAR, entity_id INTEGER",
    }
    for name, definition in columns.items():
        database.execute(_TABLES.format(name=name, columns=definition))
    for language, name in wanted:
        database.execute("INSERT INTO wanted VALUES ($1, $2)", [language, name])
    for language in languages:
        for name, paths in (
            ("redirect", tables.redirects),
            ("sitelink", tables.sitelinks),
            ("mention", tables.mentions),
        ):
            if language not in paths:
                raise DataError(f"article mentions: no {name} table for the language '{language}'.")
            wanted_columns = [part.split()[0] for part in columns[name].split(", ")]
            require_columns(paths[language], *wanted_columns)
            database.execute(
                f"INSERT INTO {name} SELECT $1, {', '.join(wanted_columns)} FROM read_parquet($2)",
                [language, str(paths[language])],
            )
        titles = titles_in_vocabulary(vocabulary, language)
        database.register("titles", titles)
        database.execute(
            "INSERT INTO vocabulary SELECT $1, title, entity_id FROM titles", [language]
        )
        database.unregister("titles")


def linked_mentions(
    pages: Sequence[Path], names: Sequence[tuple[str, str]], language: str
) -> pa.Table:
    """Anchors and targets of the links of some articles: article, mention, target.

    Args:
        pages: page files of the language.
        names: (name in the data set, title in the dump) of each article.
        language: language of the pages.
    """
    names_of: dict[str, list[str]] = {}
    for name, title in names:
        names_of.setdefault(title, []).append(name)
    rows: list[dict[str, str]] = []
    for path in pages if names_of else ():
        with open_pages(path) as file:
            for group in range(file.num_row_groups):
                titles = file.read_row_group(group, columns=["title"])["title"].to_pylist()
                places = [i for i, title in enumerate(titles) if title in names_of]
                if not places:
                    continue
                paragraphs = file.read_row_group(group, columns=["paragraphs"])["paragraphs"]
                for i in places:
                    links = list(_links(paragraphs[i].as_py(), language))
                    rows += [
                        {"article": name, "mention": mention, "target": target}
                        for name in names_of[titles[i]]
                        for mention, target in links
                    ]
    return pa.Table.from_pylist(rows, LINKS_SCHEMA)


def _links(paragraphs: list[dict[str, Any]], language: str) -> Iterator[tuple[str, str]]:
    for paragraph in paragraphs:
        for link in paragraph["links"]:
            anchor = paragraph["text"][link["start"] : link["end"]]
            mention = normalize_mention(anchor, language)
            if mention:
                yield mention, link["target"]
