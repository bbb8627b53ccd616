"""Make a tokenizer folder from the files a model was published with.

Example:
    python workflow_scripts/build_tokenizer.py --settings '{"kind": "sentencepiece"}' \
        --source results/sample/sources/xlmr_tokenizer.json \
        --output results/sample/tokenizers/xlmr

Outputs:
    a folder with tokenizer.json, tokenizer_config.json, special_tokens_map.json and the original
    file (sentencepiece.bpe.model or vocab.txt), as `transformers.AutoTokenizer` reads it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="source manifest")
    parser.add_argument("--output", type=Path, required=True, help="tokenizer folder")
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    from mluke_core.io.sources import Source
    from mluke_core.sequences.build_tokenizer import build_tokenizer

    (kind,) = required_settings(arguments.settings, "kind")
    build_tokenizer(Source(arguments.source), kind, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
