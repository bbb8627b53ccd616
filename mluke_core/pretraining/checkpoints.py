"""Checkpoints of a run: whole or not there, checked when read, the last few kept.

A checkpoint is a folder ``step-00001200`` with ``state.safetensors`` (trainable weights and
optimizer state by parameter name, whatever the number of processes was) and ``state.json`` (step,
seconds so far, SHA-256 of the tensors). Order of the data, masks and dropout follow from the step
number, so there is nothing else to keep.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mluke_core.errors import DataError
from mluke_core.io.files import atomic_path, file_digest, read_json, write_json
from mluke_core.modeling.folder import write_tensors

log = logging.getLogger("mluke")

TENSORS_FILE = "state.safetensors"
STATE_FILE = "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """State after ``step`` updates."""

    step: int
    seconds: float
    tensors: dict[str, torch.Tensor]


class Checkpoints:
    """The checkpoints of one run, newest last.

    Args:
        folder: work folder of the stage.
        identity: digest of everything the weights depend on. Checkpoints of another identity,
            left from a run with other settings or data, are never read: going back to those
            settings finds them again, until the stage is complete.
        keep: how many to keep.
    """

    def __init__(self, folder: Path, identity: str, keep: int) -> None:
        self.folder = folder / f"checkpoints-{identity}"
        self.keep = keep

    def warn_of_others(self) -> None:
        """Name what earlier runs with other settings or data left."""
        for path in self._others():
            log.warning(
                "%s: left by a run with other settings or data; not used, and removed when the"
                " stage is complete",
                path,
            )

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and remove the oldest beyond those to keep."""
        target = self.folder / f"step-{checkpoint.step:08d}"
        with atomic_path(target) as temporary:
            temporary.mkdir()
            write_tensors(temporary / TENSORS_FILE, checkpoint.tensors)
            state = {
                "step": checkpoint.step,
                "seconds": checkpoint.seconds,
                "sha256": file_digest(temporary / TENSORS_FILE),
            }
            write_json(temporary / STATE_FILE, state)
            _flush(temporary)
        _flush_folder(self.folder)
        for path in self._paths()[: -self.keep]:
            shutil.rmtree(path)
        for path in self._folders(".step-*.tmp"):  # left by a process that was killed
            shutil.rmtree(path)

    def newest(self, expected: dict[str, torch.Size]) -> Checkpoint | None:
        """The newest intact checkpoint; damaged ones are skipped with a warning.

        Args:
            expected: name and shape of the tensors that the run needs.

        Raises:
            DataError: when an intact checkpoint holds other tensors.
        """
        for path in reversed(self._paths()):
            try:
                return _read(path, expected)
            except _Damaged as error:
                log.warning("%s: skipped, %s", path, error)
        return None

    def remove(self) -> None:
        """Remove all checkpoints, also those of other settings: the stage is complete."""
        for path in (self.folder, *self._others()):
            shutil.rmtree(path, ignore_errors=True)

    def _others(self) -> list[Path]:
        folders = sorted(self.folder.parent.glob("checkpoints-*"))
        return [path for path in folders if path != self.folder]

    def _paths(self) -> list[Path]:
        return self._folders("step-*")

    def _folders(self, pattern: str) -> list[Path]:
        """Without plain files, which are not ours: somebody's copy or archive of a checkpoint."""
        return sorted(path for path in self.folder.glob(pattern) if path.is_dir())


class _Damaged(Exception):
    """A checkpoint that is not what was written."""


def _read(path: Path, expected: dict[str, torch.Size]) -> Checkpoint:
    try:
        state = read_json(path / STATE_FILE)
        step, seconds, expected_digest = state["step"], state["seconds"], state["sha256"]
        digest = file_digest(path / TENSORS_FILE)
    except (DataError, OSError) as error:
        raise _Damaged(str(error)) from None
    except (KeyError, TypeError) as error:
        raise _Damaged(f"{STATE_FILE} is not complete (no {error})") from None
    if digest != expected_digest:
        raise _Damaged(f"{TENSORS_FILE} is damaged (its digest is not the one written with it)")
    try:
        tensors = load_file(path / TENSORS_FILE)
    except SafetensorError as error:
        raise _Damaged(str(error)) from None
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if shapes != expected:
        different = sorted(
            name for name in {*shapes, *expected} if shapes.get(name) != expected.get(name)
        )
        raise DataError(
            f"{path}: a checkpoint of another model ('{different[0]}' differs). Delete"
            f" {path.parent} to start the stage again."
        )
    return Checkpoint(step, seconds, tensors)


def _flush(folder: Path) -> None:
    """Have the files on the disk before the folder gets its name."""
    for path in folder.iterdir():
        with open(path, "rb") as stream:
            os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
