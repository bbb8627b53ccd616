"""Configuration, names and small helpers that every rule file uses."""

import gc
import json
import os
import shlex
import sys
from pathlib import Path

from mluke_core import config as settings_of
from mluke_core.config import MINIATURE
from mluke_core.errors import ConfigError, MlukeError
from mluke_core.io import run_lock
from mluke_core.io.lifeline import announce_run
from mluke_core.versions import STAGE_VERSIONS

# A plan is millions of objects that all stay: looking through them for garbage finds nothing and takes
# long. `onstart` goes back to normal before the first job.
gc.disable()

# No `configfile:`: Snakemake's own `config` then holds exactly what the user gave on top, and that
# wins over the scale's overlay.
try:
    CONFIG = settings_of.load_config("config.yaml", config)
    settings_of.check_folders(CONFIG)
except ConfigError as error:
    sys.exit(f"The configuration needs mending:\n{error}")

# Steps are run by the interpreter that runs Snakemake, whatever `python` means outside.
shell.prefix(
    f"set -euo pipefail; export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; "
)
R = f"{CONFIG['results']}/{CONFIG['scale']}"
ENVIRONMENT = "../envs/mluke.yaml"
announce_run(Path(R) / run_lock.STEPS_LOCK)

LANGUAGES = CONFIG["run"]["languages"]
SYSTEMS = {name: CONFIG["systems"][name] for name in CONFIG["run"]["systems"]}
TABLES = CONFIG["run"]["tables"]
TASKS = CONFIG["tasks"]
TASK_OF = settings_of.tests(CONFIG)
PROBES = CONFIG["probes"]
RUNS = {task: settings_of.runs(CONFIG, task) for task in TASKS}

# Tasks whose training data is there; the others need a licensed source the user does not have.
ACTIVE_TASKS = [
    name
    for name, task in TASKS.items()
    if all(settings_of.is_available(CONFIG, task[split]["source"]) for split in ("train", "dev"))
]

# A mirror may hold other bytes under the same address, so what came from one stays with its scale.
DOWNLOADS = f"{R}/downloads" if CONFIG["mirror"] else f"{CONFIG['results']}/downloads"
MIRROR = f"{R}/mirror" if CONFIG["mirror"] == MINIATURE else CONFIG["mirror"]
MIRROR_READY = [f"{R}/mirror/SHA256SUMS"] if CONFIG["mirror"] == MINIATURE else []


def one_snakemake(folder):
    """Refuse to start beside another Snakemake that works on the same results."""
    try:
        run_lock.take_run_lock(Path(folder))
    except MlukeError as error:
        raise WorkflowError(str(error))


def needed_models():
    """Models of the run's systems and, through `base`, those they are trained from."""
    found = {}
    waiting = [system["model"] for system in SYSTEMS.values()]
    while waiting:
        name = waiting.pop()
        if name not in found:
            model = found[name] = CONFIG["models"][name]
            if model["pretrained"] == "dag":
                waiting.append(model["base"])
    return found


MODELS = needed_models()
TRAINED = [name for name, model in MODELS.items() if model["pretrained"] == "dag"]
IMPORTED = [name for name, model in MODELS.items() if model["pretrained"] == "hub"]
INITIALIZED = [name for name, model in MODELS.items() if model["pretrained"] == "random"]


def one_of(names):
    """A wildcard's regular expression that matches exactly `names`, and nothing if there are none."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


wildcard_constraints:
    lang=one_of(CONFIG["languages"]),
    part=r"\d+",
    source=one_of(CONFIG["sources"]),
    tokenizer=one_of(CONFIG["tokenizers"]),
    model=one_of(CONFIG["models"]),
    stage=one_of(CONFIG["pretraining"]["stages"]),
    system=one_of(CONFIG["systems"]),
    task=one_of(TASKS),
    test=one_of(TASK_OF),
    run=r"lr[0-9.e-]+-b\d+-s\d+",
    table=one_of(CONFIG["tables"]),


def settings(**values):
    """A step's settings as the JSON text of its `--settings`; a change of it re-runs the step."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


def parts(lang):
    """Numbers of a language's parts, as they stand in file names: 000, 001, ..."""
    return [f"{part:03d}" for part in range(CONFIG["languages"][lang]["parts"])]


def pages_of(lang):
    return [f"{R}/pages/{lang}/{part}.parquet" for part in parts(lang)]


def per_language(pattern, languages=None):
    """`lang=path` arguments of a step that reads one file per language."""
    return [f"{lang}={pattern.format(lang=lang)}" for lang in languages or LANGUAGES]


def source_manifest(name):
    return f"{R}/sources/{name}.json"


def source_arguments(names):
    """`name=manifest` arguments for the sources that are available."""
    return [f"{name}={source_manifest(name)}" for name in names]


def paths_in(arguments):
    """The paths of NAME=PATH arguments, for a rule's input."""
    return [argument.split("=", 1)[1] for argument in arguments]


def wikidata_source():
    return f"wikidata_{CONFIG['alignment']['sitelinks']}"
