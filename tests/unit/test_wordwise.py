"""Word by word or as a whole: the same tokens and offsets."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.io.files import read_json
from mluke_core.io.sources import Source
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.tokenizer import Tokenizer
from mluke_core.tasks.wordwise import WordwiseTokenizer
from tests import task_world as world

XQUAD = "raw.githubusercontent.com/google-deepmind/xquad/master"
TOKENIZER = "huggingface.co/FacebookAI/xlm-roberta-base/resolve/main"


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    folder = tmp_path_factory.mktemp("tokenizers")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "Paris",
        "Ada",
        "##s",
        "a",
        "b",
        ".",
        ",",
    ]
    manifest = world.write_source(folder, "bert", {"vocab.txt": "\n".join(words)})
    build_tokenizer(Source(manifest), "wordpiece", folder / "bert")
    return {
        "xlmr": Tokenizer.load(world.make_tokenizer(folder / "xlmr")),
        "bert": Tokenizer.load(folder / "bert"),
    }


def check(wordwise: WordwiseTokenizer, tokenizer: Tokenizer, text: str) -> None:
    expected = tokenizer.encode(text)
    ids, starts, ends = wordwise.encode(text)
    assert ids.tolist() == expected.ids, text
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == expected.offsets, text


PIECES = st.sampled_from(
    [
        *(*world.PEOPLE, *world.PLACES, "was", "born", "(", ")", '"', ".", "Paris.", "Ⅳ", "…", "½"),
        *(" ", "  ", "\t", "\n", "\u00a0", "\u3000", "\u200b", "\u0301", "\u200d", "\u0600", "<s>"),
        *("漢字", "กา", "हिन्दी", "👍🏽", "İ", "ﬁn", "<mask>", "[MASK]"),
    ]
)


@pytest.mark.parametrize("name", ["xlmr", "bert"])
@given(st.lists(PIECES, max_size=12))
def test_same_tokens_as_the_whole_text(
    tokenizers: dict[str, Tokenizer], name: str, pieces: list[str]
) -> None:
    wordwise = WordwiseTokenizer(tokenizers[name])
    text = "".join(pieces)
    check(wordwise, tokenizers[name], text)
    check(wordwise, tokenizers[name], text)


def test_many_words_do_not_fill_the_memory(
    tokenizers: dict[str, Tokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mluke_core.tasks.wordwise._MOST_KEPT", 3)
    wordwise = WordwiseTokenizer(tokenizers["xlmr"])
    for text in ("Ada was born", "in Paris , Bo", "Ada was born in Paris"):
        check(wordwise, tokenizers["xlmr"], text)
    assert len(wordwise._known) < 10


def test_tokenizer_that_joins_words_is_given_whole_texts(tmp_path: Path) -> None:
    """A byte-level vocabulary in which the blank belongs to the word behind it."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers

    letters = pre_tokenizers.ByteLevel.alphabet()
    vocabulary = {token: number for number, token in enumerate(["<s>", "</s>", "<pad>", "<mask>"])}
    vocabulary |= {letter: number + 4 for number, letter in enumerate(sorted(letters))}
    vocabulary["<unk>"] = len(vocabulary)
    backend = Backend(models.BPE(vocabulary, [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.save(str(tmp_path / "tokenizer.json"))
    names = {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "mask": "<mask>", "unk": "<unk>"}
    tokens = {f"{key}_token": token for key, token in names.items()}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(tokens))
    tokenizer = Tokenizer.load(tmp_path)
    check(WordwiseTokenizer(tokenizer), tokenizer, "Ada was  born in Paris .")


def test_real_questions(root: Path) -> None:
    mirror = root.parent / "shared" / "mirror"
    if not (mirror / XQUAD).exists():
        pytest.skip("needs the mirror of real data in ../shared/mirror")
    tokenizer = Tokenizer.load(mirror / TOKENIZER)
    wordwise = WordwiseTokenizer(tokenizer)
    for language in ("ar", "hi", "th", "zh", "es"):
        articles = read_json(mirror / XQUAD / f"xquad.{language}.json")["data"]
        contexts = [
            paragraph["context"] for article in articles for paragraph in article["paragraphs"]
        ]
        for text in contexts[:40]:
            check(wordwise, tokenizer, text)
