"""What each rule reads and which settings it gets, worked out from the configuration."""

MLAMA_SOURCES = PROBES["mlama"]["sources"]

# G-XLT's average over all 49 pairs needs the 7 of MLQA, where question and context share a language.
DIAGONAL_OF = {"gxlt": "mlqa"}

QA_SOURCES = sorted(
    {TASKS["qa"]["train"]["source"], TASKS["qa"]["dev"]["source"]}
    | {test["source"] for test in TASKS["qa"]["tests"].values()}
)
# Articles that questions were asked about: English for SQuAD and XQuAD, the context's language
# for MLQA.
QA_LANGUAGES = [
    lang
    for lang in LANGUAGES
    if lang == "en" or any(lang in test["columns"] for test in TASKS["qa"]["tests"].values())
]


def download_settings(name):
    source = CONFIG["sources"][name]
    shared = dict(
        name=name,
        version=settings_of.source_version(CONFIG, name),
        licence=source["licence"],
    )
    if source.get("local"):
        return dict(
            shared, local=source["local"], files=[{"name": file} for file in source["files"]]
        )
    return dict(
        shared,
        files=settings_of.source_files(CONFIG, name),
        unpack=source.get("unpack", False),
        mirror=MIRROR,
        contact=CONFIG["contact"],
        **settings_of.source_checksums(CONFIG, name),
    )


def parts_of(lang, pattern):
    """A file for each part of a language."""
    return [pattern.format(lang=lang, part=part) for part in parts(lang)]


def tokenizer_of(wildcards):
    return f"{R}/tokenizers/{CONFIG['models'][wildcards.model]['tokenizer']}"


def stages_of(model):
    return list(CONFIG["models"][model]["stages"])


def previous_stage(wildcards):
    """The folder of the stage before this one, or nothing for the first."""
    stages = stages_of(wildcards.model)
    if wildcards.stage not in stages:
        raise ValueError(
            f"Model {wildcards.model} has no stage {wildcards.stage}; it has {', '.join(stages)}."
        )
    index = stages.index(wildcards.stage)
    return [f"{R}/pretraining/{wildcards.model}/{stages[index - 1]}"] if index else []


def stage_settings(wildcards):
    model = CONFIG["models"][wildcards.model]
    shared = {key: value for key, value in CONFIG["pretraining"].items() if key != "stages"}
    for key in ("nodes", "processes_per_node", "threads", "alpha", "tokenizer"):
        del shared[key]
    return settings(
        model=wildcards.model,
        objective=model["objective"],
        stage=wildcards.stage,
        seed=CONFIG["seed"],
        **shared,
        **CONFIG["pretraining"]["stages"][wildcards.stage] | model["stages"][wildcards.stage],
    )


def model_of(wildcards):
    return f"{R}/pretrained/{CONFIG['systems'][wildcards.system]['model']}"


def qa_languages(columns):
    """Languages of the run among `columns`, English first: their mention tables are needed."""
    return ["en", *(lang for lang in columns if lang != "en" and lang in LANGUAGES)]


def mention_inputs(system, task, languages):
    """Mention tables, which only entity inputs of question answering need."""
    if task != "qa" or CONFIG["systems"][system]["inputs"] != "entity":
        return {}
    return {
        "article_mentions": f"{R}/mentions/articles.parquet",
        "mentions": [f"{R}/mentions/{lang}.parquet" for lang in languages if lang in LANGUAGES],
    }


def mention_arguments(system, task, languages):
    """The same files as command-line arguments."""
    inputs = mention_inputs(system, task, languages)
    if not inputs:
        return []
    tables = per_language(
        f"{R}/mentions/{{lang}}.parquet", [l for l in languages if l in LANGUAGES]
    )
    return ["--article-mentions", inputs["article_mentions"], "--mentions", *tables]


# Options that say nothing to a system with word inputs.
ENTITY_OPTIONS = {"qa": ("mentions", "maximum_entities"), "ner": ("entity_features",)}

# Options of test sets alone: what a run learns, and its dev scores, do not depend on them.
TEST_OPTIONS = {"qa": ("window_score",)}


def task_settings(system, task, training):
    """Inputs, options and mentions of a system's task: what its inputs are made with."""
    inputs = CONFIG["systems"][system]["inputs"]
    left_out = ENTITY_OPTIONS.get(task, ()) if inputs == "word" else ()
    if training:
        left_out += TEST_OPTIONS.get(task, ())
    options = {key: value for key, value in TASKS[task]["options"].items() if key not in left_out}
    chosen = dict(task=task, inputs=inputs, options=options)
    if mention_inputs(system, task, ["en"]):
        chosen["mentions"] = CONFIG["mentions"]
    return chosen


# Nearly all jobs of a large plan are of this rule, and each function of a rule is called for every
# job: one function for all inputs and one for all arguments.
def finetune_inputs(wildcards):
    """Model, training data, and mention tables where the inputs are entities of questions."""
    return dict(
        model=model_of(wildcards),
        sources=[source_manifest(name) for name in training_sources(wildcards.task)],
        **mention_inputs(wildcards.system, wildcards.task, ["en"]),
    )


