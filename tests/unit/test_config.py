"""The configuration: overlays, precedence, and a clear message for every kind of mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mluke_core import config as configuration
from mluke_core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config.yaml"
SCALES = ["mini", "sample", "base24", "paper"]


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_is_valid(scale: str) -> None:
    config = configuration.load_config(CONFIG, {"scale": scale})
    assert config["scale"] == scale
    assert config["run"]["systems"]


def test_overlay_is_laid_over_the_base() -> None:
    mini = configuration.load_config(CONFIG, {"scale": "mini"})
    paper = configuration.load_config(CONFIG, {"scale": "paper"})
    assert mini["mirror"] == configuration.MINIATURE
    assert paper["mirror"] is None
    assert len(paper["run"]["languages"]) == 24
    assert mini["vocabulary"]["minimum_languages"] == paper["vocabulary"]["minimum_languages"]


def test_the_user_wins_over_the_scale() -> None:
    config = configuration.load_config(
        CONFIG, {"scale": "mini", "mirror": "elsewhere", "vocabulary": {"size": 7}}
    )
    assert config["mirror"] == "elsewhere"
    assert config["vocabulary"]["size"] == 7


def test_nested_values_of_the_command_line_arrive_as_texts() -> None:
    config = configuration.load_config(
        CONFIG,
        {
            "scale": "sample",
            "tasks": {"qa": {"epochs": "3", "grid": {"learning_rate": ["0.5"]}}},
            "pretraining": {"zero_stage": "2", "bias_correction": "true"},
            "sources": {"conll2003": {"local": "null", "version": "2003"}},
            "tables": {"table2": {"models": "null"}},
        },
    )
    assert config["tasks"]["qa"]["epochs"] == 3
    assert config["tasks"]["qa"]["grid"]["learning_rate"] == [0.5]
    assert config["pretraining"]["zero_stage"] == 2
    assert config["pretraining"]["bias_correction"] is True
    assert config["tables"]["table2"]["models"] is None
    assert config["sources"]["conll2003"] == config["sources"]["conll2003"] | {
        "local": None,
        "version": "2003",
    }


def test_a_date_on_the_command_line_arrives_as_a_number() -> None:
    config = configuration.load_config(CONFIG, {"dump_date": 20251101})
    assert config["dump_date"] == "20251101"
    with pytest.raises(ConfigError, match="dump_date"):
        configuration.load_config(CONFIG, {"dump_date": 2025})


def test_a_scale_of_the_users_own() -> None:
    config = configuration.load_config(
        CONFIG, {"scale": "mine", "scales": {"mine": {"run": {"languages": ["sw", "te"]}}}}
    )
    assert config["run"]["languages"] == ["sw", "te"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"scale": "minni"}, ["unknown scale 'minni'", "Did you mean 'mini'", "sample"]),
        ({"vocabulary": {"sise": 1}}, ["'vocabulary.sise'", "Did you mean 'size'"]),
        ({"misspelt": 1}, ["unknown key 'misspelt'", "Known keys here"]),
        ({"run": {"languages": ["xx"]}}, ["run.languages", "'xx' is not in 'languages'"]),
        ({"run": {"languages": [False]}}, ['Put it in quotes: "no"']),
        ({"run": {"systems": ["mluke-e-bse"]}}, ["Did you mean 'mluke-e-base'"]),
        ({"run": {"tables": ["table7"]}}, ["run.tables", "'table7'"]),
        ({"seed": "a"}, ["seed: expected integer", "'a'"]),
        ({"dump_date": "2020-12-01"}, ["dump_date", "YYYYMMDD"]),
        (
            {"tasks": {"qa": {"grid": {"learning_rate": ["2e-5"]}}}},
            ["tasks.qa.grid.learning_rate.0", "Write 2.0e-5"],
        ),
        ({"corpus": {"extractor": "wikiextracter"}}, ["Did you mean 'wikiextractor'"]),
        ({"systems": {"xlmr-mini": {"inputs": "entity"}}}, ["xlmr-mini", "has no entities"]),
        ({"models": {"mluke-mini": {"base": "nothing"}}}, ["models.mluke-mini.base"]),
        (
            {"models": {"mluke-mini": {"stages": {"stage3": {}}}}},
            ["unknown stage 'stage3'", "stage1"],
        ),
        (
            {"pretraining": {"stages": {"stage1": {"batch_size": 33, "micro_batch_size": 2}}}},
            ["not a multiple"],
        ),
        (
            {
                "tables": {
                    "table1": {
                        "blocks": [{"label": "a", "test": "b", "metric": "c", "published": "d"}]
                    }
                }
            },
            ["tables.table1.blocks.0.test", "neither a test of a task nor a probe"],
        ),
    ],
)
def test_mistakes_are_named_with_what_to_write(overrides: dict, expected: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        configuration.load_config(CONFIG, overrides)
    message = str(caught.value)
    assert "config.yaml" in message
    for text in expected:
        assert text in message


def test_every_mistake_is_listed_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        configuration.load_config(CONFIG, {"sead": 1, "vocabulary": {"sise": 1}})
    assert len(str(caught.value).splitlines()) == 2


def test_a_mirror_must_exist(tmp_path: Path) -> None:
    config = configuration.load_config(CONFIG, {"scale": "sample", "results": str(tmp_path)})
    configuration.check_folders(config | {"mirror": "https://mirror.example"})
    configuration.check_folders(config | {"mirror": str(tmp_path)})
    with pytest.raises(ConfigError, match="there is no folder"):
        configuration.check_folders(config | {"mirror": str(tmp_path / "nowhere")})


def test_results_must_be_a_folder(tmp_path: Path) -> None:
    config = configuration.load_config(CONFIG, {"scale": "mini"})
    configuration.check_folders(config | {"results": str(tmp_path / "new" / "folder")})
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="not a folder that can be written"):
        configuration.check_folders(config | {"results": str(tmp_path / "file")})


def test_duplicate_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("seed: 1\nseed: 2\n")
    with pytest.raises(ConfigError, match="line 2: key 'seed' is given twice"):
        configuration.read_yaml(path)


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        configuration.read_yaml(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        configuration.read_yaml(broken)


def test_merge_leaves_its_arguments_alone() -> None:
    base = {"a": {"b": 1}}
    overlay = {"a": {"c": [1]}}
    merged = configuration.merge(base, overlay)
    merged["a"]["c"].append(2)
    assert base == {"a": {"b": 1}}
    assert overlay == {"a": {"c": [1]}}


def test_runs_are_grid_times_seeds() -> None:
    config = configuration.load_config(CONFIG, {"scale": "paper"})
    runs = configuration.runs(config, "qa")
    assert len(runs) == 3 * 2 * 3
    assert runs["lr2e-05-b32-s1"] == {"learning_rate": 2e-5, "batch_size": 32, "seed": 1}


def test_source_files_fill_in_urls() -> None:
    config = configuration.load_config(
        CONFIG, {"scale": "paper", "sources": {"relx": {"sha256": {"RELX_de.txt": "0" * 64}}}}
    )
    files = {entry["name"]: entry for entry in configuration.source_files(config, "relx")}
    assert len(files) == 5
    assert files["RELX_de.txt"]["sha256"] == "0" * 64
    assert files["RELX_de.txt"]["urls"][0].startswith("https://")


def test_wikidata_has_the_dates_it_is_made_at_and_an_archive_behind_the_server() -> None:
    config = configuration.load_config(CONFIG, {"scale": "paper"})
    (table,) = configuration.source_files(config, "wikidata_sql")
    assert table["name"] == "wikidatawiki-20201201-wb_items_per_site.sql.gz"
    assert table["urls"] == [
        f"https://dumps.wikimedia.org/wikidatawiki/20201201/{table['name']}",
        f"https://archive.org/download/wikidatawiki-20201201/{table['name']}",
    ]
    (items,) = configuration.source_files(config, "wikidata_json")
    assert items["name"] == "wikidata-20201130-all.json.bz2"
    assert items["urls"] == [
        f"https://dumps.wikimedia.org/wikidatawiki/entities/20201130/{items['name']}",
        f"https://archive.org/download/wikibase-wikidatawiki-20201130/{items['name']}",
    ]
    for name, file in (("wikidata_sql", table), ("wikidata_json", items)):
        # The list of digests stands beside the file at each of its addresses.
        checksums = configuration.source_checksums(config, name)["checksums"]
        assert [url.rpartition("/")[0] for url in checksums] == [
            url.rpartition("/")[0] for url in file["urls"]
        ]
        assert all(url.endswith("-sha1sums.txt") for url in checksums)
    assert configuration.source_checksums(config, "relx") == {}


def test_licensed_sources() -> None:
    config = configuration.load_config(CONFIG, {"scale": "paper"})
    assert configuration.is_available(config, "conll2003")
    assert not configuration.is_available(config, "conll2003_de")
    assert "set sources.conll2003_de.local" in configuration.unavailable_reason(
        config, "conll2003_de"
    )


def test_the_documentation_names_every_top_level_key() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    schema = yaml.safe_load(configuration.SCHEMA_FILE.read_text(encoding="utf-8"))
    for key, entry in schema["properties"].items():
        assert f"`{key}`" in text, key
        for inner in entry.get("properties", {}) if key not in ("tasks", "probes") else {}:
            assert f"`{inner}`" in text, f"{key}.{inner}"
