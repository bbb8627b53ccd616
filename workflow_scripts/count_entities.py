"""Count how often each article of one language is linked, and find its Wikidata item.

Example:
    python workflow_scripts/count_entities.py --settings '{"language": "en", "targets": "pages"}' \
        --pages results/mini/pages/en/000.parquet results/mini/pages/en/001.parquet \
        --redirects results/mini/redirects/en.parquet \
        --sitelinks results/mini/sitelinks/en.parquet \
        --output results/mini/entities/en.parquet --report results/mini/reports/entities/en.json

Outputs:
    title (redirects resolved), qid or null, links; most links first, then by title.
    The report: links in all, to missing pages, without and with an item.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument(
        "--pages", type=Path, nargs="+", required=True, help="page files, all parts"
    )
    parser.add_argument("--redirects", type=Path, required=True, help="resolved redirects")
    parser.add_argument("--sitelinks", type=Path, required=True, help="sitelinks of the language")
    parser.add_argument("--output", type=Path, required=True, help="table of linked articles")
    parser.add_argument("--report", type=Path, required=True, help="report (JSON)")
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
    from mluke_core.alignment.count_entities import count_entities
    from mluke_core.io.files import write_json

    language, targets = required_settings(arguments.settings, "language", "targets")
    report = count_entities(
        language,
        arguments.pages,
        arguments.redirects,
        arguments.sitelinks,
        targets,
        arguments.output,
        arguments.memory_mb,
        arguments.threads,
        arguments.work,
    )
    write_json(arguments.report, report)


if __name__ == "__main__":
    sys.exit(main())
