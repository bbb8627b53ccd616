"""Time and memory of a run, and what it was made from."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

import mluke_core.reporting.provenance as subject
from mluke_core.errors import DataError
from mluke_core.io.files import digest_of
from mluke_core.reporting.provenance import (
    dump_inputs,
    git_state,
    provenance,
    seeds,
    source_inputs,
)
from mluke_core.reporting.resources import read_benchmark, read_benchmarks, summarise
from tests.reporting_world import DATA, config

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path: Path, *lines: tuple[object, object, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{s}\t0:00\t{rss}\t1\t1\t1\t0\t0\t9\t{cpu}\n" for s, rss, cpu in lines)
    path.write_text(HEADER + text)
    return path


def test_repetitions_add_time_and_keep_the_largest_memory(tmp_path: Path) -> None:
    path = benchmark(tmp_path / "en.tsv", (2.0, 100.0, 1.5), (3.0, 250.0, 2.5))
    job = read_benchmark(path, "extract")
    assert (job.seconds, job.peak_memory_mb, job.cpu_seconds) == (5.0, 250.0, 4.0)


@pytest.mark.parametrize("nothing", ["NA", "-"])
def test_jobs_too_short_to_measure_have_no_memory(tmp_path: Path, nothing: str) -> None:
    job = read_benchmark(benchmark(tmp_path / "en.tsv", (0.1, nothing, nothing)), "extract")
    assert job.seconds == 0.1 and job.peak_memory_mb is None and job.cpu_seconds is None
    assert summarise([job])["peak_memory_mb"] is None


def test_rules_are_folders_or_files_and_stand_in_the_order_of_the_work(tmp_path: Path) -> None:
    benchmark(tmp_path / "pretrain" / "m-stage1.tsv", (9.0, 900.0, 8.0))
    benchmark(tmp_path / "extract" / "en-000.tsv", (1.0, 100.0, 1.0))
    benchmark(tmp_path / "extract" / "de-000.tsv", (2.0, 90.0, 1.0))
    benchmark(tmp_path / "build_vocabulary.tsv", (0.5, 50.0, 0.4))
    benchmark(tmp_path / "a_rule_of_your_own.tsv", (0.5, 50.0, 0.4))
    summary = summarise(read_benchmarks(tmp_path))
    rules = [entry["rule"] for entry in summary["rules"]]
    assert rules == ["extract", "build_vocabulary", "pretrain", "a_rule_of_your_own"]
    assert summary["rules"][0] == {
        "rule": "extract",
        "jobs": 2,
        "seconds": 3.0,
        "cpu_seconds": 2.0,
        "longest_seconds": 2.0,
        "peak_memory_mb": 100.0,
    }
    assert (summary["jobs"], summary["seconds"], summary["peak_memory_mb"]) == (5, 13.0, 900.0)


def test_a_damaged_benchmark_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    benchmark(tmp_path / "extract" / "en-000.tsv", (1.0, 100.0, 1.0))
    (tmp_path / "extract" / "de-000.tsv").write_text("")
    with pytest.raises(DataError, match="not a benchmark file"):
        read_benchmark(tmp_path / "extract" / "de-000.tsv", "extract")
    with caplog.at_level(logging.WARNING, logger="mluke"):
        assert [job.job for job in read_benchmarks(tmp_path)] == ["en-000"]
    assert "de-000.tsv" in caplog.text


def test_without_benchmarks_there_is_an_empty_summary(tmp_path: Path) -> None:
    summary = summarise(read_benchmarks(tmp_path / "none"))
    assert summary["jobs"] == 0 and summary["rules"] == []


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [
            "git",
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-C",
            str(folder),
            *arguments,
        ],
        check=True,
        capture_output=True,
    )


def test_git_state_tells_changed_files_from_new_ones(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    state = git_state(tmp_path)
    assert len(state["id"]) == 40 and state["dirty"] is False
    (tmp_path / "new").write_text("1")
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == {**state, "dirty": True}


def test_missing_git_is_said_and_not_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    state = git_state(tmp_path)
    assert state["id"] is None and "not a git checkout" in state["note"]


def test_provenance_has_inputs_without_local_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "git_state", lambda folder: {"id": "c" * 40, "dirty": False})
    sources, dumps = [DATA / "sources/relx.json"], [DATA / "dumps/en.json"]
    first = provenance(config(), sources, dumps, read_benchmarks(DATA / "benchmarks"))
    assert first == provenance(config(), sources, dumps, read_benchmarks(DATA / "benchmarks"))
    assert first["scale"] == "mini"
    assert first["configuration"]["digest"] == digest_of(config())
    assert first["seeds"]["pretraining"] == config()["seed"]
    assert first["seeds"]["ner"] == config()["tasks"]["ner"]["seeds"]
    assert first["environment"]["packages"]["orjson"]
    assert first["machine"]["usable_cores"] >= 1
    assert first["inputs"]["sources"] == [
        {
            "source": "relx",
            "version": "master",
            "licence": "MIT",
            "files": {
                "RELX_en.txt": {
                    "url": "https://example.org/RELX_en.txt",
                    "bytes": 12,
                    "sha256": "ab" * 32,
                }
            },
        }
    ]
    assert first["inputs"]["dumps"][0]["files"] == {
        "enwiki-1.xml.bz2": {"bytes": 99, "sha1": "cd" * 20}
    }
    assert "mirror/" not in str(first["inputs"])
    assert first["resources"]["jobs"] == 30


def test_seeds_of_a_configuration_without_tasks() -> None:
    assert seeds({"seed": 7}) == {"pretraining": 7}


def test_damaged_manifests_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"source": "a"}')
    with pytest.raises(DataError, match="not a source manifest: it lacks files"):
        source_inputs(path)
    with pytest.raises(DataError, match="not a dump manifest: it lacks language, files"):
        dump_inputs(path)
