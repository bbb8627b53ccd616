"""Links to items, vocabulary, mention occurrences and sitelinks at the scale of 24 Wikipedias.

Inputs are made from a seed. Links, the vocabulary and the step of SQL sitelinks are measured as
whole processes, start included; occurrences and readers inside one, without building the automaton.
All on one core. Peers: the original way of counting links (dictionaries and `marisa-trie`, on a
tenth of the links with the whole tables, per link, without the time to build them) and of finding
mentions (tokens, each run looked up in `marisa-trie`); `mwsql` for the table dump; for the JSON
dump the same decompressor and `orjson.loads` of every line, and nothing else.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _alignment_inputs import (
    LANGUAGES,
    cached,
    items_in_json,
    items_per_site,
    linked_articles,
    linked_pages,
    mentions_and_texts,
)
from _bench import ROOT, Row, Usage, cpu_seconds, main, peer_python, run_process, use_one_core

sys.path.insert(0, str(ROOT))

PEERS = ("marisa-trie==1.4.1", "mwsql==1.0.4")
SHARED = ("pyarrow",)
PEER_SCRIPT = ROOT / "benchmarks" / "_alignment_peers.py"
# Of the rule: megabytes for a language, and for the vocabulary.
COUNT_MB = 2000
VOCABULARY_MB = 4000
GIB = 1 << 30
PEER_SHARE = 10
REPEATS = 3


def run(arguments: argparse.Namespace) -> list[Row]:
    use_one_core()
    quick = arguments.quick
    shared = [f"{name}=={version(name)}" for name in SHARED]
    python = peer_python("alignment", [*PEERS, *shared], arguments.peer_path)
    only = arguments.only
    parts: dict[str, Callable[[], list[Row]]] = {
        "links": lambda: count_rows(8_000_000 if quick else 100_000_000, python),
        "many-links": lambda: [] if quick else many_links_rows(300_000_000),
        "vocabulary": lambda: vocabulary_rows(20_000 if quick else 1_000_000),
        "mentions": lambda: mention_rows(
            100_000 if quick else 1_000_000, 1.5 if quick else 20.0, python
        ),
        "sql": lambda: sql_rows(200_000 if quick else 3_000_000, python),
        "json": lambda: json_rows(1_500 if quick else 15_000),
    }
    rows = [row for name, part in parts.items() if not only or name in only for row in part()]
    # The page of a full run holds all figures.
    arguments.quick = quick or bool(only)
    return rows


def step(name: str, settings: dict[str, Any], *arguments: str | Path) -> Usage:
    """Run a step of the workflow on one core."""
    script = ROOT / "workflow_scripts" / f"{name}.py"
    command = [sys.executable, script, "--settings", json.dumps(settings), *arguments]
    return run_process(command, env={"OMP_NUM_THREADS": "1"})


def peer(python: Path, *arguments: str | Path) -> dict[str, Any]:
    """What the peer prints."""
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        run_process([python, PEER_SCRIPT, *arguments], stdout=Path(output.name))
        return json.loads(Path(output.name).read_text())


def count_links(links: int) -> tuple[Usage, dict[str, Any]]:
    """Resolve, join and count so many links."""
    folder = linked_pages(links)
    pages = sorted(folder.glob("pages-*.parquet"))
    with tempfile.TemporaryDirectory(dir=folder) as output:
        report = Path(output) / "report.json"
        usage = step(
            "count_entities",
            {"language": "en", "targets": "pages"},
            *("--memory-mb", str(COUNT_MB), "--work", Path(output) / "work"),
            "--pages",
            *pages,
            *("--redirects", folder / "redirects.parquet"),
            *("--sitelinks", folder / "sitelinks.parquet"),
            *("--output", Path(output) / "entities.parquet", "--report", report),
        )
        return usage, json.loads(report.read_text())


def count_rows(links: int, python: Path) -> list[Row]:
    usage, report = count_links(links)
    if report["links"] < links:
        sys.exit(f"{report['links']} links counted of {links}")
    other = peer(python, "links", linked_pages(links), str(links // PEER_SHARE))
    ours = 1e6 * usage.cpu_s / links
    theirs = 1e6 * other["cpu_s"] / other["links"]
    peak = usage.peak_bytes / GIB
    name = f"{links // 1_000_000} M links"
    shown = f"{ours:.3f} µs CPU/link"
    return [
        Row(f"{name}: resolve, join, count", shown, "", ours, "<= 0.25"),
        Row(
            f"{name}: dictionaries and marisa-trie / ours",
            shown,
            f"{theirs:.2f} µs CPU/link",
            theirs / ours,
            ">= 5",
        ),
        Row(f"{name}: peak memory, GiB", f"{peak:.2f} GiB", "", peak, "<= 2"),
    ]


def many_links_rows(links: int) -> list[Row]:
    usage, _ = count_links(links)
    peak = usage.peak_bytes / GIB
    shown = f"{peak:.2f} GiB, {1e6 * usage.cpu_s / links:.3f} µs CPU/link"
    return [Row(f"{links // 1_000_000} M links: peak memory, GiB", shown, "", peak, "<= 2")]


def vocabulary_rows(titles: int) -> list[Row]:
    folder = linked_articles(titles)
    with tempfile.TemporaryDirectory(dir=folder) as output:
        usage = step(
            "build_vocabulary",
            {"size": 1_200_000, "minimum_languages": 3, "per_language_limit": 1_000_000},
            *("--memory-mb", str(VOCABULARY_MB)),
            *("--entities", *(f"{name}={folder}/{name}.entities.parquet" for name in LANGUAGES)),
            *("--sitelinks", *(f"{name}={folder}/{name}.sitelinks.parquet" for name in LANGUAGES)),
            *("--output", Path(output) / "v.parquet", "--json", Path(output) / "v.json"),
            *("--report", Path(output) / "v.report.json"),
        )
    peak = usage.peak_bytes / GIB
    name = f"vocabulary of 24 x {titles:,} titles"
    return [
        Row(f"{name}: CPU seconds", f"{usage.cpu_s:.1f} s", "", usage.cpu_s, "<= 60"),
        Row(f"{name}: peak memory, GiB", f"{peak:.2f} GiB", "", peak, "<= 4"),
    ]


def mention_rows(mentions: int, megabytes: float, python: Path) -> list[Row]:
    from mluke_core.alignment.occurrences import OccurrenceCounter

    def make(folder: Path) -> None:
        chosen, pages = mentions_and_texts(mentions, megabytes)
        data = {"mentions": chosen, "texts": pages}
        (folder / "data.json").write_text(json.dumps(data), "utf-8")

    path = cached(f"mentions-{mentions}-{megabytes}", make) / "data.json"
    data = json.loads(path.read_text("utf-8"))
    size = sum(len(text.encode()) for text in data["texts"]) / 1e6
    started = cpu_seconds()
    counter = OccurrenceCounter(data["mentions"], "en")
    built = cpu_seconds() - started
    # The automaton is warm in a run over gigabytes; the first round warms it here.
    seconds = best_of(REPEATS, lambda: counter.count(data["texts"]))
    counts = counter.count(data["texts"])
    other = peer(python, "mentions", path)
    if sum(counts.values()) != other["occurrences"]:
        sys.exit(f"{sum(counts.values())} occurrences, the peer finds {other['occurrences']}")
    words = sum(text.count(" ") + 1 for text in data["texts"])
    ours, theirs = size / seconds, other["bytes"] / 1e6 / other["cpu_s"]
    name = f"occurrences of {mentions:,} mentions"
    shown = f"{ours:.1f} MB/s"
    density = f"{sum(counts.values()) / words:.2f} mentions per word"
    return [
        Row(f"{name}, MB of text per CPU second", f"{shown}, {density}", "", ours, ">= 10"),
        Row(f"{name}: ours / n-gram lookup", shown, f"{theirs:.1f} MB/s", ours / theirs, ""),
        Row(f"{name}: building the automaton", f"{built:.1f} s", "", None, ""),
    ]


def best_of(times: int, work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of several runs: other load on the machine only adds to them."""
    seconds = []
    for _ in range(times):
        started = cpu_seconds()
        work()
        seconds.append(cpu_seconds() - started)
    return min(seconds)


