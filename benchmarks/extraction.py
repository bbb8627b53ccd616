"""Speed and memory of the corpus step against bzip2, wikiextractor and wikipedia2vec.

Inputs are the real dumps of the sample, per language, their pages repeated under new titles until
the XML has 100 MB; English has 200 MB beside `bzip2` and for two workers (a part of its real dump
is larger still, and start-up counts), and once 1 GB, for the memory. Of most languages the sample
has one to seven articles; repeated, such a file is bzip2's best case. So the others are added up
twice: weighted by how much XML of each the sample has, and 100 MB of each. All figures are CPU
seconds of whole processes on one core, start-up included, and the least of three runs that take
turns (of two beside the slow peers; English is run once before each of the others, all along).
Ours is the step `extract` (bzip2 to zstd Parquet); the peers are `bzip2 -dc`, which bounds what any
reader of such a file can reach, `wikiextractor --no-templates --links --json` and
`wikipedia2vec build-dump-db` (the extractor of the paper's authors). Run it on an idle machine: all
live on the processor's caches, and others who use them move the ratios either way.
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
# Two workers are run before every one of so many languages.
BETWEEN = 4
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


def take_turns(
    commands: dict[str, list[str | Path]], rounds: int, best: dict[str, Usage] | None = None
) -> dict[str, Usage]:
    """Run every command ``rounds`` times in turn; the run with the least CPU time of each.

    Args:
        best: such runs of before, which count too; added to.
    """
    best = {} if best is None else best
    for _ in range(rounds):
        for name, command in commands.items():
            usage = run_process(command, env=ONE_THREAD)
            if name not in best or usage.cpu_s < best[name].cpu_s:
                best[name] = usage
    return best


def against_bzip2(dump: Path, language: str) -> dict[str, list[str | Path]]:
    """Command lines of our step and of what bounds it."""
    return {"ours": ours(dump, language), "bzip2": ["bzip2", "-dc", dump]}


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


def side_by_side(commands: Sequence[list[str | Path]]) -> float:
    """Seconds until all commands have ended, every one on a core of its own."""
    cores = itertools.cycle(sorted(os.sched_getaffinity(0)))
    started = time.perf_counter()
    processes = [
        subprocess.Popen(
            ["taskset", "-c", str(core), *map(str, command)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | ONE_THREAD,
        )
        for core, command in zip(cores, commands, strict=False)
    ]
    if any(process.wait() for process in processes):
        sys.exit("a worker failed")
    return time.perf_counter() - started


class TwoWorkers:
    """How much sooner two processes end, each with half of a dump, than one with all of it.

    Beside it, how much more two `bzip2 -dc` get done than one: what the machine's caches allow.
    The quickest run of each counts.
    """

    def __init__(self, dump: Path) -> None:
        bzip2: list[str | Path] = ["bzip2", "-dc", dump]
        halves = [ours(dump, "en", part, 2) for part in range(2)]
        self._work = {"one": [ours(dump, "en")], "two": halves}
        self._work |= {"one bzip2": [bzip2], "two bzip2": [bzip2, bzip2]}
        self._seconds = dict.fromkeys(self._work, math.inf)

    def run(self) -> None:
        """Run each once."""
        for name, commands in self._work.items():
            self._seconds[name] = min(self._seconds[name], side_by_side(commands))

    def row(self) -> Row:
        """What was found."""
        gain = self._seconds["one"] / self._seconds["two"]
        bzip2_gain = 2 * self._seconds["one bzip2"] / self._seconds["two bzip2"]
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
    english = replicated(sample_files("en"), 2 * megabytes, "enwiki")
    two_workers = TwoWorkers(english)
    best_english: dict[str, Usage] = {}
    for number, language in enumerate(["en"] if arguments.quick else sample_languages()):
        # Between the others, all along: a busy minute does not decide.
        take_turns(against_bzip2(english, "en"), 1, best_english)
        if number % BETWEEN == 0 and not arguments.quick:
            two_workers.run()
        dump = replicated(sample_files(language), megabytes, f"{language}wiki")
        dumps[language] = dump
        if language == "en":
            continue
        best = take_turns(against_bzip2(dump, language), rounds)
        peak = max(peak, best["ours"].peak_bytes)
        print(language, {k: round(v.cpu_s, 2) for k, v in best.items()}, file=sys.stderr)
        xml_bytes = sum(len(read_xml(file).encode()) for file in sample_files(language))
        for name, usage in best.items():
            alike[name] += usage.cpu_s
            weighted[name] += xml_bytes / 1e8 * usage.cpu_s
    peak = max(peak, best_english["ours"].peak_bytes)
    rows.append(_against(best_english, "bzip2", "English", "<= 2.0"))
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
        rows.append(two_workers.row())
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
