"""The batch of an update whose loss was not finite, kept for inspection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mluke_core.io.files import atomic_path
from mluke_core.modeling.folder import write_tensors
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Targets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def write_batch(
    path: Path,
    batch: PackedBatch,
    targets: Targets,
    languages_B: NDArray[np.int64],
    sequences_B: NDArray[np.int64],
) -> None:
    """Write what the model saw and had to predict as a safetensors file.

    Sequence ``i`` has the words ``word_offsets[i]`` to ``word_offsets[i + 1] - 1`` of ``word_ids``,
    entities alike; ``languages`` and ``sequences`` say which language of the manifest it is of and
    which of that language's training sequences it is.
    """
    tensors = {
        "word_ids": batch.word_ids_T,
        "word_offsets": torch.from_numpy(batch.word_offsets),
        "entity_ids": batch.entity_ids_E,
        "entity_offsets": torch.from_numpy(batch.entity_offsets),
        "masked_words": targets.words_W,
        "masked_word_ids": targets.word_ids_W,
        "masked_entities": targets.entities_K,
        "masked_entity_ids": targets.entity_ids_K,
        "languages": torch.from_numpy(languages_B),
        "sequences": torch.from_numpy(sequences_B),
    }
    with atomic_path(path) as temporary:
        write_tensors(
            temporary, {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        )