def finetune_arguments(wildcards):
    """What a run is made with, as command-line arguments: settings, sources, mention tables."""
    return [
        "--settings",
        finetune_settings(wildcards),
        "--sources",
        *source_arguments(training_sources(wildcards.task)),
        *mention_arguments(wildcards.system, wildcards.task, ["en"]),
    ]


def training_sources(task):
    """Names of the sources of a task's training and dev data."""
    return sorted({TASKS[task][split]["source"] for split in ("train", "dev")})


def finetune_settings(wildcards):
    task = TASKS[wildcards.task]
    options = ("train", "dev", "epochs", "gradient_clipping", "maximum_steps")
    general = ("precision", "weight_decay", "warmup_share", "micro_batch_size", "patience")
    if CONFIG["finetuning"]["patience"] is not None:
        options += ("metric",)
    return settings(
        system=wildcards.system,
        run=dict(RUNS[wildcards.task][wildcards.run], name=wildcards.run),
        maximum_examples=task["maximum_examples"],
        evaluation_interval=task["evaluation_interval"],
        finetuning={key: CONFIG["finetuning"][key] for key in general},
        **{key: task[key] for key in options},
        **task_settings(wildcards.system, wildcards.task, training=True),
    )


def test_entry(wildcards):
    return TASKS[TASK_OF[wildcards.test]]["tests"][wildcards.test]


def test_sources(wildcards):
    """The sources of a test collection that are available."""
    test = test_entry(wildcards)
    names = {test["source"]} if "source" in test else {e["source"] for e in test["files"].values()}
    return sorted(name for name in names if settings_of.is_available(CONFIG, name))


def unavailable_columns(wildcards):
    """Columns whose licensed source the user has not given -> the reason."""
    return {
        column: settings_of.unavailable_reason(CONFIG, entry["source"])
        for column, entry in test_entry(wildcards).get("files", {}).items()
        if not settings_of.is_available(CONFIG, entry["source"])
    }


def test_settings(wildcards):
    test = test_entry(wildcards)
    return dict(
        test=wildcards.test,
        columns=test["columns"],
        files=test.get("files", {}),
        unavailable=unavailable_columns(wildcards),
    )


def runs_of(wildcards):
    return {
        run: f"{R}/finetuned/{wildcards.system}/{TASK_OF[wildcards.test]}/{run}/weights"
        for run in RUNS[TASK_OF[wildcards.test]]
    }


def diagonal(wildcards):
    test = DIAGONAL_OF.get(wildcards.test)
    return [f"{R}/scores/{wildcards.system}/{test}.json"] if test in TASK_OF else []


def probe_settings(system, probe, **more):
    return settings(
        system=system,
        inputs=CONFIG["systems"][system]["inputs"],
        seed=CONFIG["seed"],
        probe={
            key: value for key, value in PROBES[probe].items() if key not in ("sources", "source")
        },
        **more,
    )


def is_luke(system):
    return CONFIG["models"][CONFIG["systems"][system]["model"]].get("objective") == "luke"


def table_systems(table):
    """The run's systems that a table has a row for."""
    only_luke = CONFIG["tables"][table].get("models") == "luke"
    return [name for name in SYSTEMS if is_luke(name) or not only_luke]


def tests_of(table):
    """The test collections and probes a table reads."""
    entry = CONFIG["tables"][table]
    match entry["kind"]:
        case "scores":
            return list(dict.fromkeys(block["test"] for block in entry["blocks"]))
        case "language_bias":
            return ["mlama"]
        case "gxlt":
            return ["mlqa", "gxlt"]
        case _:
            return []


def is_active(test):
    return test in PROBES or TASK_OF[test] in ACTIVE_TASKS


def table_scores(table):
    return [
        f"{R}/scores/{system}/{test}.json"
        for system in table_systems(table)
        for test in tests_of(table)
        if is_active(test)
    ]


def selections():
    """Every selection of the run: what Appendix B lists."""
    return [
        f"{R}/finetuned/{system}/{task}/selection.json"
        for system in SYSTEMS
        for task in ACTIVE_TASKS
    ]


def table_files(table):
    return [f"{R}/tables/{table}.{suffix}" for suffix in ("csv", "md", "tex", "html")]


def of_kind(table, kind):
    return CONFIG["tables"][table]["kind"] == kind


def run_sources():
    """Every data source that this run reads, for its checksums."""
    names = {wikidata_source()} if HAS_SEQUENCES else set()
    names |= {CONFIG["tokenizers"][model["tokenizer"]]["source"] for model in MODELS.values()}
    names |= {MODELS[name]["source"] for name in IMPORTED}
    for task in TUNED_TASKS:
        names |= {TASKS[task][split]["source"] for split in ("train", "dev")}
    for test in {test for table in TABLES for test in tests_of(table)}:
        if test in TASK_OF:
            entry = TASKS[TASK_OF[test]]["tests"][test]
            files = entry["files"].values() if "files" in entry else [entry]
            names |= {file["source"] for file in files}
        else:
            names |= set(PROBES[test].get("sources", {"": PROBES[test].get("source")}).values())
    return sorted(name for name in names if settings_of.is_available(CONFIG, name))
