"""Load, overlay and check the configuration.

Order, later wins: `config.yaml`, the overlay `scales.<scale>`, then what the user gave with
`--configfile` and `--config`. Every problem found is listed in one :class:`ConfigError`, each with
the key, the file and what to write instead. Imports nothing heavy: the Snakefile reads it in every
job.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from mluke_core.config_notes import quoted_keys, setting
from mluke_core.errors import ConfigError

Config = dict[str, Any]

SCHEMA_FILE = Path(__file__).with_name("config_schema.yaml")
# `mirror: miniature` makes the miniature world and reads it as the mirror.
MINIATURE = "miniature"


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, which would silently drop the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise ConfigError(
                    f"{self.name}, line {key_node.start_mark.line + 1}: "
                    f"key '{key}' is given twice. Keep one of them."
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> Config:
    """Read one YAML file that holds a mapping."""
    try:
        with open(path, encoding="utf-8") as stream:
            loader = _Loader(stream)
            try:
                value = loader.get_single_data()
            finally:
                loader.dispose()
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file. Run from the folder that holds config.yaml."
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, found {type(value)}.")
    return value


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> Config:
    """`base` with `overlay` laid over it: mappings key by key, everything else replaced.

    >>> merge({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]})
    {'a': {'b': 3, 'c': 2}, 'd': [2]}
    """
    merged = dict(base)
    for key, value in overlay.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def load_config(
    path: str | Path = "config.yaml", overrides: Mapping[str, Any] | None = None
) -> Config:
    """The resolved and checked configuration.

    Args:
        path: the project's `config.yaml`.
        overrides: what the user gave on top; wins over the scale's overlay.

    Raises:
        ConfigError: lists every problem with its key and what to write instead.
    """
    overrides = _without_null_texts(overrides or {})
    full = merge(read_yaml(path), overrides)
    scales = full.get("scales") or {}
    scale = full.get("scale")
    if scale not in scales:
        raise ConfigError(
            f"{path}: scale: unknown scale '{scale}'.{_suggestion(str(scale), scales)} "
            f"Known scales: {', '.join(scales)}. Write your own under 'scales'."
        )
    config = merge(merge(full, scales[scale]), overrides)
    _read_texts(config, overrides)
    problems = list(_schema_problems(config)) or list(_reference_problems(config))
    if problems:
        where = f"{path} (with scale '{scale}')"
        raise ConfigError("\n".join(f"{where}: {problem}" for problem in problems))
    return config


def _without_null_texts(value: Any) -> Any:
    """`value` with every text `null` replaced by None: Snakemake reads nested values as texts."""
    if isinstance(value, Mapping):
        return {key: _without_null_texts(inner) for key, inner in value.items()}
    return None if value == "null" else value


def _read_texts(config: Config, overrides: Mapping[str, Any]) -> None:
    """Read as YAML those texts of `overrides` that stand where the schema wants another type.

    ``--config 'tasks={qa: {epochs: 3}}'`` gives the text "3"; whether it is a number is for the
    schema to say. The other way round, ``dump_date=20251101`` is a text.
    """
    for error in list(_validator().iter_errors(config)):
        *parents, key = error.absolute_path or [None]
        if not _has_path(overrides, [*parents, key]):
            continue
        holder = config
        for parent in parents:
            holder = holder[parent]
        if isinstance(error.instance, str):
            value = yaml.safe_load(error.instance)
            if isinstance(value, bool | int | float):
                holder[key] = value
        elif error.validator_value == "string" and type(error.instance) is int:
            holder[key] = str(error.instance)


def _has_path(value: Any, path: list[Any]) -> bool:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(read_yaml(SCHEMA_FILE))


def _suggestion(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _schema_problems(config: Config) -> Iterator[str]:
    for error in sorted(
        _validator().iter_errors(config), key=lambda error: list(map(str, error.path))
    ):
        yield from _explain(error)


def _explain(error: Any) -> Iterator[str]:
    path = ".".join(map(str, error.absolute_path))
    key = f"{path}: " if path else ""
    value = error.instance
    match error.validator:
        case "additionalProperties" if error.schema.get("properties"):
            known = error.schema["properties"]
            for name in value:
                if name not in known:
                    full = f"{path}.{name}" if path else str(name)
                    yield (
                        f"unknown key '{full}'.{_suggestion(str(name), known)} "
                        f"Known keys here: {', '.join(known)}."
                    )
        case "required":
            missing = [name for name in error.validator_value if name not in value]
            yield f"{key}the key {', '.join(map(repr, missing))} is missing."
        case "type":
            yield f"{key}{_type_advice(value, error.validator_value)}"
        case "enum":
            choices = [str(choice) for choice in error.validator_value]
            hint = _suggestion(str(value), choices)
            yield f"{key}'{value}' is not one of: {', '.join(choices)}.{hint}"
        case "pattern" if error.validator_value == "^[0-9]{8}$":
            yield f"{key}'{value}' is not a date. Write it as \"YYYYMMDD\", in quotes."
        case "oneOf":
            yield f"{key}{value!r} is not allowed. Write a whole number of at least 1, or null."
        case _:
            yield f"{key}{error.message}."


def _type_advice(value: Any, expected: str | list[str]) -> str:
    names = " or ".join([expected] if isinstance(expected, str) else expected)
    if isinstance(value, str) and "number" in names and re.fullmatch(r"\d+e-?\d+", value):
        mantissa, exponent = value.split("e")
        return f"YAML reads {value} as a string. Write {mantissa}.0e{exponent}."
    if isinstance(value, bool) and "string" in names:
        word = "no" if value is False else "yes"
        return f'YAML reads {word} as {str(value).lower()}. Put it in quotes: "{word}".'
    return f"expected {names}, found {value!r} ({type(value).__name__})."


def _reference_problems(config: Config) -> Iterator[str]:
    """Names that point nowhere, and combinations that make no sense."""

    def check(name: str | None, registry: str, key: str) -> Iterator[str]:
        if name is not None and name not in config[registry]:
            known = config[registry]
            yield (
                f"{key}: '{name}' is not in '{registry}'.{_suggestion(str(name), known)} "
                f"Known: {', '.join(known)}."
            )

    for kind in ("languages", "systems", "tables"):
        for name in config["run"][kind]:
            yield from check(name, kind, f"run.{kind}")
    for name, source in config["sources"].items():
        if "urls" not in source and "files" not in source:
            yield f"sources.{name}: give 'urls', or 'local' and 'files' for data of your own."
    for name, tokenizer in config["tokenizers"].items():
        yield from check(tokenizer["source"], "sources", f"tokenizers.{name}.source")
    for name, model in config["models"].items():
        key = f"models.{name}"
        yield from check(model["tokenizer"], "tokenizers", f"{key}.tokenizer")
        yield from check(model.get("base"), "models", f"{key}.base")
        yield from check(model.get("source"), "sources", f"{key}.source")
        needed = {
            "hub": ("source",),
            "dag": ("base", "objective", "stages"),
            "random": ("architecture",),
        }[model["pretrained"]]
        for field in needed:
            if field not in model:
                yield f"{key}: 'pretrained: {model['pretrained']}' needs the key '{field}'."
        if model["pretrained"] != "dag":
            continue
        for stage in model.get("stages", {}):
            if stage not in config["pretraining"]["stages"]:
                yield (
                    f"{key}.stages: unknown stage '{stage}'. "
                    f"Known: {', '.join(config['pretraining']['stages'])}."
                )
        if model["tokenizer"] != config["pretraining"]["tokenizer"]:
            yield (
                f"{key}.tokenizer: '{model['tokenizer']}' is not the tokenizer of the sequences, "
                f"'{config['pretraining']['tokenizer']}' (pretraining.tokenizer)."
            )
    for name, system in config["systems"].items():
        yield from check(system["model"], "models", f"systems.{name}.model")
        model = config["models"].get(system["model"], {})
        word_only = model.get("pretrained") == "random" or model.get("objective") == "mlm"
        if system["inputs"] == "entity" and word_only:
            yield (
                f"systems.{name}.inputs: model '{system['model']}' has no entities. "
                "Write 'inputs: word', or choose a model with 'objective: luke'."
            )
    for task_name, task in config["tasks"].items():
        key = f"tasks.{task_name}"
        for split in ("train", "dev"):
            yield from check(task[split]["source"], "sources", f"{key}.{split}.source")
        for test_name, test in task["tests"].items():
            yield from check(test.get("source"), "sources", f"{key}.tests.{test_name}.source")
            for column, entry in test.get("files", {}).items():
                yield from check(
                    entry["source"], "sources", f"{key}.tests.{test_name}.files.{column}.source"
                )
            if "source" not in test and set(test.get("files", {})) != set(test["columns"]):
                yield f"{key}.tests.{test_name}: give 'source', or one entry of 'files' per column."
    known_tests = [*tests(config), *config["probes"]]
    for name, table in config["tables"].items():
        for index, block in enumerate(table.get("blocks", [])):
            if block["test"] not in known_tests:
                yield (
                    f"tables.{name}.blocks.{index}.test: '{block['test']}' is neither a test of a "
                    f"task nor a probe. Known: {', '.join(known_tests)}."
                )
        for index, note in enumerate(table.get("notes", [])):
            for key in quoted_keys(note):
                try:
                    setting(config, key)
                except KeyError:
                    yield (
                        f"tables.{name}.notes.{index}: there is no key '{key}' to quote. Write "
                        "{key} for one that exists, with dots."
                    )
    stages = config["pretraining"]["stages"]
    for name, stage in stages.items():
        if stage["batch_size"] % stage["micro_batch_size"]:
            yield (
                f"pretraining.stages.{name}.batch_size: {stage['batch_size']} is not a multiple of "
                f"micro_batch_size {stage['micro_batch_size']}."
            )


def check_folders(config: Config) -> None:
    """Refuse a mirror that is not there and a results folder that cannot be written.

    Raises:
        ConfigError: before the first job, instead of once per download or output.
    """
    mirror = config["mirror"]
    if mirror and mirror != MINIATURE and "://" not in mirror and not Path(mirror).is_dir():
        raise ConfigError(
            f"mirror: there is no folder '{mirror}'. Give a folder or base URL laid out as "
            "<host>/<path>, or null for the public servers."
        )
    results = Path(config["results"]).absolute()
    existing = next(folder for folder in (results, *results.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(
            f"results: '{existing}' is not a folder that can be written. "
            "Choose another with --config results=FOLDER."
        )


def tests(config: Config) -> dict[str, str]:
    """Test collection -> its task."""
    return {test: task for task, entry in config["tasks"].items() for test in entry["tests"]}


def run_name(learning_rate: float, batch_size: int, seed: int) -> str:
    """Name of a fine-tuning run, used as folder name.

    >>> run_name(2e-5, 32, 1)
    'lr2e-05-b32-s1'
    """
    return f"lr{learning_rate:g}-b{batch_size}-s{seed}"


def runs(config: Config, task: str) -> dict[str, dict[str, Any]]:
    """All runs of a task's search: every grid point with every seed, by run name."""
    entry = config["tasks"][task]
    grid = entry["grid"]
    return {
        run_name(rate, batch, seed): {"learning_rate": rate, "batch_size": batch, "seed": seed}
        for rate, batch, seed in itertools.product(
            grid["learning_rate"], grid["batch_size"], entry["seeds"]
        )
    }


