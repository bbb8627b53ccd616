"""Score the predictions of one system on one test collection by the rules of its data set.

Example:
    python workflow_scripts/score.py --settings settings.json --predictions relx.parquet \\
        --coverage relx.coverage.json --selection selection.json \\
        --sources relx=R/sources/relx.json --output relx.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--predictions", type=Path, required=True, help="predictions (Parquet)")
    parser.add_argument("--coverage", type=Path, required=True, help="coverage JSON of predict")
    parser.add_argument("--selection", type=Path, required=True, help="selection.json of the task")
    parser.add_argument(
        "--sources",
        type=named_path,
        nargs="*",
        default=[],
        metavar="NAME=PATH",
        help="source manifests that hold the gold answers",
    )
    parser.add_argument(
        "--diagonal", type=Path, help="G-XLT only: scores of MLQA, for the average of all pairs"
    )
    parser.add_argument("--output", type=Path, required=True, help="scores (JSON) to write")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.tasks.score import score

    score(
        arguments.settings,
        arguments.predictions,
        arguments.coverage,
        arguments.selection,
        dict(arguments.sources),
        arguments.output,
        arguments.diagonal,
    )


if __name__ == "__main__":
    sys.exit(main())
