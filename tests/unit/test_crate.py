from __future__ import annotations

import json
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from mluke_core.io.files import write_json
from mluke_core.reporting.crate import CRATE_FILE, crate_metadata
from mluke_core.reporting.energy import energy_estimate, joules, read_counters
from mluke_core.reporting.provenance import provenance
from mluke_core.reporting.resources import disk_use, read_benchmarks
from tests.reporting_world import DATA, config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder with two tables and its crate."""
    made_from = provenance(
        config(),
        sorted(DATA.glob("sources/*.json")),
        sorted(DATA.glob("dumps/*.json")),
        read_benchmarks(DATA / "benchmarks"),
    )
    for name in ("table1.csv", "table3.html"):
        path = tmp_path / "tables" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("content")
    results = sorted(tmp_path.glob("tables/*"))
    titles = {"table3": "Table 3: <b>RELX</b>"}
    write_json(tmp_path / CRATE_FILE, crate_metadata(made_from, tmp_path, results, titles))
    return tmp_path


def test_the_crate_is_read_back_by_its_library(folder: Path) -> None:
    crate = ROCrate(folder)
    assert crate.root_dataset["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.5"
    assert {file.id for file in crate.data_entities} == {"tables/table1.csv", "tables/table3.html"}
    assert crate.get("tables/table3.html")["name"] == "Table 3: <b>RELX</b>"
    action = crate.get("#run")
    assert action.type == "CreateAction"
    assert {result.id for result in action["result"]} == {"tables/table1.csv", "tables/table3.html"}
    assert len(action["instrument"]["softwareVersion"]) == 40
    relx = next(item for item in action["object"] if item.id.startswith("#relx/"))
    assert len(relx["sha256"]) == 64 and relx["url"].startswith("https://")


def test_the_crate_names_no_local_path(folder: Path) -> None:
    text = (folder / CRATE_FILE).read_text()
    assert str(folder) not in text
    assert json.loads(text)["@context"] == "https://w3id.org/ro/crate/1.1/context"


def powercap(folder: Path, energies: list[int]) -> Path:
    for number, energy in enumerate(energies):
        package = folder / f"intel-rapl:{number}"
        package.mkdir(parents=True, exist_ok=True)
        (package / "name").write_text(f"package-{number}\n")
        (package / "energy_uj").write_text(f"{energy}\n")
        (package / "max_energy_range_uj").write_text("262143328850\n")
    dram = folder / "intel-rapl:0:0"
    dram.mkdir(exist_ok=True)
    (dram / "name").write_text("dram\n")
    return folder


def test_energy_is_estimated_from_the_counters(tmp_path: Path) -> None:
    root = powercap(tmp_path, [1_000_000, 5_000_000])

    def wait(seconds: float) -> None:
        powercap(root, [11_000_000, 5_000_000])

    def work(seconds: float) -> None:
        powercap(root, [36_000_000, 5_000_000])

    # 10 J when idle, 25 J with a busy core: 15 W for 7200 CPU seconds.
    found = energy_estimate(7200.0, root, wait, work)
    assert found["watts_per_core"] == 15
    assert found["kwh"] == pytest.approx(0.03)


def test_without_counters_the_reason_stands_there(tmp_path: Path) -> None:
    assert read_counters(tmp_path) == {}
    found = energy_estimate(10.0, tmp_path)
    assert found["kwh"] is None and "no energy counter" in found["reason"]
    assert energy_estimate(None, powercap(tmp_path, [1]))["kwh"] is None


def test_a_counter_that_starts_again(tmp_path: Path) -> None:
    before = read_counters(powercap(tmp_path, [262_143_000_000]))
    after = read_counters(powercap(tmp_path, [1_000_000]))
    assert joules(before, after) == pytest.approx(1.32885)


def test_disk_use_counts_files_once_and_no_links(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.csv").write_bytes(b"x" * 100)
    (tmp_path / "pages" / "en").mkdir(parents=True)
    (tmp_path / "pages" / "en" / "0.parquet").write_bytes(b"x" * 300)
    (tmp_path / "link").symlink_to(tmp_path / "pages")
    (tmp_path / "report.html").write_bytes(b"x")
    assert disk_use(tmp_path) == {
        "bytes": 401,
        "folders": {"pages": 300, "tables": 100, "report.html": 1, "link": 0},
    }