def source_files(config: Config, name: str) -> list[dict[str, Any]]:
    """The files of a source, URLs filled in: ``[{"urls": [...], "name": ..., "sha256"?: ...}]``."""
    source = config["sources"][name]
    pins = source.get("sha256", {})
    expansions = source.get("expand", {})
    files = []
    for values in itertools.product(*expansions.values()):
        fields = {**_dates(config), **dict(zip(expansions, values, strict=True))}
        urls = [url.format(**fields) for url in source["urls"]]
        file_name = urls[0].rsplit("/", 1)[-1]
        files.append(
            {"urls": urls, "name": file_name}
            | ({"sha256": pins[file_name]} if file_name in pins else {})
        )
    return files


def source_checksums(config: Config, name: str) -> dict[str, list[str]]:
    """``checksums`` of a source, dates filled in; empty where it has none."""
    urls = config["sources"][name].get("checksums")
    return {"checksums": [url.format(**_dates(config)) for url in urls]} if urls else {}


def source_version(config: Config, name: str) -> str:
    """The version of a source, dates filled in."""
    version: str = config["sources"][name]["version"]
    return version.format(**_dates(config))


def _dates(config: Config) -> dict[str, str]:
    """What stands for ``{date}`` and ``{wikidata_date}`` in a source."""
    return {"date": config["dump_date"], "wikidata_date": config["wikidata_date"]}


def is_available(config: Config, source: str) -> bool:
    """False for a licensed source that the user has not pointed to a folder of their own."""
    entry = config["sources"][source]
    return "urls" in entry or bool(entry.get("local"))


def unavailable_reason(config: Config, source: str) -> str:
    """Why a source is not available, for the note under a table."""
    return (
        f"{source}: {config['sources'][source]['licence']}; set sources.{source}.local to your copy"
    )
