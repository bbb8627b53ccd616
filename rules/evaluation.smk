"""Score predictions, and probe what the models know without fine-tuning."""


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
            **test_settings(wildcards),
        ),
    shell:
        "python workflow_scripts/score.py --settings {params.settings:q} "
        "--predictions {input.predictions:q} --coverage {input.coverage:q} "
        "--selection {input.selection:q} --sources {params.sources:q} {params.diagonal:q} "
        "--output {output:q} --log {log:q}"


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
        "OMP_NUM_THREADS={threads} python workflow_scripts/probe_mlama.py "
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
        "python workflow_scripts/score_mlama.py --settings {params.settings:q} "
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
        "OMP_NUM_THREADS={threads} python workflow_scripts/probe_retrieval.py "
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
        "OMP_NUM_THREADS={threads} python workflow_scripts/probe_modularity.py "
        "--settings {params.settings:q} --model {input.model:q} --source {input.source:q} "
        "--output {output.scores:q} --features {output.features:q} --log {log:q}"


rule scores:
    input:
        list(dict.fromkeys(path for table in TABLES for path in table_scores(table))),
