"""Make a fresh XLM-R- or BERT-type model with random weights, for a tokenizer.

Example:
    python workflow_scripts/initialize_model.py --tokenizer results/mini/tokenizers/xlmr \
        --settings '{"architecture": {"layers": 2, "hidden_size": 128, "heads": 4,
        "intermediate_size": 512}, "seed": 42}' --output results/mini/pretrained/xlmr-mini

Writes a Hugging Face folder: config.json, model.safetensors (with a masked language model head),
the tokenizer's files and a model card.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new model")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    architecture, seed = required_settings(arguments.settings, "architecture", "seed")
    from mluke_core.modeling.initialize_model import initialize_model

    initialize_model(architecture, arguments.tokenizer, seed, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
