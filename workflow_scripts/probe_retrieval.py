"""Retrieve translated answers by their contextual vectors (CWR, Table 2).

Example:
    python workflow_scripts/probe_retrieval.py --model results/mini/pretrained/mluke-mini \
        --settings '{"system": "mluke-e-mini", "inputs": "entity", "probe":
        {"languages": ["ar", "de"], "maximum_length": 512}}' \
        --source results/mini/sources/mlqa.json \
        --output results/mini/scores/mluke-e-mini/cwr.json \
        --features results/mini/features/mluke-e-mini/cwr.npz

Writes the mean reciprocal rank (percent) per language, and with --features the vectors behind it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mluke_core.io.cli import required_settings, run_step, step_parser


def main(argv: list[str] | None = None) -> int:
    parser = step_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--source", type=Path, required=True, help="source manifest of the data")
    parser.add_argument("--output", type=Path, required=True, help="scores")
    parser.add_argument(
        "--features", type=Path, help="also write ids and vectors to this .npz file"
    )
    return run_step(parser, run, argv)


def run(arguments: argparse.Namespace) -> None:
    system, inputs, probe = required_settings(arguments.settings, "system", "inputs", "probe")
    languages, maximum_length = required_settings(probe, "languages", "maximum_length")
    from mluke_core.io.features import write_features
    from mluke_core.io.files import write_json
    from mluke_core.io.sources import Source
    from mluke_core.probes.retrieval import probe_retrieval

    scores, features = probe_retrieval(
        arguments.model, inputs, Source(arguments.source), languages, maximum_length
    )
    if arguments.features:
        write_features(arguments.features, features)
    write_json(arguments.output, {"system": system, **scores})


if __name__ == "__main__":
    sys.exit(main())
