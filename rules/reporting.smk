"""Statistics, tables, figures, resources and provenance: what people read."""

CAPTIONS = "../report"


report: "../report/workflow.rst"


rule corpus_statistics:
    input:
        extract=[
            f"{R}/reports/extract/{lang}/{part}.json" for lang in LANGUAGES for part in parts(lang)
        ],
        redirects=expand(f"{R}/reports/redirects/{{lang}}.json", lang=LANGUAGES),
        entities=expand(f"{R}/reports/entities/{{lang}}.json", lang=LANGUAGES),
        vocabulary=rules.build_vocabulary.output.report,
        manifest=rules.write_manifest.output,
    output:
        f"{R}/reports/corpus.json",
    log:
        f"{R}/logs/corpus_statistics.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["corpus_statistics"],
        settings=settings(languages=LANGUAGES),
    shell:
        "python workflow_scripts/corpus_statistics.py --settings {params.settings:q} "
        "--extract {input.extract:q} --redirects {input.redirects:q} --entities {input.entities:q} "
        "--vocabulary-report {input.vocabulary:q} --manifest {input.manifest:q} --output {output:q} "
        "--log {log:q}"


rule significance:
    input:
        lambda wildcards: [
            path
            for arguments in significance_arguments(wildcards.table).values()
            for path in paths_in(arguments)
        ],
    output:
        f"{R}/significance/{{table}}.json",
    log:
        f"{R}/logs/significance/{{table}}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["significance"],
        files=lambda wildcards: [
            text
            for option, arguments in significance_arguments(wildcards.table).items()
            for text in [f"--{option}", *arguments]
        ],
        settings=lambda wildcards: significance_settings(wildcards.table),
    shell:
        "python workflow_scripts/significance.py --settings {params.settings:q} {params.files:q} "
        "--output {output:q} --log {log:q}"


rule table:
    input:
        scores=lambda wildcards: table_scores(wildcards.table),
        selections=lambda wildcards: (
            selections() if of_kind(wildcards.table, "hyperparameters") else []
        ),
        corpus=lambda wildcards: (
            rules.corpus_statistics.output if of_kind(wildcards.table, "corpus") else []
        ),
        significance=lambda wildcards: (
            f"{R}/significance/{wildcards.table}.json"
            if plan.is_tested(CONFIG, wildcards.table)
            else []
        ),
    output:
        csv=f"{R}/tables/{{table}}.csv",
        md=f"{R}/tables/{{table}}.md",
        tex=f"{R}/tables/{{table}}.tex",
        html=report(
            f"{R}/tables/{{table}}.html",
            caption=f"{CAPTIONS}/table.rst",
            category="Tables",
            labels=lambda wildcards: {
                "table": CONFIG["tables"][wildcards.table]["title"].split(":")[0],
                "shown as": "table",
            },
        ),
    log:
        f"{R}/logs/table/{{table}}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["table"],
        corpus=lambda wildcards, input: ["--corpus", *input.corpus] if input.corpus else [],
        significance=lambda wildcards, input: (
            ["--significance", input.significance] if input.significance else []
        ),
        stem=f"{R}/tables/{{table}}",
        settings=lambda wildcards: settings(**plan.table_settings(CONFIG, wildcards.table)),
    shell:
        "python workflow_scripts/table.py --settings {params.settings:q} "
        "--scores {input.scores:q} --selections {input.selections:q} {params.corpus:q} "
        "{params.significance:q} --output-stem {params.stem:q} --log {log:q}"


rule tables:
    input:
        [path for table in TABLES for path in table_files(table)],


# One target per table, so that `snakemake table3` works.
for table in CONFIG["tables"]:

    rule:
        name:
            table
        input:
            table_files(table),
        localrule: True


SCALE_SETTINGS = settings(scale=CONFIG["scale"])


rule figure_loss:
    input:
        lambda wildcards: [
            f"{R}/pretraining/{wildcards.model}/{stage}" for stage in stages_of(wildcards.model)
        ],
    output:
        report(
            f"{R}/figures/loss/{{model}}.svg",
            caption=f"{CAPTIONS}/loss.rst",
            category="Pretraining",
            labels={"figure": "loss", "model": "{model}"},
        ),
    log:
        f"{R}/logs/figures/loss-{{model}}.log",
    wildcard_constraints:
        model=one_of(TRAINED),
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        settings=SCALE_SETTINGS,
    shell:
        "python workflow_scripts/figures.py --kind loss --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


