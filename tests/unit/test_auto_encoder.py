"""Encoders of other families, as `transformers` writes them, through tasks and probes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.io.sources import Source
from mluke_core.modeling.auto_encoder import AutoEncoder
from mluke_core.modeling.config import WordModelConfig, read_encoder_config
from mluke_core.modeling.import_model import import_model
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.loading import load_encoder, load_for_prediction
from mluke_core.probes.modularity_probe import pair_vectors
from mluke_core.probes.retrieval import probe_retrieval
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.tasks.model import predict_scores
from mluke_core.tasks.settings import MentionFiles, make_task
from mluke_core.tasks.tables import Tables
from mluke_core.tasks.weights import load_weights
from tests import probe_world
from tests import task_world as world
from tests.unit.test_backbones import WORDS, hub_folder, learns, tune

# More rows than the tokenizer has words, as DeBERTa-v2 is published.
ROWS = len(WORDS) + 7
SIZES: dict[str, Any] = {
    "vocab_size": ROWS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "electra": {**SIZES, "embedding_size": 16},
    "distilbert": {
        "vocab_size": ROWS,
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 64,
        "max_position_embeddings": 128,
        "initializer_range": 0.1,
    },
    "deberta-v2": {
        **SIZES,
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "position_buckets": 16,
    },
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    """More threads than free cores make tiny models slow."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the kind `json`: what `save_pretrained` of a tokenizer leaves."""
    folder = tmp_path_factory.mktemp("tokenizer")
    source = world.write_source(folder, "words", {"vocab.txt": "\n".join(WORDS)})
    build_tokenizer(Source(source), "wordpiece", folder / "made")
    names = ("tokenizer.json", "special_tokens_map.json")
    files: dict[str, str | bytes] = {name: (folder / "made" / name).read_bytes() for name in names}
    source = world.write_source(folder, "published", files)
    build_tokenizer(Source(source), "json", folder / "tokenizer")
    return folder / "tokenizer"


def make_model(family: str, **changes: Any) -> Any:
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(0)
    return AutoModel.from_config(AutoConfig.for_model(family, **{**FAMILIES[family], **changes}))


def imported(folder: Path, tokenizer: Path, family: str) -> Path:
    source = world.write_source(folder, family, hub_folder(folder / "hub", make_model(family)))
    import_model(Source(source), tokenizer, "mine", folder / "model")
    return folder / "model"