def sql_rows(rows: int, python: Path) -> list[Row]:
    from mluke_core.alignment.sitelink_readers import ReadCounts, read_sql

    path = items_per_site(rows)
    wikis = {language: f"{language}wiki" for language in LANGUAGES}
    seconds = best_of(REPEATS, lambda: drain(read_sql(path, wikis.values(), ReadCounts())))
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_manifest(Path(folder), path)
        usage = step(
            "sitelinks",
            {"format": "sql", "wikis": wikis},
            *("--source", manifest, "--output-dir", Path(folder) / "out"),
            *("--report", Path(folder) / "report.json"),
        )
    other = peer(python, "sql", path)
    ours, theirs = rows / seconds / 1e6, other["rows"] / other["cpu_s"] / 1e6
    whole = rows / usage.cpu_s / 1e6
    return [
        Row(
            "SQL sitelinks read: ours / mwsql",
            f"{ours:.2f} M rows/s",
            f"{theirs:.2f} M rows/s",
            ours / theirs,
            "",
        ),
        Row("SQL sitelinks, the whole step", f"{whole:.2f} M rows/s", "", None, ""),
    ]


def json_rows(items: int) -> list[Row]:
    import indexed_bzip2
    import orjson

    from mluke_core.alignment.sitelink_readers import ReadCounts, read_json

    wikis = [f"{language}wiki" for language in LANGUAGES]
    openers: dict[str, Callable[[Path], Any]] = {
        "bz2": lambda path: indexed_bzip2.open(str(path), parallelization=1),
        "gz": gzip.open,
    }
    rows = []
    for suffix, opener in openers.items():
        path = items_in_json(items, suffix)

        def parse_all(path: Path = path, opener: Callable[[Path], Any] = opener) -> None:
            with opener(path) as stream:
                for line in stream:
                    if len(text := line.rstrip(b",\n")) > 1:
                        orjson.loads(text)

        def read_all(path: Path = path) -> None:
            drain(read_json(path, wikis, ReadCounts()))

        ours, theirs = best_of(REPEATS, read_all), best_of(REPEATS, parse_all)
        rows.append(
            Row(
                f"JSON sitelinks, .{suffix}: speed / that of unpacking and orjson",
                f"{ours:.2f} s",
                f"{theirs:.2f} s",
                theirs / ours,
                ">= 0.8",
            )
        )
    return rows


def drain(values: Iterable[object]) -> None:
    for _ in values:
        pass


def write_manifest(folder: Path, path: Path) -> Path:
    """A source manifest with one file."""
    file = {"path": str(path), "bytes": 0, "sha256": "", "url": ""}
    manifest = {"source": "wikidata_sql", "version": "", "licence": "", "files": {path.name: file}}
    (folder / "source.json").write_text(json.dumps(manifest))
    return folder / "source.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        nargs="+",
        choices=["links", "many-links", "vocabulary", "mentions", "sql", "json"],
        help="only these figures",
    )


if __name__ == "__main__":
    sys.exit(
        main(
            "alignment",
            __doc__ or "",
            run,
            ("duckdb", "pyarrow", "ahocorasick_rs", "orjson", "indexed_bzip2"),
            add_arguments,
        )
    )
