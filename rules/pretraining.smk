"""Tokenizers, training sequences, models: initialised, imported, or pretrained in stages."""


rule build_tokenizer:
    input:
        lambda wildcards: source_manifest(CONFIG["tokenizers"][wildcards.tokenizer]["source"]),
    output:
        directory(f"{R}/tokenizers/{{tokenizer}}"),
    log:
        f"{R}/logs/build_tokenizer/{{tokenizer}}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["build_tokenizer"],
        settings=lambda wildcards: settings(kind=CONFIG["tokenizers"][wildcards.tokenizer]["kind"]),
    shell:
        "python workflow_scripts/build_tokenizer.py --settings {params.settings:q} "
        "--source {input:q} --output {output:q} --log {log:q}"


SEQUENCE_TOKENIZER = f"{R}/tokenizers/{CONFIG['pretraining']['tokenizer']}"


rule build_sequences:
    input:
        pages=f"{R}/pages/{{lang}}/{{part}}.parquet",
        redirects=f"{R}/redirects/{{lang}}.parquet",
        sitelinks=f"{R}/sitelinks/{{lang}}.parquet",
        vocabulary=rules.build_vocabulary.output.vocabulary,
        tokenizer=SEQUENCE_TOKENIZER,
    output:
        sequences=temp(f"{R}/work/sequences/{{lang}}/{{part}}.parquet"),
        report=f"{R}/reports/sequences/{{lang}}/{{part}}.json",
    log:
        f"{R}/logs/build_sequences/{{lang}}-{{part}}.log",
    benchmark:
        f"{R}/benchmarks/build_sequences/{{lang}}-{{part}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        version=STAGE_VERSIONS["build_sequences"],
        settings=lambda wildcards: settings(
            language=wildcards.lang, seed=CONFIG["seed"], sequences=CONFIG["sequences"]
        ),
    shell:
        "python workflow_scripts/build_sequences.py --settings {params.settings:q} "
        "--pages {input.pages:q} --redirects {input.redirects:q} --sitelinks {input.sitelinks:q} "
        "--vocabulary {input.vocabulary:q} --tokenizer {input.tokenizer:q} "
        "--output {output.sequences:q} --report {output.report:q} --log {log:q}"


rule shuffle_sequences:
    input:
        parts=lambda wildcards: parts_of(
            wildcards.lang, f"{R}/work/sequences/{{lang}}/{{part}}.parquet"
        ),
        reports=lambda wildcards: parts_of(
            wildcards.lang, f"{R}/reports/sequences/{{lang}}/{{part}}.json"
        ),
    output:
        shards=directory(f"{R}/sequences/{{lang}}"),
        index=f"{R}/reports/sequences/{{lang}}.json",
    log:
        f"{R}/logs/shuffle_sequences/{{lang}}.log",
    benchmark:
        f"{R}/benchmarks/shuffle_sequences/{{lang}}.tsv"
    # Frees the disk that a language's parts take before those of the next are made.
    priority: 10
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        version=STAGE_VERSIONS["shuffle_sequences"],
        settings=lambda wildcards: settings(
            language=wildcards.lang, seed=CONFIG["seed"], shard_mb=CONFIG["sequences"]["shard_mb"]
        ),
    shell:
        "python workflow_scripts/shuffle_sequences.py --settings {params.settings:q} "
        "--parts {input.parts:q} --reports {input.reports:q} "
        "--output {output.shards:q} --index {output.index:q} --log {log:q}"


rule write_manifest:
    input:
        shards=expand(f"{R}/sequences/{{lang}}", lang=LANGUAGES),
        indexes=expand(f"{R}/reports/sequences/{{lang}}.json", lang=LANGUAGES),
        vocabulary=rules.build_vocabulary.output.vocabulary,
        tokenizer=SEQUENCE_TOKENIZER,
    output:
        f"{R}/sequences/manifest.json",
    log:
        f"{R}/logs/write_manifest.log",
    benchmark:
        f"{R}/benchmarks/write_manifest.tsv"
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["write_manifest"],
        shards=per_language(f"{R}/sequences/{{lang}}"),
        indexes=per_language(f"{R}/reports/sequences/{{lang}}.json"),
        settings=settings(alpha=CONFIG["pretraining"]["alpha"]),
    shell:
        "python workflow_scripts/write_manifest.py --settings {params.settings:q} "
        "--shards {params.shards:q} --indexes {params.indexes:q} "
        "--vocabulary {input.vocabulary:q} --tokenizer {input.tokenizer:q} "
        "--output {output:q} --log {log:q}"


rule preview_sequences:
    input:
        manifest=rules.write_manifest.output,
        shards=expand(f"{R}/sequences/{{lang}}", lang=LANGUAGES),
        vocabulary=rules.build_vocabulary.output.vocabulary,
        tokenizer=SEQUENCE_TOKENIZER,
    output:
        f"{R}/sequences/preview.html",
    log:
        f"{R}/logs/preview_sequences.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["preview_sequences"],
        settings=settings(
            scale=CONFIG["scale"],
            languages={lang: CONFIG["languages"][lang]["name"] for lang in LANGUAGES},
        ),
    shell:
        "python workflow_scripts/preview_sequences.py --settings {params.settings:q} "
        "--manifest {input.manifest:q} --vocabulary {input.vocabulary:q} "
        "--tokenizer {input.tokenizer:q} --output {output:q} --log {log:q}"


