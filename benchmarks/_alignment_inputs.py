"""Inputs of the alignment benchmark, made from a seed into the cache."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from _bench import CACHE, ROOT

from mluke_core.config import read_yaml
from mluke_core.corpus.pages_file import PAGES_COMPRESSION_LEVEL
from mluke_core.io.files import atomic_path

LINK = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("target", pa.string())])
PARAGRAPH = pa.struct([("text", pa.string()), ("links", pa.list_(LINK))])
PAGES = pa.schema(
    [("page_id", pa.int64()), ("title", pa.string()), ("paragraphs", pa.list_(PARAGRAPH))]
)
SEED = 4
LINKS_PER_PAGE = 40
# As extraction writes them: two million characters of text are about 400 pages and 16,000 links.
PAGES_PER_GROUP = 400
# Of all titles that are linked: articles, redirects, and titles nobody has written.
ARTICLES, REDIRECTS, MISSING = range(3)
KIND_OF_TEN = np.array([ARTICLES] * 6 + [REDIRECTS] * 3 + [MISSING])
LANGUAGES = tuple(sorted(read_yaml(ROOT / "config.yaml")["languages"]))
OTHER_SITES = ("cebwiki", "commonswiki", "ukwiki", "cawiki", "enwikiquote", "huwiki", "srwiki")
# Of ten sitelinks about six belong to the 24 Wikipedias.
WANTED_SHARE = 0.6

_SYLLABLES = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"] + ["st", "an", "er", "in"]


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, made once by ``make``."""
    folder = CACHE / "alignment" / name
    if not folder.exists():
        with atomic_path(folder) as temporary:
            temporary.mkdir(parents=True)
            make(temporary)
    return folder


