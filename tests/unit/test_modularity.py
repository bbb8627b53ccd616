from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.errors import ConfigError, DataError
from mluke_core.io.sources import Source
from mluke_core.modeling.inputs import Example, pack
from mluke_core.modeling.loading import load_encoder
from mluke_core.probes.modularity import modularity, neighbour_graph, normalised_modularity
from mluke_core.probes.modularity_probe import pair_vectors, probe_modularity
from mluke_core.sequences.tokenizer import Tokenizer
from tests.probe_world import (
    RELX,
    ProbeWorld,
    build_world,
    entity_vocabulary,
    write_relx,
    write_source,
)


def slow_normalised_modularity(vectors: list[list[float]], languages: list[int], k: int) -> float:
    """The definition word by word, with lists and loops."""

    def cosine(i: int, j: int) -> float:
        one, other = vectors[i], vectors[j]
        product = sum(a * b for a, b in zip(one, other, strict=True))
        return product / math.sqrt(sum(a * a for a in one)) / math.sqrt(sum(b * b for b in other))

    nodes = range(len(vectors))
    nearest = {}
    for i in nodes:
        others = sorted((j for j in nodes if j != i), key=lambda j: (-cosine(i, j), j))
        nearest[i] = set(others[:k])
    weight = {
        (i, j): max(cosine(i, j), 0.0)
        for i in nodes
        for j in nodes
        if i != j and (j in nearest[i] or i in nearest[j])
    }
    entries = [pair for pair, value in weight.items() if value > 0]
    q = q_max = 0.0
    for language in set(languages):
        inside = sum(
            weight[i, j] for i, j in entries if languages[i] == language == languages[j]
        ) / len(entries)
        touching = sum(weight[i, j] for i, j in entries if languages[i] == language) / len(entries)
        most = sum(1 for i, _ in entries if languages[i] == language) / len(entries)
        q += inside - touching**2
        q_max += most - touching**2
    return q / q_max


def test_a_graph_of_two_separate_languages() -> None:
    weights = np.zeros((4, 4))
    weights[0, 1] = weights[1, 0] = weights[2, 3] = weights[3, 2] = 1
    result = modularity(weights, [0, 0, 1, 1])
    assert (result.q, result.q_max, result.edges) == (0.5, 0.5, 2)
    assert result.normalised == 1


def test_a_graph_that_only_crosses() -> None:
    weights = np.zeros((4, 4))
    weights[0, 2] = weights[2, 0] = weights[1, 3] = weights[3, 1] = 1
    result = modularity(weights, [0, 0, 1, 1])
    assert (result.q, result.q_max, result.normalised) == (-0.5, 0.5, -1)


def test_weights_below_one_by_hand() -> None:
    # Edges 0-1 (0.5, within), 1-2 (0.25, across), 2-3 (1, within): 2m = 6 entries.
    weights = np.zeros((4, 4))
    for i, j, value in ((0, 1, 0.5), (1, 2, 0.25), (2, 3, 1.0)):
        weights[i, j] = weights[j, i] = value
    result = modularity(weights, [0, 0, 1, 1])
    share_0, share_1 = 1.25 / 6, 2.25 / 6
    assert result.q == pytest.approx(1.0 / 6 - share_0**2 + 2.0 / 6 - share_1**2)
    assert result.q_max == pytest.approx(1 - share_0**2 - share_1**2)


def test_no_edges() -> None:
    assert modularity(np.zeros((3, 3)), [0, 0, 1]).normalised == 0


def test_neighbour_graph_by_hand() -> None:
    vectors = np.array([[1, 0], [2, 0], [1, 1], [-1, 0.0]])
    graph = neighbour_graph(vectors, 1)
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = 1
    # The third is as near to the first as to the second: the first comes first.
    expected[0, 2] = expected[2, 0] = math.sqrt(0.5)
    # The fourth's nearest is the third, at an obtuse angle: weight 0.
    np.testing.assert_allclose(graph, expected, atol=1e-15)


@pytest.mark.parametrize("neighbours", [0, 3, 7])
def test_too_few_nodes(neighbours: int) -> None:
    with pytest.raises(ValueError, match="neighbours of each of 3"):
        neighbour_graph(np.eye(3), neighbours)


def test_languages_far_apart_and_languages_on_one_spot() -> None:
    generator = np.random.default_rng(0)
    first = generator.normal(size=(30, 8)) * 0.01 + np.eye(8)[0]
    second = generator.normal(size=(30, 8)) * 0.01 + np.eye(8)[1]
    apart = normalised_modularity(first, second, 3).normalised
    assert apart == pytest.approx(1, abs=1e-3)
    same = generator.normal(size=(60, 8))
    mixed = normalised_modularity(same[:30], same[30:], 3).normalised
    assert abs(mixed) < 0.2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(2, 12), st.integers(1, 3))
