"""Build the entity vocabulary from the link counts of all languages.

Example:
    python workflow_scripts/build_vocabulary.py \
        --settings '{"size": 1200000, "minimum_languages": 3, "per_language_limit": 1000000}' \
        --entities en=results/mini/entities/en.parquet de=results/mini/entities/de.parquet \
        --sitelinks en=results/mini/sitelinks/en.parquet de=results/mini/sitelinks/de.parquet \
        --output results/mini/entities/vocabulary.parquet \
        --json results/mini/entities/entity_vocab.json --report results/mini/reports/vocabulary.json

Outputs:
    vocabulary.parquet: entity_id, qid, count, languages, titles; [PAD] [UNK] [MASK] come first.
    entity_vocab.json: the same names and ids in the Hub's format.
    The report: size at each threshold of languages, share of links covered per language. With
    --table STEM also as STEM.csv, .md, .tex and .html; the settings then need a scale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    for name, what in (("entities", "linked articles"), ("sitelinks", "sitelinks")):
        parser.add_argument(
            f"--{name}",
            type=named_path,
            nargs="+",
            required=True,
            metavar="LANG=PATH",
            help=f"{what} of each language",
        )
    parser.add_argument("--output", type=Path, required=True, help="vocabulary (Parquet)")
    parser.add_argument("--json", type=Path, required=True, help="vocabulary (JSON, as on the Hub)")
    parser.add_argument("--report", type=Path, required=True, help="report (JSON)")
    parser.add_argument(
        "--table", type=Path, metavar="STEM", help="also write the report as a table there"
    )
    parser.add_argument(
        "--memory-mb", type=int, default=4000, help="memory of the process (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of the queries (default: %(default)s)"
    )
    parser.add_argument(
        "--work", type=Path, help="folder for what spills (default: that of the output)"
    )
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.alignment.build_vocabulary import VocabularySettings, build_vocabulary
    from mluke_core.io.files import write_json

    report = build_vocabulary(
        dict(arguments.entities),
        dict(arguments.sitelinks),
        VocabularySettings.from_mapping(arguments.settings),
        arguments.output,
        arguments.json,
        arguments.memory_mb,
        arguments.threads,
        arguments.work,
    )
    write_json(arguments.report, report)
    if arguments.table:
        from mluke_core.reporting.vocabulary_table import vocabulary_table
        from mluke_core.reporting.write import write_table_files

        (scale,) = required_settings(arguments.settings, "scale")
        write_table_files(vocabulary_table(report, scale), arguments.table)


if __name__ == "__main__":
    sys.exit(main())