rule sequences:
    input:
        rules.write_manifest.output,
        rules.preview_sequences.output,


rule preview:
    input:
        rules.preview_sequences.output,


rule initialize_model:
    input:
        tokenizer=tokenizer_of,
    output:
        directory(f"{R}/pretrained/{{model}}"),
    log:
        f"{R}/logs/initialize_model/{{model}}.log",
    wildcard_constraints:
        model=one_of(INITIALIZED),
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["initialize_model"],
        settings=lambda wildcards: settings(
            architecture=CONFIG["models"][wildcards.model]["architecture"], seed=CONFIG["seed"]
        ),
    shell:
        "python workflow_scripts/initialize_model.py --settings {params.settings:q} "
        "--tokenizer {input.tokenizer:q} --output {output:q} --log {log:q}"


rule import_model:
    input:
        source=lambda wildcards: source_manifest(CONFIG["models"][wildcards.model]["source"]),
        tokenizer=tokenizer_of,
    output:
        directory(f"{R}/pretrained/{{model}}"),
    log:
        f"{R}/logs/import_model/{{model}}.log",
    wildcard_constraints:
        model=one_of(IMPORTED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
    params:
        version=STAGE_VERSIONS["import_model"],
        settings=lambda wildcards: settings(name=wildcards.model),
    shell:
        "python workflow_scripts/import_model.py --settings {params.settings:q} "
        "--source {input.source:q} --tokenizer {input.tokenizer:q} --output {output:q} --log {log:q}"


rule pretrain:
    input:
        manifest=rules.write_manifest.output,
        vocabulary=rules.build_vocabulary.output.vocabulary,
        base=lambda wildcards: f"{R}/pretrained/{CONFIG['models'][wildcards.model]['base']}",
        previous=previous_stage,
    output:
        directory(f"{R}/pretraining/{{model}}/{{stage}}"),
    log:
        f"{R}/logs/pretrain/{{model}}-{{stage}}.log",
    benchmark:
        f"{R}/benchmarks/pretrain/{{model}}-{{stage}}.tsv"
    wildcard_constraints:
        model=one_of(TRAINED),
    conda:
        ENVIRONMENT
    threads: CONFIG["pretraining"]["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 32000 * attempt,
        runtime=20000,
        # Resources, not parameters: more processes re-run nothing, and a profile can set them.
        nodes=CONFIG["pretraining"]["nodes"],
        tasks_per_node=CONFIG["pretraining"]["processes_per_node"],
    params:
        version=STAGE_VERSIONS["pretrain"],
        previous=lambda wildcards, input: ["--previous", *input.previous] if input.previous else [],
        work=f"{R}/work/pretraining/{{model}}/{{stage}}",
        settings=stage_settings,
    shell:
        "PYTHON="
        + "python workflow_scripts/launch.sh {resources.nodes} {resources.tasks_per_node} {threads} "
        + "python workflow_scripts/pretrain.py --settings {params.settings:q} "
        "--manifest {input.manifest:q} --vocabulary {input.vocabulary:q} --base {input.base:q} "
        "{params.previous:q} --work {params.work:q} --output {output:q} --log {log:q}"


rule export_model:
    input:
        weights=lambda wildcards: (
            f"{R}/pretraining/{wildcards.model}/{stages_of(wildcards.model)[-1]}"
        ),
        base=lambda wildcards: f"{R}/pretrained/{CONFIG['models'][wildcards.model]['base']}",
        vocabulary=rules.build_vocabulary.output.vocabulary,
        entity_vocab=rules.build_vocabulary.output.json,
    output:
        directory(f"{R}/pretrained/{{model}}"),
    log:
        f"{R}/logs/export_model/{{model}}.log",
    wildcard_constraints:
        model=one_of(TRAINED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
    params:
        version=STAGE_VERSIONS["export_model"],
        settings=lambda wildcards: settings(
            model=wildcards.model,
            objective=CONFIG["models"][wildcards.model]["objective"],
            origin={
                "texts": f"Wikipedia, dumps of {CONFIG['dump_date']}",
                "entities by": f"Wikidata, dump of {CONFIG['wikidata_date']}",
                "licence of the texts": "CC BY-SA",
            },
        ),
    shell:
        "python workflow_scripts/export_model.py --settings {params.settings:q} "
        "--weights {input.weights:q} --base {input.base:q} --vocabulary {input.vocabulary:q} "
        "--entity-vocab {input.entity_vocab:q} --output {output:q} --log {log:q}"


rule pretrained:
    input:
        expand(f"{R}/pretrained/{{model}}", model=MODELS),
