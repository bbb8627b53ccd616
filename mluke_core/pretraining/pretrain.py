"""One stage of pretraining, from files to files."""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from mluke_core import __version__
from mluke_core.errors import DataError
from mluke_core.io.files import atomic_path, digest_of, file_digest, write_json
from mluke_core.modeling.config import read_config
from mluke_core.modeling.continue_training import luke_with_vocabulary, words_of
from mluke_core.modeling.initialization import add_entities
from mluke_core.modeling.loading import WEIGHTS_FILE, load_for_prediction
from mluke_core.modeling.prediction import MlukeForPrediction
from mluke_core.pretraining.checkpoints import Checkpoints
from mluke_core.pretraining.collate import MaskShares, Vocabulary
from mluke_core.pretraining.distributed import World, peers_watched, start_world
from mluke_core.pretraining.engine import Engine
from mluke_core.pretraining.flops import measured_tflops
from mluke_core.pretraining.hashing import key_of
from mluke_core.pretraining.journal import LOG_FILE, Journal
from mluke_core.pretraining.loader import Loader
from mluke_core.pretraining.loss_scale import SCALE_KEY, LossScale
from mluke_core.pretraining.manifest import (
    Manifest,
    check_tokenizer,
    check_vocabulary,
    read_manifest,
)
from mluke_core.pretraining.memory import check_memory, peak_memory_mb
from mluke_core.pretraining.optimizer import STATE_KEYS, freeze
from mluke_core.pretraining.row_table import row_weights
from mluke_core.pretraining.settings import PretrainingSettings
from mluke_core.pretraining.shards import SPLITS, Limits, UnpackedRows, unpack_shard, unpacked_path
from mluke_core.pretraining.stage_weights import (
    STAGE_WEIGHTS,
    read_stage_weights,
    write_stage_weights,
)
from mluke_core.pretraining.trainer import Trainer, parameter_counts
from mluke_core.pretraining.unigram import unigram_log_probabilities, unigram_scores
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.versions import STAGE_VERSIONS

log = logging.getLogger("mluke")

SUMMARY_FILE = "summary.json"


def pretrain(
    settings: PretrainingSettings,
    manifest_path: Path,
    vocabulary_path: Path,
    base: Path,
    previous: Path | None,
    work: Path,
    output: Path,
) -> None:
    """Train one stage and write its weights, log and summary to ``output``.

    Every process of the run calls it with the same arguments. A run that was interrupted goes on
    from the newest checkpoint under ``work``.

    Raises:
        MlukeError: for inputs that do not belong together or too little memory, before the first
            update; when SIGTERM stops the run; when the loss is no number any more; when another
            process dies or hangs.
    """
    world = start_world(settings.peer_timeout)
    if not world.is_first:
        log.setLevel(logging.WARNING)
    with peers_watched(world, settings.peer_timeout):
        _pretrain(settings, world, manifest_path, vocabulary_path, base, previous, work, output)


