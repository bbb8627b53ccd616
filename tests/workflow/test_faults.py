"""Runs that are killed, starved of disk, locked out or led astray: the same command completes them.

After every drill the results are those of an undisturbed run, byte for byte, and no process, lock
or half file is left. `test_every_fault_once` is part of every test run; the others are long:
`make test-drills`.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.http_world import World, serve
from tests.workflow.drill_run import DrillRun, Started, mount, strike

pytestmark = pytest.mark.workflow

KILLS = 10
# What a step says of an error that it has no message for. (torchrun has tracebacks of its own.)
DEFECT = "failed for a reason it does not know"
# From here on the corpus is made again; the mirror and what was fetched from it stay.
CORPUS = (
    "pages", "redirects", "sitelinks", "entities", "sequences", "tokenizers", "tables", "work",
    "reports",
)  # fmt: skip
# From here on the model is trained again, and all that is made with it: as long as later files are
# there, nothing asks for earlier ones.
TRAINING = (
    "pretraining", "pretrained/drill", "finetuned", "predictions", "scores", "significance",
    "tables", "work",
)  # fmt: skip

Copy = Callable[[DrillRun], DrillRun]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """Copies of finished runs; what a drill leaves running or mounted goes with the test."""
    made: list[DrillRun] = []

    def copied(run: DrillRun) -> DrillRun:
        made.append(run.copy(tmp_path / f"run-{len(made)}"))
        return made[-1]

    yield copied
    for run in made:
        run.clean_up()


def fresh(run: DrillRun) -> None:
    """Start from nothing."""
    shutil.rmtree(run.folder / "results")
    shutil.rmtree(run.folder / ".snakemake")


def random_moment(started: Started, generator: random.Random, jobs: int) -> bool:
    """Wait until some jobs have started, and a little; False when the run ended before."""
    number, delay = generator.randint(1, jobs), generator.random()
    if not started.reaches(lambda: started.jobs() >= number):
        return False
    time.sleep(delay)  # the random moment itself, not a wait for something
    return not started.has_ended()


def kill_snakemake(run: DrillRun, generator: random.Random, jobs: int = 5) -> bool:
    """One kill at a random moment; the steps of the killed one are not waited for."""
    with run.started() as started:
        return random_moment(started, generator, jobs) and strike(started.process.pid)


def kill_a_step(run: DrillRun, generator: random.Random, jobs: int = 5) -> bool:
    """One step killed at a random moment; Snakemake goes on as far as it can."""
    with run.started() as started:
        struck = False
        if random_moment(started, generator, jobs) and started.reaches(run.steps):
            steps = run.steps()
            struck = bool(steps) and strike(generator.choice(steps))
        assert DEFECT not in started.wait()[1]
        return struck


def kill_a_rank(run: DrillRun, generator: random.Random) -> bool:
    """One of two ranks killed while they start, or behind a random update."""
    journal = run.results / "work/pretraining/drill/stage1/log/log.jsonl"
    with run.started() as started:
        if not started.reaches(lambda: len(run.steps("pretrain")) == 2):
            return False
        if generator.random() < 0.7:
            before = lines(journal)
            more = generator.randint(1, 6)
            started.reaches(lambda: lines(journal) >= before + more or not run.steps("pretrain"))
        else:
            time.sleep(2 * generator.random())  # somewhere in the start
        ranks = run.steps("pretrain")
        struck = len(ranks) == 2 and strike(ranks[generator.randrange(2)])
        status, text = started.wait()
        assert (status != 0) == struck, text[-4000:]
        return struck


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def ten_kills(
    run: DrillRun,
    undisturbed: DrillRun,
    kill: Callable[[DrillRun, random.Random], bool],
    again: Callable[[], None],
    seed: int,
) -> None:
    """Kill until ten kills have struck; a run that is complete before that starts `again`."""
    generator = random.Random(seed)
    again()
    struck = 0
    while struck < KILLS:
        if kill(run, generator):
            struck += 1
        elif run.run()[0] == 0:
            run.must_equal(undisturbed)
            again()
    run.complete()
    run.must_equal(undisturbed)


@pytest.mark.drill
def test_ten_kills_of_snakemake(whole_run: DrillRun, copy: Copy) -> None:
    run = copy(whole_run)
    ten_kills(run, whole_run, kill_snakemake, lambda: fresh(run), seed=81)


@pytest.mark.drill
def test_ten_kills_of_a_step(whole_run: DrillRun, copy: Copy) -> None:
    run = copy(whole_run)
    ten_kills(run, whole_run, kill_a_step, lambda: fresh(run), seed=82)


@pytest.mark.drill
def test_ten_kills_of_a_rank(whole_run: DrillRun, copy: Copy) -> None:
    run = copy(whole_run)
    ten_kills(run, whole_run, kill_a_rank, lambda: run.forget(*TRAINING), seed=83)


def full_disk(run: DrillRun, place: str, kilobytes: int, step: str) -> None:
    """Run with too small a disk at one folder of the results, then with a larger one."""
    folder = run.results / place
    folder.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))
    status, text = run.run()
    assert status != 0
    assert DEFECT not in text
    messages = [line for line in text.splitlines() if "No space left on device" in line]
    assert messages
    for message in messages:
        assert f"results/mini/{place}" in message
        assert "Free some space" in message and "bytes that were free there" in message
    assert f"Error in rule {step}" in text
    mount("-o", "remount,size=64m", str(folder))
    run.complete()


@pytest.mark.drill
@pytest.mark.parametrize(
    ("place", "kilobytes", "step"),
    [("pages", 64, "extract"), ("sequences", 40, "shuffle_sequences")],
)
def test_full_disk_in_the_corpus(
    corpus_run: DrillRun, copy: Copy, place: str, kilobytes: int, step: str
) -> None:
    run = copy(corpus_run)
    run.forget(*CORPUS)
    full_disk(run, place, kilobytes, step)
    run.must_equal(corpus_run)


@pytest.mark.drill
@pytest.mark.parametrize(
    ("place", "kilobytes", "step"),
    [
        # The unpacked sequences do not fit; the second checkpoint does not; the weights do not.
        ("work/pretraining", 40, "pretrain"),
        ("work/pretraining", 12 * 1024, "pretrain"),
        ("pretraining", 1024, "pretrain"),
        ("finetuned", 1024, "finetune"),
    ],
)
def test_full_disk_in_training(
    whole_run: DrillRun, copy: Copy, place: str, kilobytes: int, step: str
) -> None:
    run = copy(whole_run)
    run.forget(*TRAINING, place)
    full_disk(run, place, kilobytes, step)
    run.must_equal(whole_run)


def read_only(run: DrillRun, place: Path) -> None:
    """Make a folder read-only; for the superuser too, whom permissions do not stop."""
    mount("--bind", str(place), str(place))
    mount("-o", "remount,bind,ro", str(place))


def writable_again(place: Path) -> None:
    subprocess.run(["umount", str(place)], check=True)


def refused_on_read_only_results(run: DrillRun) -> None:
    results = run.folder / "results"
    before = run.products()
    read_only(run, results)
    status, text = run.run()
    assert status != 0
    assert "results" in text and "not a folder that can be written" in text
    assert "--config results=FOLDER" in text
    assert "Traceback" not in text
    assert run.products() == before
    writable_again(results)


@pytest.mark.drill
def test_results_on_read_only_storage(corpus_run: DrillRun, copy: Copy) -> None:
    run = copy(corpus_run)
    run.forget(*CORPUS)
    refused_on_read_only_results(run)
    run.complete()
    run.must_equal(corpus_run)


@pytest.mark.drill
def test_storage_that_becomes_read_only(corpus_run: DrillRun, copy: Copy) -> None:
    run = copy(corpus_run)
    run.forget(*CORPUS)
    pages = run.results / "pages"
    for language in ("en", "nl"):
        (pages / language).mkdir(parents=True)
    with run.started() as started:
        assert started.reaches(lambda: started.jobs() >= 1)
        read_only(run, pages)
        status, text = started.wait()
    assert status != 0
    assert ".parquet: Read-only file system" in text
    assert "choose another with --config results=FOLDER" in text
    # Snakemake's own, of a job whose old outputs it cannot remove, is not in the steps' logs.
    for log in (run.results / "logs").rglob("*.log"):
        assert "Traceback" not in log.read_text(), log
    assert DEFECT not in text
    writable_again(pages)
    run.complete()
    run.must_equal(corpus_run)


def second_is_refused(run: DrillRun, second: DrillRun, *configuration: str) -> None:
    """Start one beside another; the first completes."""
    with run.started() as first:
        assert first.reaches(lambda: first.jobs() >= 1)
        status, text = second.run(*configuration)
        assert not first.has_ended(), "the first was done too soon for this drill"
        assert status != 0
        assert f"another Snakemake is at work there (process {first.process.pid} on " in text
        assert "Traceback" not in text
        status, text = first.wait()
    assert status == 0, text[-4000:]


@pytest.mark.drill
def test_two_snakemakes_at_once(corpus_run: DrillRun, copy: Copy, tmp_path: Path) -> None:
    run = copy(corpus_run)
    run.forget(*CORPUS)
    second_is_refused(run, run)
    run.must_equal(corpus_run)
    # From another folder, where Snakemake's own lock would not see it.
    run.forget(*CORPUS)
    other = DrillRun(tmp_path / "other", run.target)
    second_is_refused(run, other, f"results={run.folder / 'results'}")
    run.must_equal(corpus_run)


def jump(run: DrillRun, generator: random.Random) -> None:
    """Date every file of the results up to two years before or after now."""
    now, span = time.time(), 2 * 365 * 86400
    for path in sorted(run.results.rglob("*")):
        moment = now + generator.uniform(-span, span)
        os.utime(path, (moment, moment), follow_symlinks=False)


@pytest.mark.drill
def test_files_dated_anywhere(corpus_run: DrillRun, copy: Copy) -> None:
    """As a clock that jumped while they were written, or another machine's, leaves them."""
    run = copy(corpus_run)
    generator = random.Random(84)
    for _ in range(3):
        jump(run, generator)
        run.complete()
    run.must_equal(corpus_run)


