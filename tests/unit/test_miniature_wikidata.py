import bz2
import gzip
import json
import re

import pytest

from mluke_core.miniature.encyclopaedia import articles_by_language
from mluke_core.miniature.facts import load_world
from mluke_core.miniature.make import extra_items
from mluke_core.miniature.wikidata import Item, entity_items, escape_sql, sql_dump, write_wikidata

LANGUAGES = ["de", "en", "fr", "tr"]
ROW = re.compile(r"\((\d+),(\d+),'(\w+)','((?:[^'\\]|\\.)*)'\)")


def unescape(text):
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "0": "\0"}.get(m[1], m[1]), text)


@pytest.fixture(scope="module")
def items():
    world = load_world()
    articles = articles_by_language(world, LANGUAGES, 1)
    return entity_items(world, articles, extra_items(LANGUAGES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, items):
    folder = tmp_path_factory.mktemp("wikidatawiki")
    write_wikidata(folder, "20201201", "20201130", items)
    return folder


def test_json_and_sql_hold_the_same_sitelinks(folder, items):
    dump = bz2.decompress(
        (folder / "entities/20201130/wikidata-20201130-all.json.bz2").read_bytes()
    )
    lines = dump.decode().split("\n")
    assert lines[0] == "[" and lines[-2:] == ["]", ""]
    entities = [json.loads(line.removesuffix(",")) for line in lines[1:-2]]
    assert entities == json.loads(dump)
    from_json = {
        (int(entity["id"][1:]), site, link["title"])
        for entity in entities
        if entity["type"] == "item"
        for site, link in entity["sitelinks"].items()
    }
    table = folder / "20201201/wikidatawiki-20201201-wb_items_per_site.sql.gz"
    sql = gzip.decompress(table.read_bytes()).decode()
    inserts = [line for line in sql.split("\n") if line.startswith("INSERT INTO")]
    assert len(inserts) > 1 and all(line.endswith(");") for line in inserts)
    rows = [match.groups() for line in inserts for match in ROW.finditer(line)]
    assert len({row[0] for row in rows}) == len(rows)
    assert {(int(qid), site, unescape(title)) for _, qid, site, title in rows} == from_json
    sites = {site for _, site, _ in from_json}
    assert {"dewiki", "enwiki", "enwikiquote", "commonswiki", "simplewiki"} <= sites
    assert any("\\'" in title for *_, title in rows)


def test_items_rise_and_are_unique(items):
    qids = [item.qid for item in items]
    assert qids == sorted(set(qids))


def test_lists_name_the_files(folder):
    status = json.loads((folder / "20201201/dumpstatus.json").read_bytes())
    (name,) = status["jobs"]["wbitemspersitetable"]["files"]
    assert (folder / "20201201" / name).exists()
    sums = (folder / "entities/20201130/wikidata-20201130-sha1sums.txt").read_text()
    assert sums.endswith("  wikidata-20201130-all.json.bz2\n")


def test_claims_are_those_of_the_facts(items):
    germany = next(item for item in items if item.qid == 183)
    assert ("P36", ("item", 64)) in germany.claims
    einstein = next(item for item in items if item.qid == 937)
    assert ("P569", ("year", 1879)) in einstein.claims


@pytest.mark.parametrize("title", ["L'Origine", 'a "b"', "back\\slash", "line\nbreak", "nul\0"])
def test_escaped_titles_come_back(title):
    assert unescape(escape_sql(title)) == title
    (row,) = ROW.findall(sql_dump([Item(1, {}, {"enwiki": title})]))
    assert unescape(row[3]) == title