def _pretrain(
    settings: PretrainingSettings,
    world: World,
    manifest_path: Path,
    vocabulary_path: Path,
    base: Path,
    previous: Path | None,
    work: Path,
    output: Path,
) -> None:
    manifest = read_manifest(manifest_path)
    entity_mask_id = check_vocabulary(manifest, vocabulary_path)
    tokenizer = Tokenizer.load(base)
    check_tokenizer(manifest, tokenizer.digest, base)
    model = starting_model(settings, manifest, vocabulary_path, base, previous)
    data, log_folder = work / "data", work / "log"
    training, validation = _unpack(manifest, data, model, settings, world)
    vocabulary = Vocabulary(
        tokenizer.vocabulary_size,
        tokenizer.bos_id,
        tokenizer.eos_id,
        tokenizer.mask_id,
        entity_mask_id if model.has_entities else None,
    )
    shares = MaskShares(settings.word_mask_share, settings.entity_mask_share)
    loader = Loader(
        training, validation, manifest.weights, vocabulary, shares, settings.seed, settings.stage
    )
    identity = digest_of(
        [settings.identity(), manifest.digest, file_digest(_weights_of(base, previous))]
    )
    checkpoints = Checkpoints(work, identity, settings.keep_checkpoints)
    if world.is_first:
        checkpoints.warn_of_others()
    engine, step, seconds = _build_engine(model, settings, world, checkpoints)
    if not world.is_first:
        Trainer(engine, loader, settings, world, checkpoints, None, step, seconds).run()
        world.wait()
        return
    name = f"pretrain {settings.model} {settings.stage}"
    peak = settings.peak_tflops or measured_tflops(world.device, settings.precision)
    with Journal(log_folder, name, step, settings.steps) as journal:
        trainer = Trainer(
            engine, loader, settings, world, checkpoints, journal, step, seconds, peak
        )
        trainer.run()
    summary = _summary(settings, manifest, engine, loader, trainer)
    with atomic_path(output) as temporary:
        temporary.mkdir()
        write_stage_weights(temporary, model)
        shutil.copyfile(log_folder / LOG_FILE, temporary / LOG_FILE)
        write_json(temporary / SUMMARY_FILE, summary)
    checkpoints.remove()
    shutil.rmtree(data)
    world.wait()


def starting_model(
    settings: PretrainingSettings,
    manifest: Manifest,
    vocabulary: Path,
    base: Path,
    previous: Path | None,
) -> MlukeForPrediction:
    """Weights of the stage before, or the base model: a word model gets fresh entity parameters,
    a LUKE model those of its entities that the vocabulary has.

    Raises:
        DataError: when the model does not fit the vocabulary, or is not of the kind asked for.
    """
    if previous is not None:
        model = read_stage_weights(previous)
        if model.has_entities != (settings.objective == "luke"):
            raise DataError(
                f"{previous}: the stage before has {'' if model.has_entities else 'no '}entities,"
                f" but the objective is {settings.objective}. Give all stages of a model one"
                " objective."
            )
        if model.has_entities and model.config.entity_count != manifest.entity_count:
            raise DataError(
                f"{previous}: trained with {model.config.entity_count} entities, but"
                f" {manifest.path} has {manifest.entity_count}. Train the stage before again."
            )
        return model
    seed = key_of("entities", settings.seed) >> 1
    if read_config(base).has_entities:
        if settings.objective == "mlm":
            return words_of(base)
        return luke_with_vocabulary(base, vocabulary, seed)
    model = load_for_prediction(base)
    if settings.objective == "mlm":
        return model
    return add_entities(
        model,
        manifest.entity_count,
        settings.entity_embedding_size,
        seed,
        copy_positions=settings.entity_positions == "words",
    )


def _weights_of(base: Path, previous: Path | None) -> Path:
    return base / WEIGHTS_FILE if previous is None else previous / STAGE_WEIGHTS


