"""The training loop: schedule, batches, resume, and tables cut to the rows in use."""

import json
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.alignment.entity_vocabulary import EntityVocabulary
from mluke_core.errors import ConfigError, MlukeError
from mluke_core.modeling.attention import SelfAttention
from mluke_core.modeling.config import read_config
from mluke_core.modeling.dropout import Dropout
from mluke_core.modeling.inputs import pack_arrays
from mluke_core.modeling.loading import load_encoder
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks import trainer
from mluke_core.tasks.base import Feature
from mluke_core.tasks.batches import epoch_batches, inference_batches
from mluke_core.tasks.checkpoint import CHECKPOINT_FILE, TrainingState
from mluke_core.tasks.model import TaskModel, load_backbone, predict_scores
from mluke_core.tasks.relation import RelationTask
from mluke_core.tasks.tables import Rows, Tables
from mluke_core.tasks.trainer import TrainerSettings, learning_rate_at, train
from mluke_core.tasks.weights import load_weights, save_weights
from tests.task_world import entity_vocabulary, make_model, make_tokenizer, relations

SETTINGS = TrainerSettings(
    learning_rate=3e-3, batch_size=8, epochs=2, seed=1, weight_decay=0.5, gradient_clipping=1.0
)


class Stopped(Exception):
    """Stands for a kill."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    """More threads than free cores make tiny models slow."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    return make_model(folder / "luke", make_tokenizer(folder / "tokenizer"))


def make_task(base: Path, inputs: str = "entity") -> RelationTask:
    return RelationTask(
        {"maximum_length": 60},
        inputs,
        Tokenizer.load(base),
        read_config(base).vocabulary_size,
        EntityVocabulary(entity_vocabulary()),
    )


def make_features(task: RelationTask, folder: Path, count: int = 44) -> list[Feature]:
    path = folder / "relations.txt"
    path.write_text(relations(count, seed=1), encoding="utf-8")
    dataset = task.read(path)
    task.learn_labels(dataset)
    return task.encode(dataset, training=True)


def make_task_model(task: RelationTask, base: Path, tables: Tables) -> TaskModel:
    torch.manual_seed(3)
    return TaskModel(task, load_backbone(base, task, tables), tables)


def run(model: TaskModel, features: list[Feature], work: Path, **more: object) -> TrainingState:
    settings = TrainerSettings(**{**vars(SETTINGS), **more})  # type: ignore[arg-type]
    return train(model, features, settings, work, "print", lambda: {"f1": 1.0})


def test_learning_rate_grows_and_falls() -> None:
    rates = [learning_rate_at(step, 100, 6, 2e-5) for step in range(100)]
    assert max(rates) == 2e-5
    assert rates.index(2e-5) == 5
    assert np.all(np.diff(rates[:6]) > 0)
    assert np.all(np.diff(rates[6:]) < 0)
    assert rates[-1] == pytest.approx(2e-5 / 94)
    assert learning_rate_at(0, 1, 1, 1.0) == 1.0
    assert learning_rate_at(0, 3, 0, 1.0) == 1.0


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 20), st.integers(0, 3)
)
def test_every_input_once_an_epoch(lengths: list[int], batch_size: int, epoch: int) -> None:
    array = np.array(lengths)
    batches = epoch_batches(array, batch_size, 7, epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch_size)
    again = epoch_batches(array, batch_size, 7, epoch)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


def test_batches_are_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 400, 2000)
    batches = epoch_batches(lengths, 16, 1, 0)
    spread = np.mean([np.ptp(lengths[batch]) for batch in batches])
    assert spread < 20
    orders = [np.concatenate(epoch_batches(lengths, 16, 1, epoch)) for epoch in (0, 1)]
    assert not np.array_equal(*orders)


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 120))
def test_inference_batches_fit(lengths: list[int], rows: int) -> None:
    array = np.array(lengths, dtype=np.int64)
    batches = inference_batches(array, rows)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(array[batch].sum() <= rows or len(batch) == 1 for batch in batches)