rule figure_corpus:
    input:
        rules.corpus_statistics.output,
    output:
        report(
            f"{R}/figures/corpus.svg",
            caption=f"{CAPTIONS}/corpus.rst",
            category="Corpus",
            labels={"figure": "statistics per language"},
        ),
    log:
        f"{R}/logs/figures/corpus.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        settings=SCALE_SETTINGS,
    shell:
        "python workflow_scripts/figures.py --kind corpus --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


rule figure_sampling:
    input:
        rules.write_manifest.output,
    output:
        report(
            f"{R}/figures/sampling.svg",
            caption=f"{CAPTIONS}/sampling.rst",
            category="Corpus",
            labels={"figure": "language sampling"},
        ),
    log:
        f"{R}/logs/figures/sampling.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        settings=SCALE_SETTINGS,
    shell:
        "python workflow_scripts/figures.py --kind sampling --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


rule figure_vocabulary:
    input:
        rules.build_vocabulary.output.report,
    output:
        report(
            f"{R}/figures/vocabulary.svg",
            caption=f"{CAPTIONS}/vocabulary.rst",
            category="Corpus",
            labels={"figure": "entity vocabulary"},
        ),
    log:
        f"{R}/logs/figures/vocabulary.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        settings=SCALE_SETTINGS,
    shell:
        "python workflow_scripts/figures.py --kind vocabulary --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


rule figure_finetuning:
    input:
        lambda wildcards: [
            f"{R}/finetuned/{system}/{wildcards.task}/{run}/result.json"
            for system in SYSTEMS
            for run in RUNS[wildcards.task]
        ],
    output:
        report(
            f"{R}/figures/finetuning/{{task}}.svg",
            caption=f"{CAPTIONS}/finetuning.rst",
            category="Fine-tuning",
            labels={"figure": "learning curves", "task": "{task}"},
        ),
    log:
        f"{R}/logs/figures/finetuning-{{task}}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        settings=lambda wildcards: settings(
            scale=CONFIG["scale"],
            task=wildcards.task,
            metric=TASKS[wildcards.task]["metric"],
            systems=plan.row_entries(CONFIG, list(SYSTEMS)),
            order=list(SYSTEMS),
        ),
    shell:
        "python workflow_scripts/figures.py --kind finetuning --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


rule figure_comparison:
    input:
        f"{R}/tables/{{table}}.csv",
    output:
        report(
            f"{R}/figures/comparison/{{table}}.svg",
            caption=f"{CAPTIONS}/comparison.rst",
            category="Tables",
            labels=lambda wildcards: {
                "table": CONFIG["tables"][wildcards.table]["title"].split(":")[0],
                "shown as": "dots",
            },
        ),
    log:
        f"{R}/logs/figures/comparison-{{table}}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        kind=lambda wildcards: plan.comparison_figure(CONFIG, wildcards.table)[0],
        settings=lambda wildcards: settings(
            scale=CONFIG["scale"],
            title=CONFIG["tables"][wildcards.table]["title"],
            systems=plan.row_entries(CONFIG, table_systems(wildcards.table)),
            **plan.comparison_figure(CONFIG, wildcards.table)[1],
        ),
    shell:
        "python workflow_scripts/figures.py --kind {params.kind} --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


rule figure_projection:
    input:
        [f"{R}/features/{system}/{{probe}}.npz" for system in PROBED],
    output:
        report(
            f"{R}/figures/projection/{{probe}}.svg",
            caption=f"{CAPTIONS}/projection.rst",
            category="Probes",
            labels={"figure": "vectors by language", "probe": "{probe}"},
        ),
    log:
        f"{R}/logs/figures/projection-{{probe}}.log",
    wildcard_constraints:
        probe=one_of(EMBEDDED),
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        settings=lambda wildcards: settings(
            scale=CONFIG["scale"],
            probe=wildcards.probe,
            systems=plan.row_entries(CONFIG, PROBED),
            order=PROBED,
        ),
    shell:
        "python workflow_scripts/figures.py --kind projection --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