def _unpack(
    manifest: Manifest,
    folder: Path,
    model: MlukeForPrediction,
    settings: PretrainingSettings,
    world: World,
) -> tuple[dict[str, UnpackedRows], dict[str, UnpackedRows]]:
    """Unpack the shards, each process its part, and open all of them."""
    config = model.config
    limits = Limits(
        words=manifest.word_count,
        # An "mlm" run ignores the entities, whatever they are.
        entities=manifest.entity_count,
        tokens=config.maximum_length - 2,
    )
    if manifest.word_count > config.vocabulary_size:
        raise DataError(
            f"{manifest.path}: made with a tokenizer of {manifest.word_count} words, but the model"
            f" has {config.vocabulary_size}. Tokenizer and model do not belong together."
        )
    own = manifest.shards[world.rank :: world.size]
    for shard in own:
        unpack_shard(shard, folder, limits)
    counts = [0.0] * world.size
    counts[world.rank] = len(own)
    # Summing also waits until all shards are there.
    counts = world.sum(counts)
    if world.hosts:
        by_host: dict[str, list[int]] = defaultdict(list)
        for host, count in zip(world.hosts, counts, strict=True):
            by_host[host].append(int(count))
        text = "; ".join(
            f"{len(shards)} on {host}, with {sum(shards)} of {len(manifest.shards)} shards"
            for host, shards in by_host.items()
        )
        log.info("%d processes: %s", world.size, text)
    paths: dict[str, dict[str, list[Path]]] = {split: defaultdict(list) for split in SPLITS}
    for shard in manifest.shards:
        for split in SPLITS:
            paths[split][shard.language].append(unpacked_path(shard, folder, split))
    training, validation = (
        {language: UnpackedRows(files) for language, files in paths[split].items()}
        for split in SPLITS
    )
    if not any(map(len, training.values())):
        raise DataError(
            f"{manifest.path}: no sequence to train on (all {sum(map(len, validation.values()))}"
            " are held out for validation). Lower sequences.validation_share."
        )
    log.info(
        "%s %s: %d training and %d validation sequences of %d languages",
        settings.model,
        settings.stage,
        sum(map(len, training.values())),
        sum(map(len, validation.values())),
        len(training),
    )
    return training, validation


def _build_engine(
    model: MlukeForPrediction,
    settings: PretrainingSettings,
    world: World,
    checkpoints: Checkpoints,
) -> tuple[Engine, int, float]:
    """The engine at the newest checkpoint, with the steps and seconds that it has behind it."""
    trainable = freeze(model, settings.trainable)
    expected = {
        f"{kind}.{name}": parameter.shape
        for name, parameter in trainable.items()
        for kind in ("weight", *STATE_KEYS)
    }
    if settings.precision == "fp16":
        expected[SCALE_KEY] = LossScale().state().shape
    check_memory(
        sum(parameter.numel() for parameter in model.parameters()),
        sum(parameter.numel() for parameter in trainable.values()),
        settings,
        world.size,
        world.device,
        sum(weights.numel() for weights in row_weights(model, settings)),
    )
    checkpoint = checkpoints.newest(expected)
    if checkpoint is None:
        return Engine(model, settings, world), 0, 0.0
    log.info("resuming after step %d", checkpoint.step)
    with torch.no_grad():
        for name, parameter in trainable.items():
            parameter.copy_(checkpoint.tensors[f"weight.{name}"])
    engine = Engine(model, settings, world)
    engine.load_state(checkpoint.tensors, checkpoint.step)
    return engine, checkpoint.step, checkpoint.seconds


def _summary(
    settings: PretrainingSettings,
    manifest: Manifest,
    engine: Engine,
    loader: Loader,
    trainer: Trainer,
) -> dict[str, Any]:
    parameters, trainable = parameter_counts(engine)
    shares = dict(zip(loader.plan.languages, loader.plan.shares.tolist(), strict=True))
    words, entities = unigram_log_probabilities(
        loader.training, shares, loader.vocabulary.word_count, engine.model.config.entity_count
    )
    targets = (
        targets
        for language in loader.validation
        for _, targets in loader.validation_batches(
            language, settings.validation_sequences, engine.micro_batch_size
        )
    )
    return {
        "model": settings.model,
        "stage": settings.stage,
        "steps": settings.steps,
        "seconds": round(trainer.seconds, 1),
        "peak_memory_mb": peak_memory_mb(trainer.world.device),
        "parameters": parameters,
        "trainable_parameters": trainable,
        "unigram": unigram_scores(targets, words, entities),
        "final": trainer.final,
        "processes": trainer.world.size,
        "data": {
            "languages": sorted(manifest.weights),
            "manifest": manifest.digest,
            "tokenizer": manifest.tokenizer_digest,
            "entity_vocabulary": manifest.vocabulary_digest,
        },
        "software": {
            "mluke_core": __version__,
            "pretrain": STAGE_VERSIONS["pretrain"],
            **{name: version(name) for name in ("torch", "deepspeed")},
        },
        "settings": asdict(settings),
    }