@pytest.mark.drill
def test_clock_that_jumps_during_the_run(whole_run: DrillRun, copy: Copy, tmp_path: Path) -> None:
    """Forth and back by days and years, while files keep the dates of the file server."""
    if shutil.which("faketime") is None:
        pytest.skip("needs faketime")
    run = copy(whole_run)
    fresh(run)
    library = next(Path("/usr/lib").rglob("libfaketime*.so.1"))
    offset = tmp_path / "offset"
    offset.write_text("+0")
    generator = random.Random(85)
    environment = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
    }  # fmt: skip
    with run.started(environment=environment) as started:
        jobs = 0
        while started.reaches(lambda jobs=jobs: started.jobs() > jobs):
            jobs = started.jobs()
            offset.write_text(f"{generator.choice((-400, -1, 0, 1, 700)):+d}d")
        status, text = started.wait()
    # Snakemake fails a job whose input is dated behind its output by a clock that was set back.
    assert status == 0 or "clock skew problem" in text, text[-6000:]
    assert DEFECT not in text and "Traceback" not in text
    run.complete()
    run.must_equal(whole_run)


def with_mirror(run: DrillRun, folder: Path) -> str:
    """Move the miniature world out of the results, as a mirror that can be unplugged."""
    shutil.move(run.results / "mirror", folder)
    run.forget("downloads", "dumps", "sources", *CORPUS)
    return f"mirror={folder}"


