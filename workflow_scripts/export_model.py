"""Write a pretrained model as a Hugging Face folder.

Example:
    python workflow_scripts/export_model.py \
        --settings '{"model": "mluke-mini", "objective": "luke", "origin": {"texts": "mine"}}' \
        --weights results/mini/pretraining/mluke-mini/stage2 \
        --base results/mini/pretrained/xlmr-mini \
        --vocabulary results/mini/entities/vocabulary.parquet \
        --entity-vocab results/mini/entities/entity_vocab.json \
        --output results/mini/pretrained/mluke-mini

Writes config.json, model.safetensors, the tokenizer's files, a model card, and entity_vocab.json
for a LUKE model, with [MASK2] as its last entity. "origin" is what the card says of the texts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="output of the last stage")
    parser.add_argument("--base", type=Path, required=True, help="model it started from")
    parser.add_argument("--vocabulary", type=Path, required=True, help="entity vocabulary")
    parser.add_argument("--entity-vocab", type=Path, required=True, help="entity_vocab.json")
    parser.add_argument("--output", type=Path, required=True, help="folder of the model")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    model, objective = required_settings(arguments.settings, "model", "objective")
    from mluke_core.pretraining.export_model import export_model

    export_model(
        arguments.weights,
        arguments.base,
        arguments.vocabulary,
        arguments.entity_vocab,
        objective,
        arguments.settings.get("label", model),
        arguments.output,
        arguments.settings.get("origin"),
    )


if __name__ == "__main__":
    sys.exit(main())
