"""Wikidata sitelinks, entity counts, the entity vocabulary, mention tables."""


rule sitelinks:
    input:
        source_manifest(wikidata_source()),
    output:
        sitelinks=expand(f"{R}/sitelinks/{{lang}}.parquet", lang=LANGUAGES),
        report=f"{R}/reports/sitelinks.json",
    log:
        f"{R}/logs/sitelinks.log",
    benchmark:
        f"{R}/benchmarks/sitelinks.tsv"
    conda:
        ENVIRONMENT
    # The SQL dump is read by one core; the JSON dump is a hundred times larger.
    threads: 1 if CONFIG["alignment"]["sitelinks"] == "sql" else 16
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
    params:
        version=STAGE_VERSIONS["sitelinks"],
        folder=lambda wildcards, output: os.path.dirname(output.sitelinks[0]),
        settings=settings(
            format=CONFIG["alignment"]["sitelinks"],
            wikis={lang: CONFIG["languages"][lang]["wiki"] for lang in LANGUAGES},
        ),
    shell:
        "python workflow_scripts/sitelinks.py --settings {params.settings:q} --source {input:q} "
        "--output-dir {params.folder:q} --report {output.report:q} --threads {threads} --log {log:q}"


rule count_entities:
    input:
        pages=lambda wildcards: pages_of(wildcards.lang),
        redirects=f"{R}/redirects/{{lang}}.parquet",
        sitelinks=f"{R}/sitelinks/{{lang}}.parquet",
    output:
        entities=f"{R}/entities/{{lang}}.parquet",
        report=f"{R}/reports/entities/{{lang}}.json",
    log:
        f"{R}/logs/count_entities/{{lang}}.log",
    benchmark:
        f"{R}/benchmarks/count_entities/{{lang}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        version=STAGE_VERSIONS["count_entities"],
        work=f"{R}/work/count_entities/{{lang}}",
        settings=lambda wildcards: settings(
            language=wildcards.lang, targets=CONFIG["vocabulary"]["targets"]
        ),
    shell:
        "python workflow_scripts/count_entities.py --settings {params.settings:q} "
        "--memory-mb {resources.mem_mb} --work {params.work:q} --pages {input.pages:q} --redirects {input.redirects:q} "
        "--sitelinks {input.sitelinks:q} --output {output.entities:q} --report {output.report:q} "
        "--log {log:q}"


rule build_vocabulary:
    input:
        entities=expand(f"{R}/entities/{{lang}}.parquet", lang=LANGUAGES),
        sitelinks=expand(f"{R}/sitelinks/{{lang}}.parquet", lang=LANGUAGES),
    output:
        vocabulary=f"{R}/entities/vocabulary.parquet",
        json=f"{R}/entities/entity_vocab.json",
        report=f"{R}/reports/vocabulary.json",
        tables=multiext(f"{R}/reports/vocabulary", ".csv", ".md", ".tex"),
        html=report(
            f"{R}/reports/vocabulary.html",
            caption="../report/vocabulary_table.rst",
            category="Corpus",
            labels={"figure": "entity vocabulary, as numbers"},
        ),
    log:
        f"{R}/logs/build_vocabulary.log",
    benchmark:
        f"{R}/benchmarks/build_vocabulary.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
    params:
        version=STAGE_VERSIONS["build_vocabulary"],
        work=f"{R}/work/build_vocabulary",
        entities=per_language(f"{R}/entities/{{lang}}.parquet"),
        sitelinks=per_language(f"{R}/sitelinks/{{lang}}.parquet"),
        table=lambda wildcards, output: output.report.removesuffix(".json"),
        settings=settings(
            scale=CONFIG["scale"],
            **{key: value for key, value in CONFIG["vocabulary"].items() if key != "targets"},
        ),
    shell:
        "python workflow_scripts/build_vocabulary.py --settings {params.settings:q} "
        "--memory-mb {resources.mem_mb} --work {params.work:q} "
        "--entities {params.entities:q} --sitelinks {params.sitelinks:q} "
        "--output {output.vocabulary:q} --json {output.json:q} --report {output.report:q} "
        "--table {params.table:q} --log {log:q}"


rule vocabulary:
    input:
        rules.build_vocabulary.output,


rule count_mentions:
    input:
        pages=lambda wildcards: pages_of(wildcards.lang),
        redirects=f"{R}/redirects/{{lang}}.parquet",
        sitelinks=f"{R}/sitelinks/{{lang}}.parquet",
        vocabulary=rules.build_vocabulary.output.vocabulary,
    output:
        f"{R}/mentions/{{lang}}.parquet",
    log:
        f"{R}/logs/count_mentions/{{lang}}.log",
    benchmark:
        f"{R}/benchmarks/count_mentions/{{lang}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
    params:
        version=STAGE_VERSIONS["count_mentions"],
        work=f"{R}/work/count_mentions/{{lang}}",
        settings=lambda wildcards: settings(language=wildcards.lang, mentions=CONFIG["mentions"]),
    shell:
        "python workflow_scripts/count_mentions.py --settings {params.settings:q} "
        "--memory-mb {resources.mem_mb} --work {params.work:q} "
        "--pages {input.pages:q} --redirects {input.redirects:q} --sitelinks {input.sitelinks:q} "
        "--vocabulary {input.vocabulary:q} --output {output:q} --log {log:q}"


rule article_mentions:
    input:
        articles=[source_manifest(name) for name in QA_SOURCES],
        pages=[pages_of(lang) for lang in QA_LANGUAGES],
        redirects=expand(f"{R}/redirects/{{lang}}.parquet", lang=QA_LANGUAGES),
        sitelinks=expand(f"{R}/sitelinks/{{lang}}.parquet", lang=QA_LANGUAGES),
        mentions=expand(f"{R}/mentions/{{lang}}.parquet", lang=QA_LANGUAGES),
        vocabulary=rules.build_vocabulary.output.vocabulary,
    output:
        f"{R}/mentions/articles.parquet",
    log:
        f"{R}/logs/article_mentions.log",
    benchmark:
        f"{R}/benchmarks/article_mentions.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
    params:
        version=STAGE_VERSIONS["article_mentions"],
        work=f"{R}/work/article_mentions",
        pages=[f"{lang}={path}" for lang in QA_LANGUAGES for path in pages_of(lang)],
        redirects=per_language(f"{R}/redirects/{{lang}}.parquet", QA_LANGUAGES),
        sitelinks=per_language(f"{R}/sitelinks/{{lang}}.parquet", QA_LANGUAGES),
        mentions=per_language(f"{R}/mentions/{{lang}}.parquet", QA_LANGUAGES),
        settings=settings(
            languages=QA_LANGUAGES,
            title_languages={"squad": "en", "xquad": "en", "mlqa": "context"},
            mentions=CONFIG["mentions"],
        ),
    shell:
        "python workflow_scripts/article_mentions.py --settings {params.settings:q} "
        "--memory-mb {resources.mem_mb} --work {params.work:q} "
        "--articles {input.articles:q} --pages {params.pages:q} --redirects {params.redirects:q} "
        "--sitelinks {params.sitelinks:q} --mentions {params.mentions:q} "
        "--vocabulary {input.vocabulary:q} --output {output:q} --log {log:q}"