def test_rows_find_ids() -> None:
    rows = Rows.of([np.array([9, 4]), np.array([4, 2]), np.zeros(0, dtype=np.int64)])
    assert rows.ids.tolist() == [2, 4, 9]
    assert rows.find(np.array([9, 2, 9])).tolist() == [2, 0, 2]
    with pytest.raises(KeyError, match="id 5 "):
        rows.find(np.array([4, 5]))
    with pytest.raises(KeyError, match="id 99 "):
        rows.find(np.array([99]))
    with pytest.raises(KeyError, match="id 1 "):
        Rows.of([]).find(np.array([1]))


def test_training_learns_and_is_deterministic(base: Path, tmp_path: Path) -> None:
    states = []
    for _ in range(2):
        task = make_task(base)
        features = make_features(task, tmp_path)
        model = make_task_model(task, base, Tables.of(features))
        states.append(run(model, features, tmp_path / "work", epochs=12, weight_decay=0.01))
    losses = [entry["loss"] for entry in states[0].history if "loss" in entry]
    assert losses == [entry["loss"] for entry in states[1].history if "loss" in entry]
    assert losses[-1] < 0.6 * losses[0]
    evaluated = [entry["step"] for entry in states[0].history if "dev" in entry]
    assert evaluated == list(range(6, 73, 6))
    assert not (tmp_path / "work" / CHECKPOINT_FILE).exists()


@pytest.mark.parametrize("stop", [5, 8])
def test_resume_gives_the_same_weights(base: Path, tmp_path: Path, stop: int) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    tables = Tables.of(features)
    whole = make_task_model(task, base, tables)
    expected = run(whole, features, tmp_path / "a", checkpoint_seconds=0.0)

    killed = make_task_model(task, base, tables)
    original, steps = killed.task.loss, 0

    def loss(*arguments: object) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps > stop:
            raise Stopped
        return original(*arguments)  # type: ignore[arg-type]

    killed.task.loss = loss  # type: ignore[method-assign,assignment]
    with pytest.raises(Stopped):
        run(killed, features, tmp_path / "b", checkpoint_seconds=0.0)
    killed.task.loss = original  # type: ignore[method-assign]
    assert (tmp_path / "b" / CHECKPOINT_FILE).exists()

    torch.manual_seed(99)  # another random state, and a fresh head
    resumed = TaskModel(task, load_backbone(base, task, tables), tables)
    state = run(resumed, features, tmp_path / "b", checkpoint_seconds=0.0)
    assert state.step == expected.step == 12
    assert state.history == expected.history
    assert state.decay == expected.decay
    for (name, a), b in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_foreign_and_damaged_checkpoints_are_left(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    tables = Tables.of(features)
    checkpoint = tmp_path / "work" / CHECKPOINT_FILE
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"not a checkpoint")
    state = run(make_task_model(task, base, tables), features, tmp_path / "work")
    assert state.history[0]["step"] == 1
    assert not checkpoint.exists()


