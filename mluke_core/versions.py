"""Version of the meaning of each stage's output.

The version is a parameter of the stage's rule and is written into its outputs. Bump it when the
same input would give another output: exactly that part of the DAG is then re-run. Edits of the
library that leave results as they are do not touch it, and so re-run nothing.
"""

from __future__ import annotations

STAGE_VERSIONS: dict[str, int] = {
    "make_miniature": 2,
    "download_dump": 1,
    "download_source": 1,
    "extract": 5,
    "resolve_redirects": 2,
    "extraction_report": 1,
    "sitelinks": 1,
    "count_entities": 1,
    "build_vocabulary": 1,
    "count_mentions": 2,
    "article_mentions": 1,
    "build_tokenizer": 1,
    "build_sequences": 2,
    "shuffle_sequences": 1,
    "preview_sequences": 1,
    "write_manifest": 2,
    "initialize_model": 1,
    "import_model": 1,
    "pretrain": 2,
    "export_model": 2,
    "finetune": 3,
    "select_run": 2,
    "predict": 2,
    "score": 3,
    "probe_mlama": 1,
    "score_mlama": 1,
    "probe_retrieval": 1,
    "probe_modularity": 1,
    "corpus_statistics": 1,
    "resources": 2,
    "significance": 2,
    "table": 3,
    "figures": 3,
    "provenance": 2,
    "report": 4,
}
