"""Draw one figure of the report as svg.

Example:
    python workflow_scripts/figures.py --kind loss --settings '{"scale": "mini"}' \
        --inputs results/mini/pretraining/mluke-mini/stage1 \
                 results/mini/pretraining/mluke-mini/stage2 \
        --output results/mini/figures/loss/mluke-mini.svg

Kinds and their inputs: loss (folders of a model's stages, in order), corpus (reports/corpus.json),
sampling (sequences/manifest.json), vocabulary (reports/vocabulary.json), resources
(reports/resources.json), finetuning (result.json of all runs of a task), comparison and pairs
(a csv table).
"""

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--kind", required=True, help="which figure")
    parser.add_argument(
        "--inputs", type=Path, nargs="+", required=True, help="files or folders to draw from"
    )
    parser.add_argument("--output", type=Path, required=True, help="svg file")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.reporting.figures.draw import draw_figure

    draw_figure(arguments.kind, arguments.inputs, arguments.settings, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