def linked_pages(links: int) -> Path:
    """A language with so many links: ``pages-*.parquet``, redirects and sitelinks.

    The frequency of a title falls with its rank (Zipf), 60 % of the titles are articles, 30 %
    redirects and 10 % do not exist.
    """

    def make(folder: Path) -> None:
        random = np.random.default_rng(SEED)
        pages = links // LINKS_PER_PAGE
        count = -(-pages * 10 // 6)
        names = pa.array([f"Title of the page {i:x}" for i in range(count)], pa.string())
        kinds = KIND_OF_TEN[np.arange(count) % 10]
        articles = np.flatnonzero(kinds == ARTICLES)
        redirects = np.flatnonzero(kinds == REDIRECTS)
        targets = articles[random.integers(0, len(articles), len(redirects))]
        write(
            folder / "redirects.parquet",
            source=names.take(pa.array(redirects)),
            target=names.take(pa.array(targets)),
        )
        with_item = articles[random.random(len(articles)) < 0.95]
        write(
            folder / "sitelinks.parquet",
            qid=pa.array(with_item + 1),
            title=names.take(pa.array(with_item)),
        )
        for part, first in enumerate(range(0, pages, 250_000)):
            with page_writer(folder / f"pages-{part:03d}.parquet") as writer:
                for start in range(first, min(first + 250_000, pages), PAGES_PER_GROUP):
                    size = min(PAGES_PER_GROUP, min(first + 250_000, pages) - start)
                    ranks = np.exp(random.random(size * LINKS_PER_PAGE) * np.log(count))
                    linked = names.take(pa.array(ranks.astype(np.int64)))
                    titles = names.take(pa.array(articles[start : start + size]))
                    writer.write_batch(page_batch(start, titles, linked), row_group_size=size)

    return cached(f"linked-pages-{links}", make)


def page_writer(path: Path) -> pq.ParquetWriter:
    """Page files as extraction writes them."""
    return pq.ParquetWriter(
        path,
        PAGES,
        compression="zstd",
        compression_level=PAGES_COMPRESSION_LEVEL,
        use_dictionary=False,
        write_statistics=["page_id"],
    )


def page_batch(first_id: int, titles: pa.Array, targets: pa.Array) -> pa.RecordBatch:
    """Pages of one paragraph with 40 links each."""
    size = len(titles)
    starts = np.tile(np.arange(LINKS_PER_PAGE, dtype=np.int32), size)
    links = pa.StructArray.from_arrays(
        [pa.array(starts), pa.array(starts + 1), targets],
        fields=list(LINK),
    )
    offsets = pa.array(np.arange(size + 1, dtype=np.int32) * LINKS_PER_PAGE)
    paragraphs = pa.StructArray.from_arrays(
        [pa.array(["x" * LINKS_PER_PAGE] * size), pa.ListArray.from_arrays(offsets, links)],
        fields=list(PARAGRAPH),
    )
    one_each = pa.array(np.arange(size + 1, dtype=np.int32))
    ids = pa.array(np.arange(first_id, first_id + size, dtype=np.int64))
    return pa.record_batch(
        [ids, titles, pa.ListArray.from_arrays(one_each, paragraphs)], schema=PAGES
    )


def write(path: Path, **columns: pa.Array) -> None:
    """A table of these columns."""
    pq.write_table(pa.table(columns), path, compression="zstd")


def linked_articles(titles: int) -> Path:
    """So many linked articles and their sitelinks in each of 24 languages."""

    def make(folder: Path) -> None:
        random = np.random.default_rng(SEED)
        for language in LANGUAGES:
            # Items are shared between languages the more, the lower their number.
            items = np.unique((random.random(titles * 3) ** 2 * titles * 5).astype(np.int64) + 1)
            items = random.permutation(items)[:titles]
            names = pa.array([f"{language} title {item:x}" for item in items], pa.string())
            links = (1e6 / (1 + random.random(len(items)) * 1e6)).astype(np.int64)
            write(
                folder / f"{language}.entities.parquet",
                title=names,
                qid=pa.array(items),
                links=pa.array(links),
            )
            write(folder / f"{language}.sitelinks.parquet", qid=pa.array(items), title=names)

    return cached(f"titles-{titles}", make)


class Words:
    """Pseudo-words whose frequency falls with their rank, the frequent ones short."""

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(SEED)
        words: set[str] = set()
        while len(words) < count:
            syllables = random.choice(_SYLLABLES, (count, 4))
            lengths = random.integers(1, 5, count)
            words |= {"".join(row[:n]) for row, n in zip(syllables, lengths, strict=True)}
        self._words = sorted(words, key=lambda word: (len(word), word))[:count]
        self._log_count = np.log(count)

    def draw(self, random: np.random.Generator, count: int) -> list[str]:
        """Words in the proportions of running text."""
        ranks = np.exp(random.random(count) * self._log_count).astype(np.int64) - 1
        return [self._words[rank] for rank in ranks]

    def frequent(self, count: int) -> list[str]:
        """The most frequent words."""
        return self._words[:count]


def mentions_and_texts(mentions: int, megabytes: float) -> tuple[list[str], list[str]]:
    """Mentions of one to four words, and pages that hold some of them.

    The 20,000 most frequent words are mentions themselves, as they are in a large Wikipedia.
    """
    words = Words(400_000)
    random = np.random.default_rng(SEED)
    chosen = set(words.frequent(min(20_000, mentions // 5)))
    while len(chosen) < mentions:
        for length in (2, 2, 3, 4):
            drawn = words.draw(random, length * 100_000)
            chosen |= {" ".join(drawn[i : i + length]) for i in range(0, len(drawn), length)}
    frequent = set(words.frequent(min(20_000, mentions // 5)))
    ordered = sorted(frequent) + sorted(chosen - frequent)
    return ordered[:mentions], list(pages_of_text(words, random, megabytes))


def pages_of_text(words: Words, random: np.random.Generator, megabytes: float) -> Iterator[str]:
    """Pages of 50 sentences, with capitals, commas, full stops and an accent now and then."""
    size = 0
    while size < megabytes * 1e6:
        drawn = words.draw(random, 700)
        for start in range(0, len(drawn), 14):
            drawn[start] = drawn[start].capitalize()
            drawn[start + 6] += ","
            drawn[start + 13] += "."
        drawn[5] = "Café"
        page = " ".join(drawn)
        size += len(page.encode())
        yield page


def items_per_site(rows: int) -> Path:
    """``wb_items_per_site.sql.gz`` with so many rows, in lines of a megabyte."""

    def make(folder: Path) -> None:
        random = np.random.default_rng(SEED)
        columns = ("ips_row_id", "ips_item_id", "ips_site_id", "ips_site_page")
        names = ["Category:", "", "", "O\\'", "Straße ", "Александр ", "東京"]
        sites = [f"{language}wiki" for language in LANGUAGES]
        with gzip.open(folder / "wb_items_per_site.sql.gz", "wt", 6, "utf-8") as stream:
            stream.write("CREATE TABLE `wb_items_per_site` (\n")
            stream.write("".join(f"  `{name}` bigint,\n" for name in columns))
            stream.write("  PRIMARY KEY (`ips_row_id`)\n) ENGINE=InnoDB DEFAULT CHARSET=binary;\n")
            for first in range(0, rows, 20_000):
                wanted = random.random(20_000) < WANTED_SHARE
                site = random.integers(0, 1 << 30, 20_000)
                values = [
                    f"({first + i},{random_id + 1},'"
                    + (sites[s % len(sites)] if mine else OTHER_SITES[s % len(OTHER_SITES)])
                    + f"','{names[s % len(names)]}title {random_id:x}')"
                    for i, (mine, s, random_id) in enumerate(
                        zip(wanted, site, random.integers(0, 1 << 27, 20_000), strict=True)
                    )
                ]
                stream.write(f"INSERT INTO `wb_items_per_site` VALUES {','.join(values)};\n")

    return cached(f"sql-{rows}", make) / "wb_items_per_site.sql.gz"


def items_in_json(items: int, suffix: str) -> Path:
    """A Wikidata JSON dump of so many items of a few kilobytes each; ``suffix`` is gz or bz2."""

    def make(folder: Path) -> None:
        random = np.random.default_rng(SEED)
        words = Words(50_000)
        path = folder / f"all.json.{suffix}"
        with gzip.open(path, "wb", 6) if suffix == "gz" else bz2.open(path, "wb") as stream:
            stream.write(b"[\n")
            for number in range(1, items + 1):
                stream.write(orjson.dumps(wikidata_item(number, words, random)) + b",\n")
            stream.write(b"]\n")

    return cached(f"items-{items}-{suffix}", make) / f"all.json.{suffix}"


def wikidata_item(number: int, words: Words, random: np.random.Generator) -> dict[str, object]:
    """An item with labels, descriptions, thirty statements and a few sitelinks: 8 kB."""
    names = words.draw(random, 80)
    known = [LANGUAGES[i] for i in np.flatnonzero(random.random(24) < 0.15)]
    statements = {
        f"P{property_id}": [
            {
                "mainsnak": {
                    "snaktype": "value",
                    "property": f"P{property_id}",
                    "datavalue": {
                        "value": {
                            "entity-type": "item",
                            "numeric-id": int(value),
                            "id": f"Q{value}",
                        },
                        "type": "wikibase-entityid",
                    },
                },
                "type": "statement",
                "id": f"Q{number}${value:032x}",
                "rank": "normal",
            }
        ]
        for property_id, value in zip(range(17, 47), random.integers(1, 1 << 27, 30), strict=True)
    }
    return {
        "type": "item",
        "id": f"Q{number}",
        "labels": {
            language: {"language": language, "value": f"{names[i]} {names[i + 1]}"}
            for i, language in enumerate(known)
        },
        "descriptions": {
            language: {"language": language, "value": " ".join(names[i : i + 5])}
            for i, language in enumerate(known)
        },
        "claims": statements,
        "sitelinks": {
            f"{language}wiki": {
                "site": f"{language}wiki",
                "title": f"{names[i].capitalize()} {number:x}",
                "badges": [],
            }
            for i, language in enumerate(known)
        },
    }
