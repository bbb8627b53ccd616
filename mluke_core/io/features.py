"""Vectors that a probe keeps: ``{language}_ids`` and ``{language}_vectors`` in an ``.npz`` file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mluke_core.errors import DataError
from mluke_core.io.files import atomic_path

IDS, VECTORS = "_ids", "_vectors"
Features = tuple[list[str], NDArray[np.float32]]
"""Ids of N examples and their vectors, N x H."""


def write_features(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as ``.npz`` without pickled objects: same arrays, same bytes."""
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, allow_pickle=False, **dict(arrays))


def read_features(path: Path) -> dict[str, Features]:
    """Ids and vectors by language, in the order of the file.

    Raises:
        DataError: the file is missing or damaged, or ids and vectors do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            loaded = {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: not a file of vectors ({error}). Delete it so that it is made again."
        ) from None
    features = {}
    for name, vectors in loaded.items():
        if not name.endswith(VECTORS):
            continue
        language = name.removesuffix(VECTORS)
        ids = loaded.get(language + IDS)
        if ids is None or vectors.ndim != 2 or len(ids) != len(vectors):
            raise DataError(
                f"{path}: '{name}' has not one row for each of '{language}{IDS}'. Delete the file "
                "so that it is made again."
            )
        features[language] = ([str(example) for example in ids], vectors)
    return features
