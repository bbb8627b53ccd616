"""Fine-tune every run of a task's search, choose the best on English dev, predict the test sets."""


def model_of(wildcards):
    return f"{R}/pretrained/{CONFIG['systems'][wildcards.system]['model']}"


def training_sources(wildcards):
    task = TASKS[wildcards.task]
    return sorted({task["train"]["source"], task["dev"]["source"]})


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


def kept(path):
    return path if CONFIG["finetuning"]["keep_weights"] else temp(path)


def finetune_settings(wildcards):
    task = TASKS[wildcards.task]
    options = ("train", "dev", "metric", "epochs", "gradient_clipping", "maximum_steps")
    return settings(
        system=wildcards.system,
        task=wildcards.task,
        inputs=CONFIG["systems"][wildcards.system]["inputs"],
        run=dict(RUNS[wildcards.task][wildcards.run], name=wildcards.run),
        maximum_examples=task["maximum_examples"],
        options=task["options"],
        mentions=CONFIG["mentions"],
        finetuning={
            key: CONFIG["finetuning"][key] for key in ("precision", "weight_decay", "warmup_share")
        },
        **{key: task[key] for key in options},
    )


rule finetune:
    input:
        unpack(lambda wildcards: mention_inputs(wildcards.system, wildcards.task, ["en"])),
        model=model_of,
        sources=lambda wildcards: [source_manifest(name) for name in training_sources(wildcards)],
    output:
        result=f"{R}/finetuned/{{system}}/{{task}}/{{run}}/result.json",
        weights=kept(directory(f"{R}/finetuned/{{system}}/{{task}}/{{run}}/weights")),
    log:
        f"{R}/logs/finetune/{{system}}-{{task}}-{{run}}.log",
    benchmark:
        f"{R}/benchmarks/finetune/{{system}}-{{task}}-{{run}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["finetuning"]["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 600 * attempt,
    params:
        version=STAGE_VERSIONS["finetune"],
        sources=lambda wildcards: source_arguments(training_sources(wildcards)),
        mentions=lambda wildcards: mention_arguments(wildcards.system, wildcards.task, ["en"]),
        work=f"{R}/work/finetuned/{{system}}/{{task}}/{{run}}",
        settings=finetune_settings,
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} workflow_scripts/finetune.py "
        "--settings {params.settings:q} --model {input.model:q} --sources {params.sources:q} "
        "{params.mentions:q} --work {params.work:q} --output {output.result:q} "
        "--weights {output.weights:q} --log {log:q}"


rule select_run:
    input:
        lambda wildcards: [
            f"{R}/finetuned/{wildcards.system}/{wildcards.task}/{run}/result.json"
            for run in RUNS[wildcards.task]
        ],
    output:
        f"{R}/finetuned/{{system}}/{{task}}/selection.json",
    log:
        f"{R}/logs/select_run/{{system}}-{{task}}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["select_run"],
        settings=lambda wildcards: settings(
            task=wildcards.task, metric=TASKS[wildcards.task]["metric"]
        ),
    shell:
        "{PYTHON} workflow_scripts/select_run.py --settings {params.settings:q} --results {input:q} "
        "--output {output:q} --log {log:q}"


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
        task=TASK_OF[wildcards.test],
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


rule predict:
    input:
        unpack(
            lambda wildcards: mention_inputs(
                wildcards.system,
                TASK_OF[wildcards.test],
                qa_languages(test_entry(wildcards)["columns"]),
            )
        ),
        model=model_of,
        selection=lambda wildcards: (
            f"{R}/finetuned/{wildcards.system}/{TASK_OF[wildcards.test]}/selection.json"
        ),
        weights=lambda wildcards: runs_of(wildcards).values(),
        sources=lambda wildcards: [source_manifest(name) for name in test_sources(wildcards)],
    output:
        predictions=f"{R}/predictions/{{system}}/{{test}}.parquet",
        coverage=f"{R}/predictions/{{system}}/{{test}}.coverage.json",
    log:
        f"{R}/logs/predict/{{system}}-{{test}}.log",
    benchmark:
        f"{R}/benchmarks/predict/{{system}}-{{test}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["finetuning"]["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 600 * attempt,
    params:
        version=STAGE_VERSIONS["predict"],
        weights=lambda wildcards: [f"{run}={path}" for run, path in runs_of(wildcards).items()],
        sources=lambda wildcards: source_arguments(test_sources(wildcards)),
        mentions=lambda wildcards: mention_arguments(
            wildcards.system,
            TASK_OF[wildcards.test],
            qa_languages(test_entry(wildcards)["columns"]),
        ),
        settings=lambda wildcards: settings(
            inputs=CONFIG["systems"][wildcards.system]["inputs"],
            options=TASKS[TASK_OF[wildcards.test]]["options"],
            mentions=CONFIG["mentions"],
            precision=CONFIG["finetuning"]["precision"],
            **test_settings(wildcards),
        ),
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} workflow_scripts/predict.py "
        "--settings {params.settings:q} --selection {input.selection:q} "
        "--weights {params.weights:q} --model {input.model:q} --sources {params.sources:q} "
        "{params.mentions:q} --output {output.predictions:q} --coverage {output.coverage:q} "
        "--log {log:q}"
