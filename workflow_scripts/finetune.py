"""Fine-tune one system on one task with one point of the hyper-parameter search.

Trains on the English training data, evaluates on the English development data, and writes
result.json (dev scores, loss curve, baseline, seconds, peak memory) and the fine-tuned weights.
A killed run goes on from its last checkpoint under --work.

Example:
    python workflow_scripts/finetune.py --settings settings.json --model R/pretrained/mluke-mini \\
        --sources kbp37=R/sources/kbp37.json --work R/work/finetuned/mluke-e-mini/relation \\
        --output result.json --weights weights
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import named_path, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the pretrained model")
    parser.add_argument(
        "--sources",
        type=named_path,
        nargs="+",
        required=True,
        metavar="NAME=PATH",
        help="source manifests that hold the training and development data",
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
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for the checkpoint of an unfinished run"
    )
    parser.add_argument("--output", type=Path, required=True, help="result.json to write")
    parser.add_argument("--weights", type=Path, required=True, help="folder of weights to write")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.tasks.finetune import finetune
    from mluke_core.tasks.settings import MentionFiles

    finetune(
        arguments.settings,
        arguments.model,
        dict(arguments.sources),
        MentionFiles(arguments.article_mentions, dict(arguments.mentions)),
        arguments.work,
        arguments.output,
        arguments.weights,
    )


if __name__ == "__main__":
    sys.exit(main())