def test_loss_that_is_no_number(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    model = make_task_model(task, base, Tables.of(features))
    with torch.no_grad():
        model.encoder.words.norm.weight.fill_(torch.nan)
    with pytest.raises(MlukeError, match=r"the loss is nan at step 1 .* lower it"):
        run(model, features, tmp_path / "work")


def test_steps_can_be_limited(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    model = make_task_model(task, base, Tables.of(features))
    state = run(model, features, tmp_path / "work", maximum_steps=4)
    assert state.step == 4
    assert [entry["step"] for entry in state.history if "dev" in entry] == [4]


def test_cut_tables_train_as_whole_ones(base: Path, tmp_path: Path) -> None:
    """Same weights as with all rows, after putting the pretrained rest back with its decay."""
    task = make_task(base)
    features = make_features(task, tmp_path)
    used = Tables.of(features)
    vocabulary = Tables(
        Rows(np.arange(task.vocabulary_size + 2)), Rows(np.arange(read_config(base).entity_count))
    )
    assert len(used.words.ids) < len(vocabulary.words.ids)
    whole = make_task_model(task, base, vocabulary)
    run(whole, features, tmp_path / "work")
    cut = make_task_model(task, base, used)
    state = run(cut, features, tmp_path / "work")
    save_weights(
        tmp_path / "weights", cut, used, state.decay, {"task": "relation", "inputs": "entity"}
    )
    loaded = load_weights(tmp_path / "weights", base, make_task(base), vocabulary)
    assert loaded.task.labels == task.labels
    for (name, a), b in zip(whole.named_parameters(), loaded.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4, msg=name)
    decayed = load_encoder(base).words.word.weight[1] * state.decay
    torch.testing.assert_close(loaded.encoder.words.word.weight[1], decayed)
    assert state.decay < 0.99


def test_prediction_with_words_that_training_lacked(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    model = make_task_model(task, base, Tables.of(features))
    state = run(model, features, tmp_path / "work")
    facts = {"task": "relation", "inputs": "entity"}
    save_weights(tmp_path / "weights", model, Tables.of(features), state.decay, facts)
    other = tmp_path / "other.txt"
    other.write_text('1\t"<e1> Kyoto </e1> said <e2> teacher </e2>"\nno_relation\n')
    fresh = make_task(base)
    fresh.labels = task.labels
    new = fresh.encode(fresh.read(other), training=False)
    both = [*features, *new]
    loaded = load_weights(tmp_path / "weights", base, fresh, Tables.of(both))
    scores = predict_scores(loaded, both, "fp32", "test")
    model.eval()
    with torch.inference_mode():
        expected = task.scores(model(features), features)
    np.testing.assert_allclose(np.stack(scores[:-1]), np.stack(expected), atol=1e-5)
    assert np.isfinite(scores[-1]).all()


def test_packed_rows_are_numbered_by_table(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path, 5)
    tables = Tables.of(features)
    batch = tables.pack(features, torch.device("cpu"))
    ids = np.concatenate([feature.word_ids for feature in features])
    assert np.array_equal(tables.words.ids[batch.word_ids_T.numpy()], ids)
    whole = load_encoder(base)
    cut = make_task_model(task, base, tables).encoder.eval()
    lengths = np.cumsum([0, *(len(feature.word_ids) for feature in features)])
    counts = np.cumsum([0, *(len(feature.entity_ids) for feature in features)])
    spans = np.concatenate([feature.entity_spans for feature in features])
    entities = np.concatenate([feature.entity_ids for feature in features])
    markers = np.array([task.tokenizer.id_of(token) for token in ("@", "#")])
    with torch.inference_mode():
        words = np.where(
            ids == task.vocabulary_size,
            markers[0],
            np.where(ids == task.vocabulary_size + 1, markers[1], ids),
        )
        expected = whole(pack_arrays(words, lengths, entities, counts, spans[:, 0], spans[:, 1]))
        found = cut(batch)
    torch.testing.assert_close(found.words_TH, expected.words_TH)
    torch.testing.assert_close(found.entities_EH, expected.entities_EH)


def without_dropout(model: TaskModel) -> TaskModel:
    for module in model.modules():
        if isinstance(module, SelfAttention):
            module.dropout = 0.0
        elif isinstance(module, Dropout):
            module.probability = 0.0
        elif isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def test_accumulated_gradients_are_those_of_the_batch(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    tables = Tables.of(features)
    whole = without_dropout(make_task_model(task, base, tables))
    expected = run(whole, features, tmp_path / "a")
    parts = without_dropout(make_task_model(task, base, tables))
    state = run(parts, features, tmp_path / "b", micro_batch_size=3)
    losses = [[entry.get("loss", 0) for entry in s.history] for s in (state, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for (name, a), b in zip(whole.named_parameters(), parts.named_parameters(), strict=True):
        torch.testing.assert_close(a, b[1], atol=1e-4, rtol=1e-3, msg=name)


def test_spans_weigh_the_parts_of_a_batch(tmp_path: Path) -> None:
    """Parts with different numbers of spans still give the mean over all spans."""
    from mluke_core.tasks.ner import NerTask

    sizes = [1, 5, 2]
    features = [
        Feature(np.zeros(1), np.zeros(0), np.zeros((0, 2)), 0, np.zeros(size, dtype=np.int64))
        for size in sizes
    ]
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    task = NerTask.__new__(NerTask)
    whole = task.loss(logits, features)
    parts = zip(logits.split(sizes), features, strict=True)
    weighted = sum(
        task.loss(part, [feature]) * task.loss_weight(feature) / 8 for part, feature in parts
    )
    torch.testing.assert_close(weighted, whole)


SCORES = [10.0, 30.0, 20.0, 30.0, 5.0, 5.0]


@pytest.mark.parametrize("kill", [None, 3])
def test_early_stopping_keeps_the_best(base: Path, tmp_path: Path, kill: int | None) -> None:
    """Evaluation 2 is best; after two more without a better one the run is over."""
    task = make_task(base)
    features = make_features(task, tmp_path)
    tables = Tables.of(features)
    settings = TrainerSettings(
        **{**vars(SETTINGS), "epochs": 6, "patience": 2, "metric": "f1", "checkpoint_seconds": 0.0}
    )
    seen: list[dict[str, torch.Tensor]] = []

    def attempt(stop: int | None) -> tuple[TrainingState, TaskModel]:
        model = make_task_model(task, base, tables)

        def evaluate() -> dict[str, float]:
            if stop is not None and len(seen) == stop:
                raise Stopped
            seen.append({name: p.detach().clone() for name, p in model.named_parameters()})
            return {"f1": SCORES[len(seen) - 1]}

        return train(model, features, settings, tmp_path / "work", "print", evaluate), model

    if kill is not None:
        with pytest.raises(Stopped):
            attempt(kill)
    state, model = attempt(None)
    assert len(seen) == 4
    assert state.best is not None
    assert (state.step, state.best.step, state.best.scores) == (24, 12, {"f1": 30.0})
    assert state.decay == state.best.decay
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, seen[1][name]), name


def test_early_stopping_needs_a_known_metric(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    model = make_task_model(task, base, Tables.of(features))
    with pytest.raises(ConfigError, match=r"'em'.*write one of f1"):
        run(model, features, tmp_path / "work", patience=1, metric="em")


def test_evaluations_between_epochs_and_the_log(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    model = make_task_model(task, base, Tables.of(features))
    state = run(model, features, tmp_path / "work", evaluation_interval=5)
    assert [entry["step"] for entry in state.history if "dev" in entry] == [5, 10, 12]
    lines = (tmp_path / "work" / "log" / "log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["step"] for entry in entries if entry["split"] == "dev"] == [5, 10, 12]
    losses = [entry["loss"] for entry in entries if entry["split"] == "train"]
    assert losses == [entry["loss"] for entry in state.history if "loss" in entry]
    assert list((tmp_path / "work" / "log" / "tensorboard").iterdir())


def test_log_has_words_and_entities_per_second(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that moves on by a second whenever it is asked: a step takes one."""
    task = make_task(base)
    features = make_features(task, tmp_path)
    model = make_task_model(task, base, Tables.of(features))
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=count().__next__))
    run(model, features, tmp_path / "work", epochs=1, evaluation_interval=2)
    lines = (tmp_path / "work" / "log" / "log.jsonl").read_text().splitlines()
    entries = [entry for line in lines if (entry := json.loads(line))["split"] == "train"]
    assert len(entries) == 6
    tokens = sum(len(feature.word_ids) + len(feature.entity_ids) for feature in features)
    assert sum(entry["tokens_per_second"] for entry in entries) == tokens


def test_bfloat16_leaves_the_weights_in_single_precision(base: Path, tmp_path: Path) -> None:
    task = make_task(base)
    features = make_features(task, tmp_path)
    model = make_task_model(task, base, Tables.of(features))
    state = run(model, features, tmp_path / "work", precision="bf16", epochs=8, weight_decay=0.01)
    losses = [entry["loss"] for entry in state.history if "loss" in entry]
    assert losses[-1] < 0.8 * losses[0]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
