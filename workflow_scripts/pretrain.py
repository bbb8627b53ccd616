"""Pretrain one stage of a model. Depends on the sequence manifest alone for its data.

Example:
    python workflow_scripts/pretrain.py --settings stage1.json \
        --manifest results/mini/sequences/manifest.json \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --base results/mini/pretrained/xlmr-mini --work results/mini/work/pretraining/mluke/stage1 \
        --output results/mini/pretraining/mluke-mini/stage1

Start it with workflow_scripts/launch.sh for several processes. A run that was interrupted goes on
from its newest checkpoint under --work.

Outputs, in --output: weights.safetensors, log.jsonl, summary.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="sequences/manifest.json")
    parser.add_argument("--vocabulary", type=Path, required=True, help="entity vocabulary")
    parser.add_argument("--base", type=Path, required=True, help="model to start from")
    parser.add_argument("--previous", type=Path, help="output of the stage before")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.pretraining.pretrain import pretrain
    from mluke_core.pretraining.settings import read_settings

    pretrain(
        read_settings(arguments.settings),
        arguments.manifest,
        arguments.vocabulary,
        arguments.base,
        arguments.previous,
        arguments.work,
        arguments.output,
    )


if __name__ == "__main__":
    sys.exit(main())
