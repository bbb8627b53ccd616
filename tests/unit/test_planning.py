"""Jobs, sizes, rates and the estimate: numbers that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mluke_core.config import load_config
from mluke_core.errors import MlukeError
from mluke_core.planning import estimate, jobs, rates, report, sizes
from mluke_core.planning.__main__ import configuration, main

DRY_RUN = """
Job stats:
job        count
-------  -------
extract        2
total          3

[Fri Nov 20 14:09:49 2026]
rule extract:
    input: r/dumps/en.json
    output: r/pages/en/000.parquet, r/reports/en.json
    jobid: 4
    reason: Missing output files: r/pages/en/000.parquet
    wildcards: lang=en, part=000
    threads: 2
    resources: mem_mb=1000, mem_mib=954, runtime=240
[Fri Nov 20 14:09:49 2026]
rule extract:
    input: r/dumps/sw.json
    output: r/pages/sw/000.parquet
    wildcards: lang=sw, part=000
[Fri Nov 20 14:09:49 2026]
rule table:
    input: r/pages/en/000.parquet, r/pages/sw/000.parquet
    output: r/table.csv
"""


@pytest.fixture(scope="module")
def paper(root: Path) -> dict[str, Any]:
    return load_config(root / "config.yaml", {"scale": "paper", "results": "nowhere"})


def test_jobs_are_read() -> None:
    found = jobs.parse(DRY_RUN)
    assert [job.rule for job in found] == ["extract", "extract", "table"]
    assert found[0].outputs == ["r/pages/en/000.parquet", "r/reports/en.json"]
    assert (found[0].threads, found[0].memory_mb) == (2, 1000)
    assert (found[1].threads, found[1].memory_mb) == (1, 0)
    assert jobs.predecessors(found) == [[], [], [0, 1]]
    assert jobs.topological([[1], [], [0]]) == [1, 0, 2]


def test_jobs_of_a_group_are_read() -> None:
    text = """
group job scoring (jobs in lexicogr. order):

    [Fri Nov 20 14:33:36 2026]
    rule score:
        output: r/a.json
        wildcards: system=s, test=relx
        resources: mem_mb=<TBD>, tmpdir=/tmp
