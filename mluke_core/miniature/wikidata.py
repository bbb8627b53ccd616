"""The Wikidata dumps of the miniature world: items as JSON, and their sitelinks as an SQL table."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from mluke_core.miniature.dumps import write_status, write_sums
from mluke_core.miniature.facts import World

ROWS_PER_INSERT = 1000

# Wikis that are no Wikipedia of the configured languages: site -> language of the title.
_OTHER_SITES = {"enwikiquote": "en", "dewikisource": "de", "simplewiki": "en", "svwiki": "de"}

_TIME_RELATIONS = ("P569", "P570", "P571", "P577")


@dataclass(frozen=True)
class Item:
    """One Wikidata item."""

    qid: int
    labels: dict[str, str]
    sitelinks: dict[str, str]
    """Site such as ``enwiki`` -> title."""
    aliases: dict[str, list[str]] = field(default_factory=dict)
    claims: tuple[tuple[str, tuple[str, int]], ...] = ()
    """Properties and values: ``("item", 64)``, ``("year", 1879)``, ``("kilometres", 9)``."""


def entity_items(
    world: World, articles: dict[str, list[str]], extra: Sequence[Item] = ()
) -> list[Item]:
    """All items by rising id: one per entity, and ``extra``.

    Args:
        world: the facts.
        articles: language -> keys of the entities that have an article.
        extra: items of pages that are on no entity.
    """
    has_article = {language: set(keys) for language, keys in articles.items()}
    items = list(extra)
    for key, entity in world.entities.items():
        sitelinks = {
            f"{language}wiki": entity.titles[language]
            for language, keys in has_article.items()
            if key in keys
        }
        if entity.qid % 2 == 0:
            for site, language in _OTHER_SITES.items():
                sitelinks[site] = entity.titles[language]
        if entity.qid % 3 == 0:
            sitelinks["commonswiki"] = f"Category:{entity.titles['en']}"
        claims: list[tuple[str, tuple[str, int]]] = [
            (fact.relation, ("item", world.entities[fact.object].qid))
            for fact in world.facts_of(key)
        ]
        claims += [
            (relation, ("year" if relation in _TIME_RELATIONS else "kilometres", value))
            for relation, value in entity.values.items()
        ]
        items.append(Item(entity.qid, entity.names, sitelinks, entity.aliases, tuple(claims)))
    return sorted(items, key=lambda item: item.qid)


def write_wikidata(folder: Path, date: str, json_date: str, items: Sequence[Item]) -> None:
    """Write both dumps into ``folder`` (``dumps.wikimedia.org/wikidatawiki``).

    Args:
        folder: made when it does not exist.
        date: of the table, which is made with the dumps of the Wikipedias, ``YYYYMMDD``.
        json_date: of the JSON dump, which has days of its own.
        items: by rising id.
    """
    entities = folder / "entities" / json_date
    entities.mkdir(parents=True, exist_ok=True)
    dump = entities / f"wikidata-{json_date}-all.json.bz2"
    dump.write_bytes(bz2.compress(_json_dump(items)))
    # There is no dumpstatus.json in this folder.
    write_sums(entities, "wikidata", json_date, [dump])
    table = folder / date / f"wikidatawiki-{date}-wb_items_per_site.sql.gz"
    table.parent.mkdir(parents=True, exist_ok=True)
    # No file name and no time in the header: the same rows are the same bytes.
    table.write_bytes(gzip.compress(sql_dump(items).encode(), mtime=0))
    write_status(table.parent, "wikidatawiki", date, "wbitemspersitetable", [table])
    write_sums(table.parent, "wikidatawiki", date, [table])


def _json_dump(items: Sequence[Item]) -> bytes:
    """One array; each element on a line of its own, as in the real dump."""
    lines = [orjson.dumps(_property()), *(orjson.dumps(_json(item)) for item in items)]
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def _property() -> dict[str, Any]:
    """The dump holds properties among the items; they have no sitelinks."""
    return {
        "type": "property",
        "datatype": "wikibase-item",
        "id": "P36",
        "labels": {"en": {"language": "en", "value": "capital"}},
        "descriptions": {},
        "aliases": {},
        "claims": {},
    }


def _json(item: Item) -> dict[str, Any]:
    claims: dict[str, list[dict[str, Any]]] = {}
    for relation, value in item.claims:
        claims.setdefault(relation, []).append(_statement(item.qid, relation, *value))
    return {
        "type": "item",
        "id": f"Q{item.qid}",
        "labels": {x: {"language": x, "value": name} for x, name in item.labels.items()},
        "descriptions": {},
        "aliases": {
            x: [{"language": x, "value": name} for name in names]
            for x, names in item.aliases.items()
        },
        "claims": claims,
        "sitelinks": {
            site: {"site": site, "title": title, "badges": []}
            for site, title in sorted(item.sitelinks.items())
        },
    }


def _statement(qid: int, relation: str, kind: str, value: int) -> dict[str, Any]:
    if kind == "item":
        data = {"entity-type": "item", "numeric-id": value, "id": f"Q{value}"}
        datatype, of = "wikibase-item", "wikibase-entityid"
    elif kind == "year":
        data = {
            "time": f"+{value:04d}-00-00T00:00:00Z",
            "timezone": 0,
            "before": 0,
            "after": 0,
            "precision": 9,
            "calendarmodel": "http://www.wikidata.org/entity/Q1985727",
        }
        datatype, of = "time", "time"
    else:
        data = {"amount": f"+{value}", "unit": "http://www.wikidata.org/entity/Q828224"}
        datatype, of = "quantity", "quantity"
    return {
        "mainsnak": {
            "snaktype": "value",
            "property": relation,
            "datavalue": {"value": data, "type": of},
            "datatype": datatype,
        },
        "type": "statement",
        "id": f"Q{qid}${relation}-{value}",
        "rank": "normal",
    }


def sql_dump(items: Sequence[Item]) -> str:
    """The table ``wb_items_per_site`` as ``mysqldump`` of MariaDB writes it."""
    rows = list(_rows(items))
    batches = [
        ",".join(rows[start : start + ROWS_PER_INSERT])
        for start in range(0, len(rows), ROWS_PER_INSERT)
    ]
    inserts = [f"INSERT INTO `wb_items_per_site` VALUES {batch};\n" for batch in batches]
    return _SQL_HEAD + "".join(inserts) + _SQL_TAIL


def _rows(items: Sequence[Item]) -> Iterator[str]:
    row_id = 50  # ids of the real table have gaps and do not follow the items
    for item in items:
        for site, title in sorted(item.sitelinks.items()):
            row_id += 3
            yield f"({row_id},{item.qid},'{site}','{escape_sql(title)}')"


def escape_sql(text: str) -> str:
    r"""``text`` as it stands between quotes in a MariaDB dump.

    >>> escape_sql("L'Origine") == r"L\'Origine"
    True
    """
    for plain, escaped in _SQL_ESCAPES:
        text = text.replace(plain, escaped)
    return text


_SQL_ESCAPES = (
    ("\\", "\\\\"),
    ("'", "\\'"),
    ('"', '\\"'),
    ("\n", "\\n"),
    ("\r", "\\r"),
    ("\0", "\\0"),
    ("\x1a", "\\Z"),
)

_SQL_HEAD = """\
-- MySQL dump 10.19  Distrib 10.4.15-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: wikidatawiki
-- ------------------------------------------------------
-- Server version	10.4.15-MariaDB-log

/*!40101 SET NAMES binary */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;

--
-- Table structure for table `wb_items_per_site`
--

DROP TABLE IF EXISTS `wb_items_per_site`;
CREATE TABLE `wb_items_per_site` (
  `ips_row_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `ips_item_id` int(10) unsigned NOT NULL,
  `ips_site_id` varbinary(32) NOT NULL,
  `ips_site_page` varbinary(310) NOT NULL,
  PRIMARY KEY (`ips_row_id`),
  UNIQUE KEY `wb_ips_item_site_page` (`ips_site_id`,`ips_site_page`),
  KEY `wb_ips_item_id` (`ips_item_id`)
) ENGINE=InnoDB AUTO_INCREMENT=1000000 DEFAULT CHARSET=binary;

--
-- Dumping data for table `wb_items_per_site`
--

LOCK TABLES `wb_items_per_site` WRITE;
/*!40000 ALTER TABLE `wb_items_per_site` DISABLE KEYS */;
"""

_SQL_TAIL = """\
/*!40000 ALTER TABLE `wb_items_per_site` ENABLE KEYS */;
UNLOCK TABLES;

-- Dump completed on 2020-12-01 12:00:00
"""