@pytest.mark.parametrize("family", FAMILIES)
def test_words_get_the_vectors_of_automodel(family: str, tokenizer: Path, tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = imported(tmp_path, tokenizer, family)
    assert read_encoder_config(folder) == WordModelConfig(family, ROWS, 32, 128, 0.1, 0)
    peer = AutoModel.from_pretrained(folder).eval()
    encoder = load_encoder(folder)
    generator = np.random.default_rng(1)
    sentences = [generator.integers(1, ROWS, length).tolist() for length in (9, 40, 1, 17, 40)]
    with torch.no_grad():
        output = encoder(pack([Example(sentence) for sentence in sentences]))
        expected = [peer(torch.tensor([ids])).last_hidden_state[0] for ids in sentences]
    torch.testing.assert_close(output.words_TH, torch.cat(expected), atol=1e-5, rtol=0)
    assert output.entities_EH.shape == (0, 32)
    assert sum(value.numel() for value in encoder.state_dict().values()) == sum(
        value.numel() for value in peer.state_dict().values()
    )


@pytest.mark.parametrize("task", ["relation", "ner", "qa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_fine_tuned(family: str, task: str, tokenizer: Path, tmp_path: Path) -> None:
    model = imported(tmp_path, tokenizer, family)
    result = tune(tmp_path, model, task, "word")
    assert learns(result)
    task_ = make_task(result["settings"], model, MentionFiles())
    dev = task_.read(tmp_path / "data" / task / "dev")
    task_.labels = read_json(tmp_path / task / "weights" / "task.json")["labels"]
    features = task_.encode(dev, training=False)
    tuned = load_weights(tmp_path / task / "weights", model, task_, Tables.of(features))
    scores = predict_scores(tuned, features, "fp32", "dev")
    assert task_.evaluate(dev, task_.decode(dev, features, scores)) == result["dev"]


def test_added_words_are_read(tokenizer: Path, tmp_path: Path) -> None:
    encoder = load_encoder(imported(tmp_path, tokenizer, "electra"))
    (marker,) = encoder.add_words(encoder.words.word.weight[[9]].detach())
    assert marker == ROWS
    with torch.no_grad():
        new, old = (encoder(pack([Example([2, word, 3])])).words_TH for word in (marker, 9))
    torch.testing.assert_close(new, old)


def test_it_takes_no_entities_and_no_long_sequences(tokenizer: Path, tmp_path: Path) -> None:
    folder = imported(tmp_path, tokenizer, "distilbert")
    encoder = load_encoder(folder)
    with pytest.raises(DataError, match="this distilbert model has no entity embeddings"):
        encoder(pack([Example([2, 3], [0], [(0, 1)])]))
    with pytest.raises(DataError, match="129 tokens is longer than the 128 positions"):
        encoder(pack([Example([5] * 129)]))
    with pytest.raises(DataError, match=r"model_type is 'distilbert'; pretraining and mLAMA take"):
        load_for_prediction(folder)
    with pytest.raises(DataError, match=r"no entity_vocab\.json.*inputs: word"):
        tune(tmp_path, folder, "relation", "entity")


def test_positions_may_start_behind_the_padding() -> None:
    from transformers import AutoModel, CamembertConfig

    from mluke_core.modeling.auto_encoder import _maximum_length

    model = AutoModel.from_config(CamembertConfig(**SIZES, pad_token_id=1))
    assert _maximum_length(model) == 126


def test_probes_read_its_words(tmp_path: Path) -> None:
    folders = probe_world.build_world(tmp_path / "probes")
    from mluke_core.sequences.tokenizer import Tokenizer

    words = Tokenizer.load(folders.bert)
    changes = {"vocab_size": words.vocabulary_size, "pad_token_id": words.pad_id}
    files = hub_folder(tmp_path / "hub", make_model("electra", **changes))
    source = world.write_source(tmp_path, "electra", files)
    import_model(Source(source), folders.bert, "mine", tmp_path / "model")
    mlqa = probe_world.write_mlqa(tmp_path / "mlqa")
    scores, vectors = probe_retrieval(tmp_path / "model", "word", mlqa, ["de"], 64)
    assert scores["counts"] == {"de": 3}
    assert vectors["de_vectors"].shape[1] == 32
    relx = probe_world.write_relx(tmp_path / "relx")
    paths = {language: relx.file(f"RELX_{language}.txt") for language in ("en", "de")}
    pairs = pair_vectors(tmp_path / "model", "word", paths)
    assert pairs["de"].vectors.shape == (4, 64)


def test_weights_without_code_alone(tokenizer: Path, tmp_path: Path) -> None:
    """A .bin file of tensors, two of them one and the same, and a module beside it."""
    model = make_model("electra")
    model.save_pretrained(tmp_path / "hub")
    tensors = model.state_dict()
    tensors["generator_lm_head.weight"] = tensors["embeddings.word_embeddings.weight"]
    torch.save(tensors, tmp_path / "hub" / "pytorch_model.bin")
    hub = read_json(tmp_path / "hub" / "config.json")
    hub["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    files: dict[str, str | bytes] = {
        "config.json": json.dumps(hub),
        "pytorch_model.bin": (tmp_path / "hub" / "pytorch_model.bin").read_bytes(),
        "evil.py": f"open({str(tmp_path / 'touched')!r}, 'w')",
    }
    source = world.write_source(tmp_path, "mine", files)
    import_model(Source(source), tokenizer, "mine", tmp_path / "model")
    assert isinstance(load_encoder(tmp_path / "model"), AutoEncoder)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "canine"}, "a canine model has no single table of words"),
        ({"model_type": "t5", "d_model": 16, "num_layers": 1}, "a t5 model has a decoder"),
        ({"model_type": "my-own"}, "model_type is 'my-own', which transformers .* does not know"),
    ],
)
def test_other_kinds_are_refused(
    config: dict[str, Any], message: str, tokenizer: Path, tmp_path: Path
) -> None:
    source = world.write_source(tmp_path, "other", {"config.json": json.dumps(config)})
    with pytest.raises(DataError, match=message):
        import_model(Source(source), tokenizer, "mine", tmp_path / "model")


def test_what_does_not_fit_is_refused(tokenizer: Path, tmp_path: Path) -> None:
    from transformers import AutoModel, NystromformerConfig

    files = hub_folder(tmp_path / "hub", make_model("electra"))
    hub = json.loads(files["config.json"])
    cases: list[tuple[dict[str, Any], str]] = [
        ({"num_hidden_layers": 3}, r"no weights for 'encoder\.layer\.2.*\(16 missing in all\)"),
        ({"hidden_size": 64}, "transformers cannot load this model"),
        ({"pad_token_id": 1}, "pad_token_id is 1, but the tokenizer's is 0"),
        ({"vocab_size": 20}, f"vocab_size is 20, but the tokenizer has {len(WORDS)} words"),
    ]
    for number, (change, message) in enumerate(cases):
        changed = {**files, "config.json": json.dumps({**hub, **change})}
        source = world.write_source(tmp_path, f"case{number}", changed)
        with pytest.raises(DataError, match=message):
            import_model(Source(source), tokenizer, "mine", tmp_path / "model")
        assert not (tmp_path / "model").exists()
    # Its landmarks depend on the padded length.
    model = AutoModel.from_config(NystromformerConfig(**SIZES, pad_token_id=0))
    source = world.write_source(tmp_path, "nystrom", hub_folder(tmp_path / "nystrom_hub", model))
    with pytest.raises(DataError, match="gives other vectors when its words are put in"):
        import_model(Source(source), tokenizer, "mine", tmp_path / "model")
