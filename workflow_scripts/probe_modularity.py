"""Measure whether vectors cluster by language: modularity of neighbour graphs (Table 4).

Example:
    python workflow_scripts/probe_modularity.py --model results/mini/pretrained/mluke-mini \
        --settings '{"system": "mluke-e-mini", "inputs": "entity", "probe":
        {"languages": ["de", "tr"], "neighbours": 3, "sweep": [3, 5, 10]}}' \
        --source results/mini/sources/relx.json \
        --output results/mini/scores/mluke-e-mini/modularity.json \
        --features results/mini/features/mluke-e-mini/modularity.npz

Writes the modularity per language, for the headline number of neighbours and a sweep over others,
and with --features the vectors behind it.
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
    languages, neighbours, sweep = required_settings(probe, "languages", "neighbours", "sweep")
    from mluke_core.io.features import write_features
    from mluke_core.io.files import write_json
    from mluke_core.io.sources import Source
    from mluke_core.probes.modularity_probe import probe_modularity

    scores, features = probe_modularity(
        arguments.model, inputs, Source(arguments.source), languages, neighbours, sweep
    )
    if arguments.features:
        write_features(arguments.features, features)
    write_json(arguments.output, {"system": system, **scores})


if __name__ == "__main__":
    sys.exit(main())
