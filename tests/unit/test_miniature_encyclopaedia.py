import bz2
import hashlib
import json
import re

import pytest
from lxml import etree

from mluke_core.miniature.dumps import PAGES_PER_STREAM, write_dump
from mluke_core.miniature.encyclopaedia import Encyclopaedia, articles_by_language
from mluke_core.miniature.facts import LANGUAGES, load_world
from mluke_core.miniature.gold import resolve
from mluke_core.miniature.tables import labels, namespaces

SEED = 7
DATE = "20201201"


@pytest.fixture(scope="module")
def world():
    return load_world()


@pytest.fixture(scope="module")
def pages_of(world):
    keys = articles_by_language(world, list(LANGUAGES), SEED)
    return {x: Encyclopaedia(world, x, keys[x], SEED).pages() for x in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_many_and_their_titles_unique(pages_of, language):
    pages = pages_of[language]
    articles = [page for page in pages if page.is_article]
    assert len(articles) >= 300
    titles = [page.title for page in pages]
    assert len(titles) == len(set(titles))
    ids = [page.page_id for page in pages]
    assert ids == sorted(set(ids))
    assert {page.namespace for page in pages} >= {0, 1, 4, 10, 14, 100, 828}
    names = set(namespaces(language).values()) - {""}
    for page in pages:
        assert (page.title.split(":")[0] in names) == bool(page.namespace)


@pytest.mark.parametrize("language", LANGUAGES)
def test_gold_spans_and_targets(world, pages_of, language):
    pages = pages_of[language]
    articles = {page.title for page in pages if page.is_article}
    redirects = {p.title: p.redirect.target for p in pages if p.redirect and not p.namespace}
    red_links = {entity.titles[language] for entity in world.entities.values()} - articles
    linked = set()
    resolved = resolve(redirects)
    for page in pages:
        for paragraph in page.paragraphs:
            text = paragraph.text
            assert text and text == " ".join(text.split())
            assert not re.search(r"\{\{|<ref|&nbsp;|</?span", text)
            assert ("[[" in text) <= ("<nowiki>" in page.wikitext)
            end_before = 0
            for start, end, target in paragraph.links:
                assert end_before <= start < end <= len(text)
                assert text[start:end].strip() == text[start:end]
                end_before = end
                assert target in articles or target in redirects or target in red_links
                linked.add(resolved.get(target, target))
    assert {page.title for page in pages if page.key} <= linked
    if language != "en":
        assert red_links & linked


@pytest.mark.parametrize("language", LANGUAGES)
def test_redirects_have_chains_circles_and_dead_ends(world, pages_of, language):
    pages = pages_of[language]
    redirects = {p.title: p.redirect.target for p in pages if p.redirect and not p.namespace}
    articles = {page.title for page in pages if page.is_article}
    resolved = resolve(redirects)
    assert sum(end is None for end in resolved.values()) == 4  # a circle of three and of one
    dead_ends = {end for end in resolved.values() if end and end not in articles}
    entities = {entity.titles[language] for entity in world.entities.values()}
    assert len(dead_ends - entities) == 1
    assert any(redirects.get(redirects.get(target)) for target in redirects.values())
    assert any(page.redirect.fragment for page in pages if page.redirect)
    words = {page.wikitext.split("[[")[0].strip(": ") for page in pages if page.redirect}
    assert words == {labels(language)["redirect"], "#REDIRECT", "#redirect"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_markup_occurs(pages_of, language):
    text = "\n".join(page.wikitext for page in pages_of[language] if page.is_article)
    file, category = namespaces(language)[6], namespaces(language)[14]
    trails = {
        **dict.fromkeys(("en", "de", "es", "fr", "nl"), r"\]\]s\b"),
        **{"tr": r"\]\](?:dır|dir|ler|lar)", "ar": r"\bو\[\["},
        **{"ja": r"\[\[", "zh": r"\[\["},
    }
    patterns = [
        r"'''[^']+'''",
        r"\[\[[^\]|#]+\]\]",
        r"\[\[[^\]|#]+\|[^\]]+\]\]",
        r"\[\[[^\]|]+#[^\]|]+\|",
        rf"\[\[{file}:[^\n]*\[\[[^\n]*\]\]",
        rf"\[\[{category}:",
        rf"\[\[:{category}:",
        r"<ref>.*</ref>",
        r"<ref name=\"[^\"]+\" />",
        r"<!--.*-->",
        r"<nowiki>",
        r"<math>",
        r"<br />",
        r"&nbsp;",
        r"&ndash;",
        r"&amp;",
        r"(?m)^\{\|",
        r"(?m)^=== .* ===$",
        r"(?m)^\*\* ",
        r"(?m)^# ",
        r"\{\{nobr\|",
        r"\[https://",
        r"__NOTOC__",
        r"\[\[[^\]|:#]+_[^\]|]+\|" if language not in ("ja", "zh") else r"\[\[",
        trails[language],
    ]
    for pattern in patterns:
        assert re.search(pattern, text), pattern


def test_turkish_links_use_both_capital_letters(pages_of):
    text = "\n".join(page.wikitext for page in pages_of["tr"])
    targets = {t for page in pages_of["tr"] for p in page.paragraphs for _, _, t in p.links}
    assert {"İstanbul", "İzmir", "Iğdır"} <= targets
    assert re.search(r"\[\[i(?:stanbul|zmir|ngilizce|talya|spanya|ran|rlanda)\w*\|", text)


def test_the_english_wikipedia_is_complete_and_others_are_not(world):
    keys = articles_by_language(world, list(LANGUAGES), SEED)
    assert keys["en"] == list(world.entities)
    occurrences = {key: sum(key in keys[x] for x in LANGUAGES) for key in world.entities}
    assert 2 in occurrences.values()
    assert all(len(keys[x]) < len(world.entities) for x in LANGUAGES if x != "en")


def test_seed_decides(world):
    keys = articles_by_language(world, ["nl"], SEED)["nl"]
    pages = Encyclopaedia(world, "nl", keys, SEED).pages()
    assert pages == Encyclopaedia(world, "nl", keys, SEED).pages()
    assert pages != Encyclopaedia(world, "nl", keys, SEED + 1).pages()


@pytest.mark.parametrize("parts", [1, 3])
def test_dump_is_multistream_xml_with_an_index(tmp_path, pages_of, parts):
    pages = pages_of["tr"]
    written = write_dump(tmp_path, "tr", DATE, pages, parts)
    dumps = [path for path in written if ".xml" in path.name]
    assert len(dumps) == parts
    found = []
    for dump in dumps:
        number = "" if parts == 1 else str(dumps.index(dump) + 1)
        index_name = dump.name.replace(f"multistream{number}.xml", f"multistream-index{number}.txt")
        index = bz2.decompress((tmp_path / index_name).read_bytes()).decode()
        entries = [line.split(":", 2) for line in index.splitlines()]
        content = dump.read_bytes()
        root = etree.fromstring(
            bz2.decompress(content), etree.XMLParser(resolve_entities=False, huge_tree=False)
        )
        space = root.nsmap[None]
        elements = root.findall(f"{{{space}}}page")
        assert root.findtext(f".//{{{space}}}dbname") == "trwiki"
        assert len(root.findall(f".//{{{space}}}namespace")) == len(namespaces("tr"))
        assert [e.findtext(f"{{{space}}}id") for e in elements] == [entry[1] for entry in entries]
        assert [e.findtext(f"{{{space}}}title") for e in elements] == [
            entry[2] for entry in entries
        ]
        offsets = sorted({int(entry[0]) for entry in entries})
        assert len(offsets) == -(-len(elements) // PAGES_PER_STREAM)
        stream = bz2.BZ2Decompressor().decompress(content[offsets[0] :])
        assert stream.count(b"<page>") == PAGES_PER_STREAM
        found += elements
        first, last = entries[0][1], entries[-1][1]
        if parts > 1:
            assert dump.name.endswith(f"p{last}.bz2")
            assert int(re.search(r"-p(\d+)p", dump.name)[1]) <= int(first)
    for page, element in zip(pages, found, strict=True):
        text = element.findtext(f".//{{{space}}}text")
        assert text == page.wikitext
        redirect = element.find(f"{{{space}}}redirect")
        assert (redirect is not None) == (page.redirect is not None)


def test_status_and_lists_agree_with_the_files(tmp_path, pages_of):
    write_dump(tmp_path, "en", DATE, pages_of["en"], 2)
    status = json.loads((tmp_path / "dumpstatus.json").read_bytes())
    job = status["jobs"]["articlesmultistreamdump"]
    assert job["status"] == "done" and len(job["files"]) == 4
    sha1_list = (tmp_path / f"enwiki-{DATE}-sha1sums.txt").read_text().splitlines()
    md5_list = (tmp_path / f"enwiki-{DATE}-md5sums.txt").read_text().splitlines()
    for name, entry in job["files"].items():
        content = (tmp_path / name).read_bytes()
        assert entry["size"] == len(content)
        assert entry["sha1"] == hashlib.sha1(content).hexdigest()
        assert entry["md5"] == hashlib.md5(content).hexdigest()
        assert entry["url"] == f"/enwiki/{DATE}/{name}"
        assert f"{entry['sha1']}  {name}" in sha1_list
        assert f"{entry['md5']}  {name}" in md5_list
