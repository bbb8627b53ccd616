"""Fetch dumps and data sets, from the servers or a mirror; make the miniature world."""


rule make_miniature:
    output:
        mirror=f"{R}/mirror/SHA256SUMS",
        gold=f"{R}/gold/SHA256SUMS",
    log:
        f"{R}/logs/make_miniature.log",
    benchmark:
        f"{R}/benchmarks/make_miniature.tsv"
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["make_miniature"],
        mirror=subpath(output.mirror, parent=True),
        gold=subpath(output.gold, parent=True),
        settings=settings(
            seed=CONFIG["seed"],
            languages=LANGUAGES,
            dump_date=CONFIG["dump_date"],
            wikidata_date=CONFIG["wikidata_date"],
        ),
    shell:
        "python workflow_scripts/make_miniature.py --settings {params.settings:q} "
        "--output {params.mirror:q} --gold {params.gold:q} --log {log:q}"


rule download_dump:
    input:
        MIRROR_READY,
    output:
        f"{R}/dumps/{{lang}}.json",
    log:
        f"{R}/logs/download_dump/{{lang}}.log",
    benchmark:
        f"{R}/benchmarks/download_dump/{{lang}}.tsv"
    retries: 2
    conda:
        ENVIRONMENT
    resources:
        downloads=1,
    params:
        version=STAGE_VERSIONS["download_dump"],
        downloads=DOWNLOADS,
        settings=lambda wildcards: settings(
            language=wildcards.lang,
            wiki=CONFIG["languages"][wildcards.lang]["wiki"],
            date=CONFIG["dump_date"],
            urls=[
                url.format(
                    wiki=CONFIG["languages"][wildcards.lang]["wiki"], date=CONFIG["dump_date"]
                )
                for url in CONFIG["sources"]["wikipedia"]["urls"]
            ],
            mirror=MIRROR,
            contact=CONFIG["contact"],
        ),
    shell:
        "python workflow_scripts/download_dump.py --settings {params.settings:q} "
        "--downloads {params.downloads:q} --output {output:q} --log {log:q}"


rule download_source:
    input:
        MIRROR_READY,
    output:
        f"{R}/sources/{{source}}.json",
    log:
        f"{R}/logs/download_source/{{source}}.log",
    benchmark:
        f"{R}/benchmarks/download_source/{{source}}.tsv"
    retries: 2
    conda:
        ENVIRONMENT
    resources:
        downloads=1,
    params:
        version=STAGE_VERSIONS["download_source"],
        downloads=DOWNLOADS,
        settings=lambda wildcards: settings(**download_settings(wildcards.source)),
    shell:
        "python workflow_scripts/download_source.py --settings {params.settings:q} "
        "--downloads {params.downloads:q} --output {output:q} --log {log:q}"
