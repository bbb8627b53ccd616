"""Bring the counts of extraction, alignment and packing together, language by language.

Example:
    python workflow_scripts/corpus_statistics.py --settings '{"languages": ["de", "en"]}' \
        --extract results/mini/reports/extract/*/*.json \
        --redirects results/mini/reports/redirects/*.json \
        --entities results/mini/reports/entities/*.json \
        --vocabulary-report results/mini/reports/vocabulary.json \
        --manifest results/mini/sequences/manifest.json --output results/mini/reports/corpus.json
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument(
        "--extract", type=Path, nargs="+", required=True, help="reports of extract, one per part"
    )
    parser.add_argument(
        "--redirects", type=Path, nargs="+", required=True, help="reports of resolve_redirects"
    )
    parser.add_argument(
        "--entities", type=Path, nargs="+", required=True, help="reports of count_entities"
    )
    parser.add_argument(
        "--vocabulary-report", type=Path, required=True, help="report of build_vocabulary"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the sequences")
    parser.add_argument("--output", type=Path, required=True, help="statistics as JSON")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    [languages] = required_settings(arguments.settings, "languages")
    from mluke_core.io.files import write_json
    from mluke_core.reporting.corpus_statistics import corpus_statistics

    statistics = corpus_statistics(
        languages,
        arguments.extract,
        arguments.redirects,
        arguments.entities,
        arguments.vocabulary_report,
        arguments.manifest,
    )
    write_json(arguments.output, statistics)


if __name__ == "__main__":
    sys.exit(main())
