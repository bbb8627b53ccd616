"""Speed and memory of the corpus step against bzip2, wikiextractor and wikipedia2vec.

Inputs are the real dumps of the sample, per language, their pages repeated under new titles until
the XML has 100 MB (English once more with 1 GB, for the memory). Of most languages the sample has
one to seven articles; repeated, such a file is bzip2's best case, read at up to three times the
speed of one whose pages differ. So the other languages are added up twice: weighted by how much XML
of each the sample has, and 100 MB of each. All figures are CPU seconds of whole processes on one
core, start-up included, and the least of three runs that take turns (of six for English, of two
beside the slow peers).
Ours is the step `extract` (bzip2 to zstd Parquet); the peers are `bzip2 -dc`, which bounds what any
reader of such a file can reach, `wikiextractor --no-templates --links --json` and
`wikipedia2vec build-dump-db` (the extractor of the paper's authors). Run it on an idle machine:
bzip2 lives on its caches and slows down most when others use them, which flatters us.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from _bench import CACHE, ROOT, Row, Usage, main, peer_python, run_process
from _dumps import read_xml, replicated, sample_files, sample_languages
from _hostile import hostile_pages

from mluke_core.corpus.wikis import load_wiki
from mluke_core.corpus.wikitext import WikitextExtractor
from mluke_core.errors import DataError

# Run through the slow peers too: three scripts, each with more than 1 MB of real pages.
WIDE = ("en", "el", "ja")
HOSTILE_CHARACTERS = 200_000
ROUNDS = 3
# The nearest bar of all: what runs beside us must be absent for one of them.
ROUNDS_ENGLISH = 6
# As Snakemake sets it for a job with one thread.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def ours(dump: Path, language: str, part: int = 0, parts: int = 1) -> list[str | Path]:
    """Command line of the step `extract` on a dump."""
    folder = CACHE / "out" / f"{dump.name}-{part}"
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "dump.json"
    entry = {"path": str(dump), "bytes": dump.stat().st_size}
    manifest.write_text(json.dumps({"wiki": "", "date": "", "files": [entry]}))
    return [
        *(sys.executable, ROOT / "workflow_scripts" / "extract.py"),
        *("--settings", json.dumps({"language": language}), "--dump", manifest),
        *("--part", str(part), "--parts", str(parts), "--pages", folder / "pages.parquet"),
        *("--redirects", folder / "redirects.parquet", "--report", folder / "report.json"),
    ]


def take_turns(commands: dict[str, list[str | Path]], rounds: int) -> dict[str, Usage]:
    """Run every command ``rounds`` times in turn; the run with the least CPU time of each."""
    best: dict[str, Usage] = {}
    for _ in range(rounds):
        for name, command in commands.items():
            usage = run_process(command, env=ONE_THREAD)
            if name not in best or usage.cpu_s < best[name].cpu_s:
                best[name] = usage
    return best


def slow_peers(dump: Path, arguments: argparse.Namespace) -> dict[str, list[str | Path]]:
    """Command lines of the other extractors."""
    wikiextractor = peer_python("wikiextractor", ["wikiextractor==3.1.0"], arguments.peer_path)
    wikipedia2vec = peer_python("wikipedia2vec", ["wikipedia2vec==2.0.0"], arguments.peer_path)
    folder = CACHE / "out" / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "wikiextractor": [
            *(wikiextractor, "-m", "wikiextractor.WikiExtractor", dump, "-o", folder / "text"),
            *("--no-templates", "--links", "--json", "--processes", "1", "--quiet"),
        ],
        "wikipedia2vec": [
            *(wikipedia2vec.with_name("wikipedia2vec"), "build-dump-db", dump, folder / "dump.db"),
            *("--pool-size", "1"),
        ],
    }


def side_by_side(work: Sequence[Sequence[list[str | Path]]], rounds: int) -> list[float]:
    """Seconds that each set of commands takes, every command on a core of its own.

    The sets are run in turn; the quickest run of each counts.
    """
    cores = sorted(os.sched_getaffinity(0))
    quickest = [math.inf] * len(work)
    for number, commands in list(enumerate(work)) * rounds:
        started = time.perf_counter()
        processes = [
            subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | ONE_THREAD,
            )
            for core, command in zip(itertools.cycle(cores), commands, strict=False)
        ]
        if any(process.wait() for process in processes):
            sys.exit("a worker failed")
        quickest[number] = min(quickest[number], time.perf_counter() - started)
    return quickest


def two_workers(dump: Path, rounds: int) -> Row:
    """How much sooner two processes end, each with half of the dump, than one with all of it.

    Beside it, how much more two `bzip2 -dc` get done than one: what the machine's caches allow.
    """
    bzip2: list[str | Path] = ["bzip2", "-dc", dump]
    ours_alone, ours_both, bzip2_alone, bzip2_both = side_by_side(
        [
            [ours(dump, "en")],
            [ours(dump, "en", part, 2) for part in range(2)],
            [bzip2],
            [bzip2, bzip2],
        ],
        rounds,
    )
    gain, bzip2_gain = ours_alone / ours_both, 2 * bzip2_alone / bzip2_both
    label = "throughput of two workers, one worker's"
    return Row(label, f"{gain:.2f}", f"`bzip2 -dc`: {bzip2_gain:.2f}", gain, ">= 1.8")


def slowest_page() -> tuple[str, float]:
    """Name and CPU seconds of the hostile page that takes longest."""
    extractors = [WikitextExtractor(load_wiki(language)) for language in ("en", "ar", "zh")]
    slowest = ("", 0.0)
    for name, text in hostile_pages(HOSTILE_CHARACTERS).items():
        for extractor in extractors:
            gc.collect()
            started = time.process_time()
            extractor(text)
            slowest = max(slowest, (name, time.process_time() - started), key=lambda it: it[1])
    return slowest


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure everything."""
    if not sample_files("en"):
        raise DataError("no dumps of the sample beside the project (../shared/mirror).")
    megabytes = 10 if arguments.quick else 100
    rounds = 1 if arguments.quick else ROUNDS
    rows: list[Row] = []
    alike = {"ours": 0.0, "bzip2": 0.0}
    weighted = {"ours": 0.0, "bzip2": 0.0}
    peak = 0
    dumps: dict[str, Path] = {}
    for language in ["en"] if arguments.quick else sample_languages():
        dump = replicated(sample_files(language), megabytes, f"{language}wiki")
        dumps[language] = dump
        bzip2: list[str | Path] = ["bzip2", "-dc", dump]
        commands = {"ours": ours(dump, language), "bzip2": bzip2}
        best = take_turns(
            commands, ROUNDS_ENGLISH if language == "en" and not arguments.quick else rounds
        )
        peak = max(peak, best["ours"].peak_bytes)
        print(language, {k: round(v.cpu_s, 2) for k, v in best.items()}, file=sys.stderr)
        if language == "en":
            rows.append(_against(best, "bzip2", "English", "<= 2.0"))
        else:
            xml_bytes = sum(len(read_xml(file).encode()) for file in sample_files(language))
            for name, usage in best.items():
                alike[name] += usage.cpu_s
                weighted[name] += xml_bytes / 1e8 * usage.cpu_s
    for what, totals in (("as the sample has them", weighted), ("100 MB of each", alike)):
        if totals["bzip2"]:
            mix = {name: Usage(seconds, 0, 0) for name, seconds in totals.items()}
            label = f"{len(dumps) - 1} other languages, {what}"
            rows.append(_against(mix, "bzip2", label, "<= 2.5"))
    for language in WIDE:
        if language not in dumps:
            continue
        dump = dumps[language]
        best = take_turns(
            {"ours": ours(dump, language), **slow_peers(dump, arguments)}, min(rounds, 2)
        )
        rows.append(_faster(best, "wikiextractor", language, ">= 4"))
        rows.append(_faster(best, "wikipedia2vec", language, ">= 8"))
    name, seconds = slowest_page()
    label = f"slowest hostile page of {HOSTILE_CHARACTERS // 1000} kB ({name}), CPU s"
    rows.append(Row(label, f"{seconds:.2f}", "", seconds, "<= 1"))
    rows.append(Row("peak memory, MB", f"{peak / 1e6:.0f}", "", peak / 1e6, "<= 300"))
    if not arguments.quick:
        large = replicated(sample_files("en"), 10 * megabytes, "enwiki")
        usage = run_process(ours(large, "en"), env=ONE_THREAD)
        label = "peak memory, ten times the input, MB"
        rows.append(
            Row(label, f"{usage.peak_bytes / 1e6:.0f}", "", usage.peak_bytes / 1e6, "<= 300")
        )
        rows.append(two_workers(dumps["en"], ROUNDS_ENGLISH))
    return rows


def _against(best: dict[str, Usage], peer: str, what: str, bar: str) -> Row:
    ours_s, peer_s = best["ours"].cpu_s, best[peer].cpu_s
    label = f"{what}, CPU against `bzip2 -dc`"
    return Row(label, f"{ours_s:.1f} s", f"{peer_s:.1f} s", ours_s / peer_s, bar)


def _faster(best: dict[str, Usage], peer: str, language: str, bar: str) -> Row:
    ours_s, peer_s = best["ours"].cpu_s, best[peer].cpu_s
    label = f"{language}, times faster than {peer}"
    return Row(label, f"{ours_s:.1f} s", f"{peer_s:.1f} s", peer_s / ours_s, bar)


if __name__ == "__main__":
    packages = ("lxml", "indexed_bzip2", "pyarrow")
    sys.exit(main("extraction", __doc__ or "", run, packages))
