"""Lay out one table of the paper beside the published numbers, in csv, Markdown, LaTeX and HTML.

Example:
    python workflow_scripts/table.py --settings table3.json \
        --scores results/mini/scores/*/relx.json results/mini/scores/*/conll.json \
        --output-stem results/mini/tables/table3
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--scores", type=Path, nargs="*", default=[], help="score files")
    parser.add_argument("--selections", type=Path, nargs="*", default=[], help="selection files")
    parser.add_argument("--corpus", type=Path, help="corpus statistics")
    parser.add_argument("--significance", type=Path, help="output of the step `significance`")
    parser.add_argument(
        "--output-stem", type=Path, required=True, help="path of the table without its suffix"
    )
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.reporting.build import build_table
    from mluke_core.reporting.write import write_table_files

    table = build_table(
        arguments.settings,
        arguments.scores,
        arguments.selections,
        arguments.corpus,
        arguments.significance,
    )
    write_table_files(table, arguments.output_stem)


if __name__ == "__main__":
    sys.exit(main())
