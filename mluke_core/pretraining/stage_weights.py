"""The weights that a stage hands on: one safetensors file that holds its configuration too."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mluke_core.errors import DataError
from mluke_core.modeling.config import config_from_hub, config_to_hub
from mluke_core.modeling.folder import write_tensors
from mluke_core.modeling.loading import build_model
from mluke_core.modeling.prediction import MlukeForPrediction

STAGE_WEIGHTS = "weights.safetensors"


def write_stage_weights(folder: Path, model: MlukeForPrediction) -> None:
    """Write all weights by this project's names, with the configuration in the file's header."""
    tensors = {
        name: parameter.detach().cpu().contiguous() for name, parameter in model.named_parameters()
    }
    configuration = json.dumps(config_to_hub(model.config))
    write_tensors(folder / STAGE_WEIGHTS, tensors, {"config": configuration})


def read_stage_weights(folder: Path) -> MlukeForPrediction:
    """The model that a stage left in ``folder``; :class:`DataError` when there is none."""
    path = folder / STAGE_WEIGHTS
    try:
        with safe_open(path, framework="pt") as stored:
            config = config_from_hub(json.loads(stored.metadata()["config"]), path)
            tensors = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Train this stage first.") from None
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not the weights of a pretraining stage ({error}).") from None
    return build_model(config, tensors, path)