def same_but_for_the_mirror(run: DrillRun, undisturbed: DrillRun) -> None:
    # Locks of downloads are named after the addresses, which differ.
    other = ("mirror/", "downloads/.locks/")

    def kept(products: dict[str, str]) -> dict[str, str]:
        return {name: digest for name, digest in products.items() if not name.startswith(other)}

    assert kept(run.products()) == kept(undisturbed.products())
    assert list(run.results.rglob(".*.tmp")) == []


@pytest.mark.drill
def test_unplugged_mirror(corpus_run: DrillRun, copy: Copy, tmp_path: Path) -> None:
    run = copy(corpus_run)
    folder = tmp_path / "mirror"
    mirror = with_mirror(run, folder)
    away = folder.rename(tmp_path / "away")
    status, text = run.run(mirror)
    assert status != 0
    assert f"there is no folder '{folder}'" in text
    assert "Traceback" not in text
    away.rename(folder)
    (dump,) = folder.rglob("nlwiki-*-multistream.xml.bz2")
    gone = dump.rename(tmp_path / dump.name)
    status, text = run.run(mirror)
    assert status != 0
    assert f"{dump}: the mirror has no such file" in text
    assert "Complete the mirror" in text
    assert "Traceback" not in text
    gone.rename(dump)
    run.complete(mirror)
    same_but_for_the_mirror(run, corpus_run)


@pytest.mark.drill
def test_mirror_that_is_unplugged_during_a_transfer(
    corpus_run: DrillRun, copy: Copy, tmp_path: Path
) -> None:
    """A server that breaks off every transfer in the middle and then is gone."""
    run = copy(corpus_run)
    folder = tmp_path / "mirror"
    with_mirror(run, folder)
    files = {
        f"/{path.relative_to(folder)}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    large = [name for name, content in files.items() if len(content) > 100_000]
    assert large
    # The address is part of the configuration, so the same server comes back.
    with serve(World(files, {name: ["truncate", *["close"] * 200] for name in large})) as world:
        mirror = f"mirror={world.base}"
        status, text = run.run(mirror)
        assert status != 0
        assert world.base in text and "the server cannot be reached" in text
        assert DEFECT not in text
        world.behaviours.clear()
        broken_off = len(world.requests)
        run.complete(mirror)
        assert any("Range" in headers for _, headers in world.requests[broken_off:])
    same_but_for_the_mirror(run, corpus_run)


def test_every_fault_once(corpus_run: DrillRun, copy: Copy, tmp_path: Path) -> None:
    """One run that meets them all, short of training."""
    generator = random.Random(86)
    run = copy(corpus_run)
    run.forget(*CORPUS)
    refused_on_read_only_results(run)
    jump(run, generator)
    full_disk_once(run)
    assert kill_a_step(run, generator, jobs=2)
    assert kill_snakemake(run, generator, jobs=2)
    second_is_refused(run, run)
    run.must_equal(corpus_run)


def full_disk_once(run: DrillRun) -> None:
    pages = run.results / "pages"
    pages.mkdir()
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", str(pages))
    status, text = run.run()
    assert status != 0
    assert ".parquet: No space left on device" in text
    writable_again(pages)
