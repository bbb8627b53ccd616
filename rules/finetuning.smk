"""Fine-tune every run of a task's search, choose the best on English dev, predict the test sets."""


rule finetune:
    input:
        unpack(finetune_inputs),
    output:
        result=f"{R}/finetuned/{{system}}/{{task}}/{{run}}/result.json",
        # Not an input of any rule: select_run removes the weights of the runs that have lost.
        weights=directory(f"{R}/finetuned/{{system}}/{{task}}/{{run}}/weights"),
    log:
        f"{R}/logs/finetune/{{system}}-{{task}}-{{run}}.log",
    benchmark:
        f"{R}/benchmarks/finetune/{{system}}-{{task}}-{{run}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["finetuning"]["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        # The next try resumes, so it needs no more time than the first.
        runtime=600,
        # Resources, not parameters: more processes re-run nothing.
        nodes=CONFIG["finetuning"]["nodes"],
        tasks_per_node=CONFIG["finetuning"]["processes_per_node"],
    params:
        version=STAGE_VERSIONS["finetune"],
        work=f"{R}/work/finetuned/{{system}}/{{task}}/{{run}}",
        made_with=finetune_arguments,
    shell:
        "PYTHON="
        + "python workflow_scripts/launch.sh {resources.nodes} {resources.tasks_per_node} {threads} "
        + "python workflow_scripts/finetune.py "
        "{params.made_with:q} --model {input.model:q} --work {params.work:q} "
        "--output {output.result:q} --weights {output.weights:q} --log {log:q}"


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
    # Frees the disk that losing runs take.
    priority: 10
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["select_run"],
        settings=lambda wildcards: settings(
            task=wildcards.task,
            metric=TASKS[wildcards.task]["metric"],
            keep_weights=CONFIG["finetuning"]["keep_weights"],
        ),
    shell:
        "python workflow_scripts/select_run.py --settings {params.settings:q} --results {input:q} "
        "--output {output:q} --log {log:q}"


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
            precision=CONFIG["finetuning"]["precision"],
            **task_settings(wildcards.system, TASK_OF[wildcards.test], training=False),
            **test_settings(wildcards),
        ),
    shell:
        "OMP_NUM_THREADS={threads} python workflow_scripts/predict.py "
        "--settings {params.settings:q} --selection {input.selection:q} "
        "--weights {params.weights:q} --model {input.model:q} --sources {params.sources:q} "
        "{params.mentions:q} --output {output.predictions:q} --coverage {output.coverage:q} "
        "--log {log:q}"