def test_it_agrees_with_loops(seed: int, first: int, second: int, k: int) -> None:
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(first + second, 3)) + 0.5
    languages = [0] * first + [1] * second
    fast = normalised_modularity(vectors[:first], vectors[first:], k).normalised
    assert fast == pytest.approx(slow_normalised_modularity(vectors.tolist(), languages, k))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ProbeWorld:
    torch.set_num_threads(1)
    return build_world(tmp_path_factory.mktemp("probes"))


@pytest.fixture(scope="module")
def relx(world: ProbeWorld) -> Source:
    return write_relx(world.folder / "relx")


def paths_of(relx: Source) -> dict[str, Path]:
    return {language: relx.file(f"RELX_{language}.txt") for language in RELX}


def first_sentence(folder: Path) -> tuple[list[int], Tokenizer]:
    """The first English sentence with markers, by hand."""
    tokenizer = Tokenizer.load(folder)
    text = "Ada Lovelace was born in London."
    ids, [(_, end), (start, last)] = tokenizer.encode_with_spans(text, [(0, 12), (25, 31)])
    head, tail = tokenizer.vocabulary_size, tokenizer.vocabulary_size + 1
    marked = [head, *ids[:end], head, *ids[end:start], tail, *ids[start:last], tail, *ids[last:]]
    return [tokenizer.bos_id, *marked, tokenizer.eos_id], tokenizer


@pytest.mark.parametrize("kind", ["words", "luke", "bert"])
def test_word_vectors_are_those_of_the_first_markers(
    world: ProbeWorld, relx: Source, kind: str
) -> None:
    folder = getattr(world, kind)
    vectors = pair_vectors(folder, "word", paths_of(relx))["en"].vectors
    ids, tokenizer = first_sentence(folder)
    encoder = load_encoder(folder)
    seeds = [tokenizer.id_of(token) for token in "@#"]
    if None in seeds:
        seeds = [tokenizer.unk_id] * 2
    encoder.add_words(encoder.words.word.weight[torch.tensor(seeds)].detach())
    tail = ids.index(tokenizer.vocabulary_size + 1)
    with torch.no_grad():
        words = encoder(pack([Example(ids)])).words_TH
    np.testing.assert_allclose(vectors[0], torch.cat([words[1], words[tail]]), atol=1e-5)


def test_entity_vectors_are_those_of_both_masks(world: ProbeWorld, relx: Source) -> None:
    vectors = pair_vectors(world.luke, "entity", paths_of(relx))["en"].vectors
    ids, tokenizer = first_sentence(world.luke)
    head, tail = tokenizer.vocabulary_size, tokenizer.vocabulary_size + 1
    places = [[i for i, token in enumerate(ids) if token == marker] for marker in (head, tail)]
    spans = [(first, last + 1) for first, last in places]
    encoder = load_encoder(world.luke)
    seeds = torch.tensor([tokenizer.id_of(token) for token in "@#"])
    encoder.add_words(encoder.words.word.weight[seeds].detach())
    vocabulary = entity_vocabulary()
    masks = [vocabulary["[MASK]"], vocabulary["[MASK2]"]]
    with torch.no_grad():
        entities = encoder(pack([Example(ids, masks, spans)])).entities_EH
    np.testing.assert_allclose(vectors[0], entities.flatten(), atol=1e-5)


def test_scores_of_a_model(world: ProbeWorld, relx: Source) -> None:
    scores, features = probe_modularity(world.luke, "entity", relx, ["de", "fr"], 2, [1, 2, 50])
    assert scores["unavailable"] == {"fr": "RELX has no file in this language"}
    measures = scores["results"]["default"]["de"]
    assert sorted(measures) == ["modularity", "modularity_k1", "modularity_k2"]
    assert measures["modularity"] == measures["modularity_k2"]
    assert any("no 50 neighbours" in note for note in scores["notes"])
    assert scores["counts"] == {"de": 8}
    assert features["de_ids"].tolist() == ["1", "2", "3", "4"]
    both = np.concatenate([features["en_vectors"], features["de_vectors"]])
    slow = slow_normalised_modularity(both.astype(float).tolist(), [0] * 4 + [1] * 4, 2)
    assert measures["modularity"][0] == pytest.approx(slow, abs=1e-6)


def test_wrong_inputs_are_refused(world: ProbeWorld, relx: Source, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without entities"):
        probe_modularity(world.words, "entity", relx, ["de"], 3, [])
    with pytest.raises(DataError, match="no RELX file of any language of fr"):
        probe_modularity(world.words, "word", relx, ["fr"], 3, [])
    only_german = Source(write_source(tmp_path, "relx", {"RELX_de.txt": "1\t<e1>a</e1>"}))
    with pytest.raises(DataError, match="has no file 'RELX_en"):
        probe_modularity(world.words, "word", only_german, ["de"], 3, [])
