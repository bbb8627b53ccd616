"""Choose the run of a search that is best on the English development set.

Example:
    python workflow_scripts/select_run.py --settings '{"task": "ner", "metric": "f1"}' \\
        --results a/result.json b/result.json --output selection.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument(
        "--results", type=Path, nargs="+", required=True, help="result.json of every run"
    )
    parser.add_argument("--output", type=Path, required=True, help="selection.json to write")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.tasks.select_run import select_run

    select_run(arguments.settings, arguments.results, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
