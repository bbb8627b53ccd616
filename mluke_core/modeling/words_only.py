"""The words of a LUKE model as a model of XLM-R's format.

Example:
    python -m mluke_core.modeling.words_only results/mini/pretrained/mluke-mini words

Output: a folder that `AutoModelForMaskedLM` loads, with the outputs that the LUKE model gives for
inputs without entities.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from mluke_core.errors import DataError, MlukeError
from mluke_core.modeling.config import ModelConfig
from mluke_core.modeling.folder import model_card, write_model_folder
from mluke_core.modeling.initialization import ENTITY_PARAMETERS
from mluke_core.modeling.loading import load_for_prediction


def words_only(
    config: ModelConfig, weights: Mapping[str, torch.Tensor]
) -> tuple[ModelConfig, dict[str, torch.Tensor]]:
    """Configuration and weights without what belongs to entities.

    LUKE numbers its positions as XLM-R does, so nothing is moved.
    """
    plain = dataclasses.replace(
        config, family="xlm-roberta", entity_count=0, entity_embedding_size=0
    )
    kept = {
        name: tensor for name, tensor in weights.items() if not name.startswith(ENTITY_PARAMETERS)
    }
    return plain, kept


def export_words(folder: Path, output: Path) -> None:
    """Write the word model of the LUKE model in ``folder`` to ``output``.

    Raises:
        DataError: when ``folder`` is no LUKE model.
    """
    model = load_for_prediction(folder)
    if not model.has_entities:
        raise DataError(f"{folder}: has no entities, so its words are all of it. Use it as it is.")
    config, weights = words_only(model.config, dict(model.named_parameters()))
    facts = {
        "layers": config.layers,
        "hidden size": config.hidden_size,
        "words": config.vocabulary_size,
        "source": folder.name,
    }
    note = "The words of a LUKE model, without its entities, in the format of XLM-R."
    write_model_folder(output, config, weights, folder, model_card(folder.name, facts, note))


def main(argv: list[str] | None = None) -> int:
    """Run as a program; returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of a LUKE model")
    parser.add_argument("output", type=Path, help="folder to write")
    arguments = parser.parse_args(argv)
    try:
        export_words(arguments.model, arguments.output)
    except MlukeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
