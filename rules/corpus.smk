"""From dumps to text with links, and redirects."""


rule extract:
    input:
        dump=f"{R}/dumps/{{lang}}.json",
    output:
        pages=f"{R}/pages/{{lang}}/{{part}}.parquet",
        redirects=f"{R}/redirects/{{lang}}/{{part}}.parquet",
        report=f"{R}/reports/extract/{{lang}}/{{part}}.json",
    log:
        f"{R}/logs/extract/{{lang}}-{{part}}.log",
    benchmark:
        f"{R}/benchmarks/extract/{{lang}}-{{part}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["corpus"]["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        version=STAGE_VERSIONS["extract"],
        parts=lambda wildcards: CONFIG["languages"][wildcards.lang]["parts"],
        settings=lambda wildcards: settings(
            language=wildcards.lang,
            wiki=CONFIG["languages"][wildcards.lang]["wiki"],
            # The output does not depend on the threads.
            corpus={key: value for key, value in CONFIG["corpus"].items() if key != "threads"},
        ),
    shell:
        "python workflow_scripts/extract.py --settings {params.settings:q} --dump {input.dump:q} "
        "--part {wildcards.part} --parts {params.parts} --threads {threads} --pages {output.pages:q} "
        "--redirects {output.redirects:q} --report {output.report:q} --log {log:q}"


rule resolve_redirects:
    input:
        redirects=lambda wildcards: parts_of(
            wildcards.lang, f"{R}/redirects/{{lang}}/{{part}}.parquet"
        ),
        pages=lambda wildcards: pages_of(wildcards.lang),
    output:
        redirects=f"{R}/redirects/{{lang}}.parquet",
        report=f"{R}/reports/redirects/{{lang}}.json",
    log:
        f"{R}/logs/resolve_redirects/{{lang}}.log",
    benchmark:
        f"{R}/benchmarks/resolve_redirects/{{lang}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        version=STAGE_VERSIONS["resolve_redirects"],
        settings=lambda wildcards: settings(
            language=wildcards.lang, wiki=CONFIG["languages"][wildcards.lang]["wiki"]
        ),
    shell:
        "python workflow_scripts/resolve_redirects.py --settings {params.settings:q} "
        "--redirects {input.redirects:q} --pages {input.pages:q} --output {output.redirects:q} "
        "--report {output.report:q} --log {log:q}"


rule extraction_report:
    input:
        parts=lambda wildcards: parts_of(
            wildcards.lang, f"{R}/reports/extract/{{lang}}/{{part}}.json"
        ),
        redirects=f"{R}/reports/redirects/{{lang}}.json",
    output:
        json=f"{R}/reports/corpus/{{lang}}.json",
        markdown=f"{R}/reports/corpus/{{lang}}.md",
    log:
        f"{R}/logs/extraction_report/{{lang}}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["extraction_report"],
    shell:
        "python workflow_scripts/extraction_report.py --parts {input.parts:q} "
        "--redirects {input.redirects:q} --output {output.json:q} --markdown {output.markdown:q} "
        "--log {log:q}"


rule corpus:
    input:
        [pages_of(lang) for lang in LANGUAGES],
        expand(f"{R}/redirects/{{lang}}.parquet", lang=LANGUAGES),
        expand(f"{R}/reports/corpus/{{lang}}.json", lang=LANGUAGES),