"""
    (job,) = jobs.parse(text)
    assert (job.outputs, job.wildcards["test"], job.memory_mb) == (["r/a.json"], "relx", 0)


def test_another_format_of_dry_runs_is_refused() -> None:
    with pytest.raises(MlukeError, match="announces 4 jobs, but 3"):
        jobs.parse(DRY_RUN.replace("total          3", "total          4"))


def test_published_sizes(paper: dict[str, Any]) -> None:
    found = {lang: sizes.dump_size(paper, lang) for lang in paper["run"]["languages"]}
    assert all(size is not None for size in found.values())
    assert found["en"] == sizes.Size(17958.38144, "dump of 20200301")
    # The nearer of two dates.
    late = sizes.dump_size(paper | {"dump_date": "20220101"}, "de")
    assert late == sizes.Size(6523.215105, "dump of 20220301")


def test_a_wiki_without_a_size_is_named(paper: dict[str, Any]) -> None:
    languages = paper["languages"] | {"xx": {"name": "X", "wiki": "xxwiki", "parts": 1}}
    config = paper | {"languages": languages}
    assert sizes.dump_size(config, "xx") is None
    job = jobs.Job("extract", {"lang": "xx", "part": "000"}, [], ["a"])
    plan = estimate.estimate(config, [job], {}, {})
    assert any("xxwiki" in text for text in plan.unknown)


def test_size_of_a_mirror(paper: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "dumps.wikimedia.org" / "swwiki" / paper["dump_date"]
    folder.mkdir(parents=True)
    (folder / "swwiki-20201201-pages-articles.xml.bz2").write_bytes(bytes(2_000_000))
    found = sizes.dump_size(paper | {"mirror": str(tmp_path)}, "sw")
    assert found == sizes.Size(2.0, "mirror")


def test_weights_of_known_models(paper: dict[str, Any]) -> None:
    # 12 x 12 x 768^2 in the layers and 250,002 x 768 embeddings; the Hub says 278 M and 560 M.
    assert sizes.shape(paper, "xlmr-base").weights == pytest.approx(278e6, rel=0.02)
    assert sizes.shape(paper, "xlmr-large").weights == pytest.approx(560e6, rel=0.02)
    luke = sizes.shape(paper, "mluke-base")
    assert luke.weights - sizes.shape(paper, "xlmr-base").weights == pytest.approx(
        307.4e6, rel=0.01
    )
    assert not luke.small


def test_work_of_pretraining(paper: dict[str, Any]) -> None:
    built = sizes.shape(paper, "xlmr-extra-base")
    tokens = 500_000 * 2048 * 510
    heads = 6 * 0.15 * tokens * 768 * 250_002 / 1e12
    expected = 6 * built.body * tokens / 1e12 + heads
    assert sizes.pretraining_tflop(paper, "xlmr-extra-base", "extra") == pytest.approx(expected)


def test_work_of_a_search_is_capped_by_its_steps(paper: dict[str, Any]) -> None:
    full = sizes.finetuning_tflop(paper, "xlmr-base", "relation", 32)
    task = paper["tasks"]["relation"] | {"maximum_steps": 100}
    capped = paper | {"tasks": paper["tasks"] | {"relation": task}}
    share = 100 * 32 / (5 * 15_917)
    assert sizes.finetuning_tflop(capped, "xlmr-base", "relation", 32) == pytest.approx(
        full * share
    )


def test_fits() -> None:
    assert rates.fit([(1, 3.0), (2, 5.0), (3, 7.0)]) == rates.Rate(1.0, 2.0)
    assert rates.fit([(1, 3.0), (2, 1.0)]) == rates.Rate(2.0, 0.0)
    assert rates.fit([(1, 0.0), (3, 6.0)]).start_s == 0.0
    assert rates.fit([(0, 2.0), (0, 4.0)]) == rates.Rate(3.0, 0.0)


def test_rates_are_kept(tmp_path: Path) -> None:
    written = {"extract": rates.Rate(0.3, 0.4)}
    rates.write(tmp_path / "rates.csv", written)
    assert rates.read(tmp_path / "rates.csv") == written
    assert rates.read()["extract"].unit_s > 0


def test_benchmarks_of_a_run(paper: dict[str, Any], tmp_path: Path) -> None:
    job = jobs.Job("extract", {"lang": "sw", "part": "000"})
    path = tmp_path / "benchmarks" / "extract" / "sw-000.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("s\tcpu_time\n5\t3.5\n")
    assert rates.measured(tmp_path, paper, [job]) == {"extract": [(32.153985, 3.5)]}


def test_the_estimate_adds_up(paper: dict[str, Any]) -> None:
    found = jobs.parse(DRY_RUN)
    table = {"extract": rates.Rate(10, 2.0)}
    plan = estimate.estimate(paper, found, table, {})
    english = 10 + 2 * 17958.38144 / 32
    swahili = 10 + 2 * 32.153985
    assert plan.stages["corpus"].jobs == 2
    assert plan.stages["corpus"].core_hours == pytest.approx((english + swahili) / 3600)
    # The longer of both, on two threads, and then a table.
    assert plan.critical["CPU only"] == pytest.approx((english / 2 + 1) / 3600)
    assert plan.memory_mb == 1000
    # Whole dumps hold less text per byte than the excerpts that the ratios were measured on.
    whole = (1.12 + 0.05) * 0.984 / 1.61
    assert plan.disk_mb["pages and tables"] == pytest.approx(whole * plan.dumps_mb)
    excerpts = estimate.estimate(paper | {"mirror": "https://example.org"}, found, table, {})
    assert excerpts.disk_mb["pages and tables"] == pytest.approx(1.17 * excerpts.dumps_mb)


def test_gpu_hours_follow_the_type(paper: dict[str, Any]) -> None:
    job = jobs.Job("pretrain", {"model": "xlmr-extra-base", "stage": "extra"}, [], ["a"])
    plan = estimate.estimate(paper, [job], {}, {"slow": 100.0, "fast": 400.0})
    processes = 4 * 8
    assert plan.critical["slow"] == pytest.approx(plan.tflop / 100 / 3600 / processes, rel=1e-3)
    assert plan.critical["slow"] > 3.9 * plan.critical["fast"]
    text = report.markdown(paper, plan, {"slow": 100.0, "fast": 400.0})
    assert "slow hours" in text
    assert "assumption" in text


def test_losing_weights_do_not_stay(paper: dict[str, Any]) -> None:
    found = [
        jobs.Job("finetune", {"system": "xlmr-base", "task": "ner", "run": f"lr{rate}-b16-s{seed}"})
        for rate in ("1e-05", "2e-05")
        for seed in (1, 2, 3)
    ]
    plan = estimate.estimate(paper, found, {}, {})
    assert plan.kept_mb == pytest.approx(plan.peak_mb / 2)


def test_small_models_stay_on_the_cpu(root: Path) -> None:
    config = load_config(root / "config.yaml", {"scale": "mini"})
    job = jobs.Job("pretrain", {"model": "mluke-mini", "stage": "stage2"}, [], ["a"])
    plan = estimate.estimate(config, [job], {"pretrain": rates.Rate(0, 1.0)}, {"A100": 100.0})
    assert plan.tflop == 0
    assert plan.stages["pretraining"].core_hours > 0


def test_memory_is_what_a_job_needs(root: Path, paper: dict[str, Any]) -> None:
    resources = {"mem_mb": "32000"}
    mini = load_config(root / "config.yaml", {"scale": "mini"})
    job = jobs.Job("pretrain", {"model": "mluke-mini", "stage": "stage2"}, resources=resources)
    assert estimate.memory_mb(mini, job) < 2_000
    job = jobs.Job("pretrain", {"model": "mluke-large", "stage": "stage2"}, resources=resources)
    assert estimate.memory_mb(paper, job) > 14_000


def test_warnings(paper: dict[str, Any], tmp_path: Path) -> None:
    config = paper | {"results": str(tmp_path / "results")}
    plan = estimate.estimate(config, [jobs.Job("extract", {"lang": "sw", "part": "0"})], {}, {})
    assert report.warnings(config, plan, local=True) == []
    plan.disk_mb["downloads"] = 1e12
    plan.memory_mb = 10**9
    assert len(report.warnings(config, plan, local=True)) == 2
    # Elsewhere the scheduler knows the memory.
    assert len(report.warnings(config, plan, local=False)) == 1


def test_configuration_of_the_command_line(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (tmp_path / "mine.yaml").write_text("scale: base24\nseed: 7\n")
    config = configuration(
        ["--configfile", f"{tmp_path}/mine.yaml", "--config", "seed=9", "table3"]
    )
    assert (config["scale"], config["seed"]) == ("base24", 9)


def test_mistakes_are_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    assert main(["--config", "scale=papr"]) == 1
    assert "Did you mean 'paper'" in capsys.readouterr().err
    assert main(["--gpu-tflops", "A100=fast"]) == 1
    assert "expected NAME=NUMBER" in capsys.readouterr().err
