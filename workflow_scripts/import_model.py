"""Bring a published checkpoint into this project's layout.

Example:
    python workflow_scripts/import_model.py --settings '{"name": "xlmr-base"}' \
        --source results/base24/sources/xlmr_base.json \
        --tokenizer results/base24/tokenizers/xlmr --output results/base24/pretrained/xlmr-base

Writes a Hugging Face folder: config.json, model.safetensors, the tokenizer's files, a model card,
and entity_vocab.json for a LUKE model.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="source manifest")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--output", type=Path, required=True, help="folder of the model")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    (name,) = required_settings(arguments.settings, "name")
    from mluke_core.io.sources import Source
    from mluke_core.modeling.import_model import import_model

    import_model(Source(arguments.source), arguments.tokenizer, name, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