rule figure_sweep:
    input:
        [f"{R}/scores/{system}/modularity.json" for system in PROBED],
    output:
        report(
            f"{R}/figures/sweep.svg",
            caption=f"{CAPTIONS}/sweep.rst",
            category="Probes",
            labels={"figure": "modularity by neighbours"},
        ),
    log:
        f"{R}/logs/figures/sweep.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        settings=settings(scale=CONFIG["scale"], systems=plan.row_entries(CONFIG, PROBED)),
    shell:
        "python workflow_scripts/figures.py --kind sweep --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


rule resources:
    input:
        rules.tables.input,
    output:
        f"{R}/reports/resources.json",
    log:
        f"{R}/logs/resources.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["resources"],
        benchmarks=f"{R}/benchmarks",
        results=lambda wildcards, output: os.path.dirname(os.path.dirname(output[0])),
    shell:
        "python workflow_scripts/resources.py --benchmarks {params.benchmarks:q} "
        "--results {params.results:q} --output {output:q} --log {log:q}"


rule figure_resources:
    input:
        rules.resources.output,
    output:
        report(
            f"{R}/figures/resources.svg",
            caption=f"{CAPTIONS}/resources.rst",
            category="Resources",
            labels={"figure": "time and memory per stage"},
        ),
    log:
        f"{R}/logs/figures/resources.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["figures"],
        settings=SCALE_SETTINGS,
    shell:
        "python workflow_scripts/figures.py --kind resources --settings {params.settings:q} "
        "--inputs {input:q} --output {output:q} --log {log:q}"


HAS_SEQUENCES = bool(TRAINED) or any(of_kind(table, "corpus") for table in TABLES)
TUNED_TASKS = [
    task
    for task in ACTIVE_TASKS
    if any(test in TASKS[task]["tests"] for t in TABLES for test in tests_of(t))
]


rule figures:
    input:
        expand(f"{R}/figures/loss/{{model}}.svg", model=TRAINED),
        expand(
            f"{R}/figures/{{name}}.svg",
            name=["corpus", "sampling", "vocabulary"] if HAS_SEQUENCES else [],
        ),
        expand(f"{R}/figures/finetuning/{{task}}.svg", task=TUNED_TASKS),
        expand(
            f"{R}/figures/comparison/{{table}}.svg",
            table=[table for table in TABLES if plan.comparison_figure(CONFIG, table)],
        ),
        expand(f"{R}/figures/projection/{{probe}}.svg", probe=EMBEDDED),
        [f"{R}/figures/sweep.svg"] if "modularity" in EMBEDDED else [],
        rules.figure_resources.output,


rule provenance:
    input:
        tables=rules.tables.input,
        figures=rules.figures.input,
        sources=[source_manifest(name) for name in run_sources()],
        dumps=expand(f"{R}/dumps/{{lang}}.json", lang=LANGUAGES if HAS_SEQUENCES else []),
    output:
        provenance=report(
            f"{R}/provenance.json",
            caption=f"{CAPTIONS}/provenance.rst",
            category="Provenance",
            labels={"file": "provenance"},
        ),
        crate=f"{R}/ro-crate-metadata.json",
    log:
        f"{R}/logs/provenance.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["provenance"],
        benchmarks=f"{R}/benchmarks",
        settings=lambda wildcards: settings(
            **{key: value for key, value in CONFIG.items() if key != "scales"}
        ),
    shell:
        "python workflow_scripts/provenance.py --settings {params.settings:q} "
        "--sources {input.sources:q} --dumps {input.dumps:q} --benchmarks {params.benchmarks:q} "
        "--results {input.tables:q} {input.figures:q} --output {output.provenance:q} --log {log:q}"


rule report:
    input:
        tables=rules.tables.input,
        figures=rules.figures.input,
        scores=rules.scores.input,
        provenance=rules.provenance.output,
        resources=rules.resources.output,
    output:
        f"{R}/report.html",
    log:
        f"{R}/logs/report.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["report"],
        results=lambda wildcards, output: os.path.dirname(output[0]),
    shell:
        "python workflow_scripts/report.py --results {params.results:q} --output {output:q} "
        "--log {log:q}"
