"""Score predictions, and probe what the models know without fine-tuning."""

# G-XLT's average over all 49 pairs needs the 7 of MLQA, where question and context share a language.
DIAGONAL_OF = {"gxlt": "mlqa"}


def diagonal(wildcards):
    test = DIAGONAL_OF.get(wildcards.test)
    return [f"{R}/scores/{wildcards.system}/{test}.json"] if test in TASK_OF else []


rule score:
    input:
        predictions=f"{R}/predictions/{{system}}/{{test}}.parquet",
        coverage=f"{R}/predictions/{{system}}/{{test}}.coverage.json",
        selection=lambda wildcards: (
            f"{R}/finetuned/{wildcards.system}/{TASK_OF[wildcards.test]}/selection.json"
        ),
        sources=lambda wildcards: [source_manifest(name) for name in test_sources(wildcards)],
        diagonal=diagonal,
    output:
        f"{R}/scores/{{system}}/{{test}}.json",
    log:
        f"{R}/logs/score/{{system}}-{{test}}.log",
    benchmark:
        f"{R}/benchmarks/score/{{system}}-{{test}}.tsv"
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["score"],
        sources=lambda wildcards: source_arguments(test_sources(wildcards)),
        diagonal=lambda wildcards, input: ["--diagonal", *input.diagonal] if input.diagonal else [],
        settings=lambda wildcards: settings(
            system=wildcards.system,
            metrics=test_entry(wildcards)["metrics"],
            options=TASKS[TASK_OF[wildcards.test]]["options"],
            **test_settings(wildcards),
        ),
    shell:
        "{PYTHON} workflow_scripts/score.py --settings {params.settings:q} "
        "--predictions {input.predictions:q} --coverage {input.coverage:q} "
        "--selection {input.selection:q} --sources {params.sources:q} {params.diagonal:q} "
        "--output {output:q} --log {log:q}"


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


MLAMA_SOURCES = PROBES["mlama"]["sources"]


rule probe_mlama:
    input:
        model=model_of,
        sources=[source_manifest(name) for name in MLAMA_SOURCES.values()],
        vocabulary=rules.build_vocabulary.output.vocabulary,
    output:
        f"{R}/predictions/{{system}}/mlama.parquet",
    log:
        f"{R}/logs/probe_mlama/{{system}}.log",
    benchmark:
        f"{R}/benchmarks/probe_mlama/{{system}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["finetuning"]["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: 600 * attempt,
    params:
        version=STAGE_VERSIONS["probe_mlama"],
        sources=[f"{role}={source_manifest(name)}" for role, name in MLAMA_SOURCES.items()],
        settings=lambda wildcards: probe_settings(wildcards.system, "mlama"),
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} workflow_scripts/probe_mlama.py "
        "--settings {params.settings:q} --model {input.model:q} --sources {params.sources:q} "
        "--vocabulary {input.vocabulary:q} --output {output:q} --log {log:q}"


rule score_mlama:
    input:
        predictions=f"{R}/predictions/{{system}}/mlama.parquet",
        sitelinks=expand(f"{R}/sitelinks/{{lang}}.parquet", lang=LANGUAGES),
    output:
        f"{R}/scores/{{system}}/mlama.json",
    log:
        f"{R}/logs/score_mlama/{{system}}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["score_mlama"],
        sitelinks=per_language(f"{R}/sitelinks/{{lang}}.parquet"),
        settings=lambda wildcards: probe_settings(wildcards.system, "mlama"),
    shell:
        "{PYTHON} workflow_scripts/score_mlama.py --settings {params.settings:q} "
        "--predictions {input.predictions:q} --sitelinks {params.sitelinks:q} --output {output:q} "
        "--log {log:q}"


rule probe_retrieval:
    input:
        model=model_of,
        source=source_manifest(PROBES["cwr"]["source"]),
    output:
        scores=f"{R}/scores/{{system}}/cwr.json",
        features=f"{R}/features/{{system}}/cwr.npz",
    log:
        f"{R}/logs/probe_retrieval/{{system}}.log",
    benchmark:
        f"{R}/benchmarks/probe_retrieval/{{system}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["finetuning"]["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
    params:
        version=STAGE_VERSIONS["probe_retrieval"],
        settings=lambda wildcards: probe_settings(wildcards.system, "cwr"),
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} workflow_scripts/probe_retrieval.py "
        "--settings {params.settings:q} --model {input.model:q} --source {input.source:q} "
        "--output {output.scores:q} --features {output.features:q} --log {log:q}"


rule probe_modularity:
    input:
        model=model_of,
        source=source_manifest(PROBES["modularity"]["source"]),
    output:
        scores=f"{R}/scores/{{system}}/modularity.json",
        features=f"{R}/features/{{system}}/modularity.npz",
    log:
        f"{R}/logs/probe_modularity/{{system}}.log",
    benchmark:
        f"{R}/benchmarks/probe_modularity/{{system}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["finetuning"]["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
    params:
        version=STAGE_VERSIONS["probe_modularity"],
        settings=lambda wildcards: probe_settings(wildcards.system, "modularity"),
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} workflow_scripts/probe_modularity.py "
        "--settings {params.settings:q} --model {input.model:q} --source {input.source:q} "
        "--output {output.scores:q} --features {output.features:q} --log {log:q}"


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


def missing_tests(table):
    """Tests of a table that cannot be run here -> the reason, for a note under the table."""
    return {
        test: settings_of.unavailable_reason(CONFIG, TASKS[TASK_OF[test]]["train"]["source"])
        for test in tests_of(table)
        if not is_active(test)
    }


def selections():
    """Every selection of the run: what Appendix B lists."""
    return [
        f"{R}/finetuned/{system}/{task}/selection.json"
        for system in SYSTEMS
        for task in ACTIVE_TASKS
    ]


rule scores:
    input:
        list(dict.fromkeys(path for table in TABLES for path in table_scores(table))),
