"""Tokenizers of the three kinds, and text that is cut at mention boundaries."""

from __future__ import annotations

import json
import shutil
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.errors import DataError
from mluke_core.sequences.build_tokenizer import build_tokenizer
from mluke_core.sequences.segments import JsonSegmenter
from mluke_core.sequences.tokenizer import Tokenizer
from tests.alignment_world import TEXT, train_sentencepiece, write_source

LINES = TEXT.read_text("utf-8").splitlines()
XLMR = "huggingface.co/FacebookAI/xlm-roberta-base/resolve/main"
MBERT = "huggingface.co/google-bert/bert-base-multilingual-cased/resolve/main"
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "Berlin",
    "ber",
    "##lin",
    "##er",
    "##s",
    "in",
]
WORDS += ["É", "##cole", "東", "京", "(", ")", "[", "]", "MASK", "e", "##r"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("xlmr")
    model = train_sentencepiece(base / "files" / "sentencepiece.bpe.model")
    build_tokenizer(
        write_source(base / "source.json", "small", [model]), "sentencepiece", base / "xlmr"
    )
    return base / "xlmr"


@pytest.fixture(scope="module")
def xlmr(folder: Path) -> Tokenizer:
    return Tokenizer.load(folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    base = tmp_path_factory.mktemp("bert")
    (base / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8")
    source = write_source(base / "source.json", "small", [base / "vocab.txt"])
    build_tokenizer(source, "wordpiece", base / "bert")
    return Tokenizer.load(base / "bert")


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    import tokenizers

    base = tmp_path_factory.mktemp("bpe")
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(LINES, trainer)
    backend.save(str(base / "tokenizer.json"))
    source = write_source(base / "source.json", "small", [base / "tokenizer.json"])
    build_tokenizer(source, "json", base / "bpe")
    return Tokenizer.load(base / "bpe")


# Outside the basic plane, combining, right to left, joined and without width; names of specials.
ODD = ["", " ", "  ", "\u00a0", "\t", "😀", "𠮷", "…", "é", "e\u0301", "\u200b", "\u200f", "<mask>"]
ODD += ["👩\u200d👧", "🇩🇪", "שלום", "העיר", "مدينة", "كِتَاب", "हिन्दी", "กรุงเทพ", "ﬁn", "½", "１２"]


def cut_text() -> st.SearchStrategy[tuple[str, list[tuple[int, int]]]]:
    """A line of the test data, perhaps with odd characters, and spans in it."""
    odd = st.sampled_from(ODD)
    pieces = st.lists(st.one_of(st.sampled_from(LINES), odd), min_size=1, max_size=4)
    return pieces.map("".join).flatmap(
        lambda text: st.tuples(
            st.just(text),
            st.lists(
                st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(
                    lambda pair: (min(pair), max(pair))
                ),
                max_size=5,
            ),
        )
    )


def surface(tokenizer: Tokenizer, ids: list[int]) -> str:
    """The text that tokens stand for, word starts as blanks."""
    return "".join(tokenizer.token_of(i) for i in ids).replace("▁", " ").strip()


def test_layout_of_xlmr(xlmr: Tokenizer) -> None:
    assert (xlmr.bos_id, xlmr.pad_id, xlmr.eos_id, xlmr.unk_id) == (0, 1, 2, 3)
    assert xlmr.mask_id == xlmr.vocabulary_size - 1
    assert xlmr.token_of(xlmr.mask_id) == "<mask>" and xlmr.id_of("<mask>") == xlmr.mask_id
    assert xlmr.id_of("no such piece") is None
    assert all(xlmr.id_of(xlmr.token_of(i)) == i for i in range(xlmr.vocabulary_size))
    with pytest.raises(DataError, match="no token with id"):
        xlmr.token_of(xlmr.vocabulary_size)


@settings(max_examples=100, deadline=None)
@given(cut=cut_text())
def test_fast_path_agrees_with_tokenizer_json(
    xlmr: Tokenizer, cut: tuple[str, list[tuple[int, int]]]
) -> None:
    text, spans = cut
    slow = JsonSegmenter(xlmr._backend)
    edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
    for start, end in pairwise(edges):
        before = text[start - 1] if start else ""
        assert xlmr.segmenter.encode(text[start:end], before) == slow.encode(
            text[start:end], before
        )
    assert xlmr.encode_with_spans(text, [])[0] == xlmr.encode(text).ids


@settings(max_examples=100, deadline=None)
@given(cut=cut_text())
def test_cutting_keeps_text_and_makes_no_spurious_word_starts(
    xlmr: Tokenizer, cut: tuple[str, list[tuple[int, int]]]
) -> None:
    text, spans = cut
    ids, token_spans = xlmr.encode_with_spans(text, spans)
    # Pieces of unknown characters may be fused in another way, so compare texts without them.
    if xlmr.unk_id not in ids:
        assert surface(xlmr, ids) == surface(xlmr, xlmr.encode(text).ids)
    assert len(token_spans) == len(spans)
    for (start, end), (first, last) in zip(spans, token_spans, strict=True):
        assert 0 <= first <= last <= len(ids)
        alone = xlmr.encode(text[start:end]).ids
        if xlmr.unk_id not in alone + ids[first:last]:
            assert surface(xlmr, ids[first:last]) == surface(xlmr, alone)


@settings(max_examples=100, deadline=None)
@given(cut=cut_text())
def test_offsets_cover_what_the_tokens_say(
    xlmr: Tokenizer, cut: tuple[str, list[tuple[int, int]]]
) -> None:
    text, _ = cut
    encoding = xlmr.encode(text)
    assert len(encoding.ids) == len(encoding.offsets)
    assert encoding == xlmr.encode_batch([text, "x"])[0]
    for token_id, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
        assert 0 <= start <= end <= len(text)
        token = xlmr.token_of(token_id).lstrip("▁")
        if token and token.isalpha() and token_id != xlmr.unk_id and text.isascii():
            assert text[start:end].strip() == token


def test_a_mention_inside_a_word(xlmr: Tokenizer) -> None:
    text = "Berliner Bäcker in 日本東京都は"
    ids, spans = xlmr.encode_with_spans(text, [(0, 6), (21, 23), (16, 18), (3, 3)])
    tokens = [xlmr.token_of(i) for i in ids]
    berlin, tokyo, after_blank, empty = ("".join(tokens[a:b]) for a, b in spans)
    assert (berlin, tokyo, after_blank, empty) == ("▁Berlin", "東京", "▁in", "")
    assert not tokens[spans[0][1]].startswith("▁")
    assert not tokens[spans[1][1]].startswith("▁")


def test_nested_and_overlapping_spans(xlmr: Tokenizer) -> None:
    text = "The river Danube flows"
    ids, (outer, inner, across) = xlmr.encode_with_spans(text, [(4, 16), (10, 16), (6, 12)])
    assert surface(xlmr, ids[slice(*outer)]) == "river Danube"
    assert surface(xlmr, ids[slice(*inner)]) == "Danube"
    assert surface(xlmr, ids[slice(*across)]) == "ver Da"


@pytest.mark.parametrize("span", [(-1, 2), (2, 1), (0, 9)])
def test_a_span_outside_the_text_is_an_error(xlmr: Tokenizer, span: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="not inside a text of 4"):
        xlmr.encode_with_spans("text", [span])


def test_special_tokens_in_text_are_text(
    xlmr: Tokenizer, bert: Tokenizer, byte_level: Tokenizer
) -> None:
    for tokenizer, text in (
        (xlmr, "a <mask> b</s>"),
        (byte_level, "a <mask> b</s>"),
        (bert, "in [MASK] [SEP]"),
    ):
        special = {tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id, tokenizer.pad_id}
        assert not special & set(tokenizer.encode(text).ids)
        assert not special & set(tokenizer.encode_batch([text])[0].ids)
        assert not special & set(tokenizer.encode_with_spans(text, [(2, 8)])[0])


def test_wordpiece_is_cased_and_keeps_accents(bert: Tokenizer) -> None:
    def tokens(text: str, *spans: tuple[int, int]) -> list[str]:
        return [bert.token_of(i) for i in bert.encode_with_spans(text, spans)[0]]

    assert tokens("École (東京)") == ["É", "##cole", "(", "東", "京", ")"]
    assert tokens("école") == ["[UNK]"]
    assert tokens("Berliners", (0, 6)) == ["Berlin", "##er", "##s"]
    assert tokens("in Berlin(er)", (3, 9)) == ["in", "Berlin", "(", "e", "##r", ")"]
    assert tokens("東京", (0, 1)) == ["東", "京"]
    assert tokens("Berlinx in", (0, 6)) == ["Berlin", "[UNK]", "in"]
    assert bert.bos_id == WORDS.index("[CLS]") and bert.eos_id == WORDS.index("[SEP]")


@settings(max_examples=100, deadline=None)
@given(cut=cut_text())
def test_byte_level_cuts_keep_the_text(
    byte_level: Tokenizer, cut: tuple[str, list[tuple[int, int]]]
) -> None:
    text, spans = cut
    ids, token_spans = byte_level.encode_with_spans(text, spans)
    decode = byte_level._backend.decode
    for (start, end), (first, last) in zip(spans, token_spans, strict=True):
        words = " ".join(text[start:end].split())
        assert decode(ids[first:last], skip_special_tokens=False).strip() == words


@settings(max_examples=100, deadline=None)
@given(cut=cut_text())
def test_offsets_are_of_the_original_text(
    xlmr: Tokenizer, byte_level: Tokenizer, cut: tuple[str, list[tuple[int, int]]]
) -> None:
    """What stands at a token's offsets is, alone, the text of the token."""
    text, _ = cut
    for tokenizer in (xlmr, byte_level):
        encoding = tokenizer.encode(text)
        ends = [0]
        for token_id, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            assert 0 <= start <= end <= len(text)
            ends.append(max(ends[-1], end))
            said = unicodedata.normalize("NFKC", tokenizer.text_of([token_id]).strip())
            if token_id != tokenizer.unk_id and "\ufffd" not in said:
                assert said in unicodedata.normalize("NFKC", text[start:end])
        # Nothing but white space and what the tokenizer leaves out lies behind the last token.
        assert not tokenizer.encode(text[ends[-1] :]).ids


@pytest.mark.parametrize("name", ["xlmr", "bert", "byte_level"])
def test_text_of_tokens(request: pytest.FixtureRequest, name: str) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(name)
    ids, (span,) = tokenizer.encode_with_spans("Berliners in Berlin", [(0, 6)])
    assert tokenizer.text_of(ids).strip() == "Berliners in Berlin"
    assert tokenizer.text_of(ids[slice(*span)]).strip() == "Berlin"
    assert not tokenizer.text_of(ids[span[1] :]).startswith(" ")
    assert tokenizer.text_of([]) == ""


@settings(max_examples=100, deadline=None)
@given(cut=cut_text())
def test_text_of_byte_level_tokens_is_the_text(
    byte_level: Tokenizer, cut: tuple[str, list[tuple[int, int]]]
) -> None:
    text = cut[0]
    assert byte_level.text_of(byte_level.encode(text).ids) == text


def test_transformers_reads_the_folders(folder: Path, bert: Tokenizer) -> None:
    from transformers import AutoTokenizer

    text = "Tokyo is the capital of 日本."
    loaded = AutoTokenizer.from_pretrained(str(folder))
    own = Tokenizer.load(folder)
    assert loaded(text).input_ids == [own.bos_id, *own.encode(text).ids, own.eos_id]
    assert loaded("a", "b").input_ids[0] == own.bos_id and loaded.mask_token_id == own.mask_id
    assert len(loaded) == own.vocabulary_size
    loaded = AutoTokenizer.from_pretrained(str(bert.folder))
    pair = loaded("in Berlin", "in")
    assert pair.input_ids == [2, 10, 5, 3, 10, 3] and pair.token_type_ids == [0, 0, 0, 0, 1, 1]


def test_files_of_two_tokenizers_are_refused(folder: Path, tmp_path: Path) -> None:
    other = train_sentencepiece(tmp_path / "sentencepiece.bpe.model", pieces=300)
    shutil.copy(folder / "tokenizer.json", tmp_path)
    source = write_source(tmp_path / "s.json", "mixed", [other, tmp_path / "tokenizer.json"])
    with pytest.raises(DataError, match="of different tokenizers"):
        build_tokenizer(source, "sentencepiece", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    # As many pieces, but two of them exchanged.
    description = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    vocabulary = description["model"]["vocab"]
    vocabulary[10], vocabulary[11] = vocabulary[11], vocabulary[10]
    (tmp_path / "tokenizer.json").write_text(json.dumps(description), "utf-8")
    shutil.copy(folder / "sentencepiece.bpe.model", tmp_path)
    with pytest.raises(DataError, match=r"id 10 is .* it is"):
        build_tokenizer(source, "sentencepiece", tmp_path / "out")


def test_bad_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no tokenizer\.json"):
        Tokenizer.load(tmp_path)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"not a model")
    source = write_source(tmp_path / "s.json", "bad", [tmp_path / "sentencepiece.bpe.model"])
    with pytest.raises(DataError, match="not a SentencePiece model"):
        build_tokenizer(source, "sentencepiece", tmp_path / "out")
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\nword\n", "utf-8")
    source = write_source(tmp_path / "s.json", "bad", [tmp_path / "vocab.txt"])
    with pytest.raises(DataError, match=r"\[SEP\], \[CLS\], \[MASK\] not found"):
        build_tokenizer(source, "wordpiece", tmp_path / "out")
    (tmp_path / "vocab.txt").write_text("\n".join([*WORDS, "in"]), "utf-8")
    with pytest.raises(DataError, match="ids would shift"):
        build_tokenizer(source, "wordpiece", tmp_path / "out")
    with pytest.raises(DataError, match="Write one of: sentencepiece, wordpiece, json"):
        build_tokenizer(source, "bpe", tmp_path / "out")
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "special_tokens_map.json").write_text('{"mask_token": "[MASK]"}')
    with pytest.raises(DataError, match=r"mask_token is '\[MASK\]', which"):
        Tokenizer.load(tmp_path / "copy")


def test_the_same_model_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    source = write_source(tmp_path / "s.json", "small", [folder / "sentencepiece.bpe.model"])
    build_tokenizer(source, "sentencepiece", tmp_path / "again")
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


@pytest.fixture(scope="module")
def real(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    base = tmp_path_factory.mktemp("real")
    names = ("sentencepiece.bpe.model", "tokenizer.json", "tokenizer_config.json")
    source = write_source(base / "s.json", "xlmr", [mirror / XLMR / name for name in names])
    build_tokenizer(source, "sentencepiece", base / "xlmr")
    return Tokenizer.load(base / "xlmr")


@pytest.mark.sample
def test_golden_ids_of_xlmr(real: Tokenizer) -> None:
    assert real.vocabulary_size == 250_002
    ids = [real.bos_id, *real.encode("Hello world!").ids, real.eos_id]
    assert ids == [0, 35378, 8999, 38, 2]
    assert real.encode_with_spans("Hello world!", [(0, 5)]) == ([35378, 8999, 38], [(0, 1)])


def xquad(mirror: Path) -> dict[str, list[tuple[str, list[str], list[tuple[int, int]]]]]:
    """Language to paragraphs of XQuAD: context, questions, characters of the answers."""
    folder = mirror / "raw.githubusercontent.com/google-deepmind/xquad/master"
    paragraphs: dict[str, list[tuple[str, list[str], list[tuple[int, int]]]]] = {}
    for path in sorted(folder.glob("xquad.*.json")):
        language = path.name.split(".")[1]
        for article in json.loads(path.read_text("utf-8"))["data"]:
            for entry in article["paragraphs"]:
                answers = [answer for question in entry["qas"] for answer in question["answers"]]
                paragraphs.setdefault(language, []).append(
                    (
                        entry["context"],
                        [question["question"] for question in entry["qas"]],
                        [(a["answer_start"], a["answer_start"] + len(a["text"])) for a in answers],
                    )
                )
    assert len(paragraphs) >= 11
    assert {len(entries) for entries in paragraphs.values()} == {240}
    for entries in paragraphs.values():
        assert sum(len(questions) for _, questions, _ in entries) == 1190
    return paragraphs


@pytest.mark.sample
def test_all_of_xquad_as_the_hub_encodes_it(real: Tokenizer, mirror: Path) -> None:
    """Contexts and questions: the corpus's path, this interface and the Hub's class agree."""
    from transformers import PreTrainedTokenizerFast

    hub = PreTrainedTokenizerFast(tokenizer_file=str(mirror / XLMR / "tokenizer.json"))
    for language, paragraphs in xquad(mirror).items():
        texts = [text for context, questions, _ in paragraphs for text in (context, *questions)]
        expected = hub(texts, add_special_tokens=False).input_ids
        raw = real.segmenter.encode_many(texts, [""] * len(texts))
        corpus = [real.segmenter.to_ids(np.array(ids, np.int64)).tolist() for ids in raw]
        assert corpus == expected, language
        assert [e.ids for e in real.encode_batch(texts[::12])] == expected[::12], language


@pytest.mark.sample
def test_answers_of_xquad_survive_the_cut(real: Tokenizer, mirror: Path) -> None:
    """A context cut at its answers says the same, and each answer is its own tokens' text."""

    def plain(text: str) -> str:
        return "".join(real._pieces._starting.Normalize(text).replace("▁", " ").split())  # type: ignore[union-attr]

    for paragraphs in xquad(mirror).values():
        for context, _, answers in paragraphs[::4]:
            ids, spans = real.encode_with_spans(context, answers)
            whole = real.encode(context).ids
            if real.unk_id not in ids:
                assert real.text_of(ids) == real.text_of(whole)
            for (start, end), (first, last) in zip(answers, spans, strict=True):
                tokens = ids[first:last]
                if real.unk_id not in tokens:
                    assert plain(real.text_of(tokens)) == plain(context[start:end])


@pytest.mark.sample
def test_mbert_on_xquad_as_the_hub_encodes_it(mirror: Path, tmp_path: Path) -> None:
    from transformers import BertTokenizerFast

    vocabulary = mirror / MBERT / "vocab.txt"
    source = write_source(tmp_path / "s.json", "mbert", [vocabulary])
    build_tokenizer(source, "wordpiece", tmp_path / "mbert")
    own = Tokenizer.load(tmp_path / "mbert")
    hub = BertTokenizerFast(vocab=str(vocabulary), do_lower_case=False, strip_accents=False)
    for language, paragraphs in xquad(mirror).items():
        texts = [
            text for context, questions, _ in paragraphs[::6] for text in (context, *questions)
        ]
        expected = hub(texts, add_special_tokens=False).input_ids
        assert [encoding.ids for encoding in own.encode_batch(texts)] == expected, language
        raw = own.segmenter.encode_many(texts[:40], [""] * 40)
        assert raw == expected[:40], language
