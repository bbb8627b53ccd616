"""Write the report of a finished run: one page that opens without a network.

Example:
    python workflow_scripts/report.py --results results/mini --output results/mini/report.html

Reads the tables, figures, scores, predictions and provenance of the run.
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the run")
    parser.add_argument("--output", type=Path, required=True, help="the page")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.files import write_text
    from mluke_core.reporting.page.page import report_page
    from mluke_core.reporting.run_folder import RunFolder

    write_text(arguments.output, report_page(RunFolder(arguments.results)))


if __name__ == "__main__":
    sys.exit(main())
