"""Predict a test collection with the selected runs of one system.

Only the selected grid point is used, with all its seeds. Columns whose data is not there are
recorded in the coverage file with the reason.

Example:
    python workflow_scripts/predict.py --settings settings.json --selection selection.json \\
        --weights lr0.001-b16-s1=weights --model R/pretrained/mluke-mini \\
        --sources relx=R/sources/relx.json --output relx.parquet --coverage relx.coverage.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--selection", type=Path, required=True, help="selection.json of the task")
    parser.add_argument(
        "--weights",
        type=named_path,
        nargs="+",
        required=True,
        metavar="RUN=PATH",
        help="fine-tuned weights by run; only those of selected runs are opened",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the pretrained model")
    parser.add_argument(
        "--sources",
        type=named_path,
        nargs="*",
        default=[],
        metavar="NAME=PATH",
        help="source manifests that hold the test data",
    )
    parser.add_argument(
        "--article-mentions", type=Path, help="mentions of the articles behind the questions"
    )
    parser.add_argument(
        "--mentions",
        type=named_path,
        nargs="*",
        default=[],
        metavar="LANGUAGE=PATH",
        help="mention tables of whole languages",
    )
    parser.add_argument("--output", type=Path, required=True, help="predictions (Parquet) to write")
    parser.add_argument(
        "--coverage", type=Path, required=True, help="JSON of what was read and linked, to write"
    )
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.tasks.predict import predict
    from mluke_core.tasks.settings import MentionFiles

    predict(
        arguments.settings,
        arguments.selection,
        dict(arguments.weights),
        arguments.model,
        dict(arguments.sources),
        MentionFiles(arguments.article_mentions, dict(arguments.mentions)),
        arguments.output,
        arguments.coverage,
    )


if __name__ == "__main__":
    sys.exit(main())
