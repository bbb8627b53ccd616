"""mLUKE from Wikipedia dumps to every table of the paper.

snakemake --cores 2                                             the default scale, mini
snakemake --cores 2 table3                                      one table and what it needs
snakemake --cores 2 --config scale=sample mirror=../shared/mirror
snakemake -n --config scale=paper                               the job list of the whole paper
"""

from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/download.smk"
include: "rules/corpus.smk"
include: "rules/alignment.smk"
include: "rules/pretraining.smk"
include: "rules/finetuning.smk"
include: "rules/evaluation.smk"
include: "rules/report_inputs.smk"
include: "rules/reporting.smk"


onstart:
    one_snakemake(R)
    gc.freeze()
    gc.enable()


onsuccess:
    run_lock.remove_leftovers(Path(R))


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,
        rules.provenance.output,
        rules.report.output,


localrules:
    all,
    tables,
    figures,
    corpus,
    extraction_report,
    vocabulary,
    sequences,
    preview,
    pretrained,
    scores,
