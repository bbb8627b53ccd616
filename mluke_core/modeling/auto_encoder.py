"""Word encoders of other families: whatever ``transformers.AutoModel`` loads from a folder.

Batches are padded here, since these models know no packed sequences. Words go in as embeddings, so
that a table cut to the words in use, and rows added for markers, work as in
:class:`~mluke_core.modeling.encoder.MlukeEncoder`. No code comes from the folder, only weights.

Shapes: B sequences, S words of the longest, T words of all, D size of a word embedding, H hidden
size.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from mluke_core.errors import DataError
from mluke_core.io.files import read_json
from mluke_core.modeling.config import WordModelConfig
from mluke_core.modeling.encoder import Encoder, EncoderOutput
from mluke_core.modeling.inputs import Example, PackedBatch, pack
from mluke_core.modeling.layers import Embedding

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

# Of a model without a table of positions, and so without a limit: as long as most others read.
DEFAULT_LENGTH = 512

# Largest difference between words put in as ids and as embeddings.
TOLERANCE = 1e-4

# A last layer that no word's vector comes from; checkpoints are published without it.
_UNREAD = "pooler."


class Words(nn.Module):
    """The word embedding table, taken out of its model."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.word: Embedding = Embedding.from_pretrained(table.weight.detach(), freeze=False)


class AutoEncoder(Encoder):
    """A model of ``transformers`` that takes packed batches of words.

    Args:
        model: one that :func:`check_kind` accepts; its word table is moved out of it.
    """

    config: WordModelConfig
    words: Words

    def __init__(self, model: PreTrainedModel, config: WordModelConfig) -> None:
        super().__init__()
        table = model.get_input_embeddings()
        assert isinstance(table, nn.Embedding)
        self.config = config
        self.words = Words(table)
        # Otherwise a second, whole table would be trained, kept and saved.
        model.set_input_embeddings(nn.Identity())
        self.model = model

    def forward(self, batch: PackedBatch) -> EncoderOutput:
        """Encode a batch of words."""
        self.check(batch)
        embedded_TD = self.words.word(batch.word_ids_T)
        lengths_B = torch.from_numpy(batch.word_offsets[1:] - batch.word_offsets[:-1])
        places_S = torch.arange(batch.maximum_length)
        real_BS = (places_S < lengths_B[:, None]).to(embedded_TD.device)
        embedded_BSD = embedded_TD.new_zeros(*real_BS.shape, embedded_TD.shape[1])
        embedded_BSD = embedded_BSD.masked_scatter(real_BS[:, :, None], embedded_TD)
        output = self.model(inputs_embeds=embedded_BSD, attention_mask=real_BS.long())
        hidden_TH = output.last_hidden_state[real_BS].float()
        return EncoderOutput(hidden_TH, hidden_TH[:0])


def load_auto_encoder(folder: str | Path) -> AutoEncoder:
    """Load an encoder of another family, in evaluation mode, float32, on the CPU.

    Raises:
        DataError: ``transformers`` cannot load it, weights are missing, or it cannot be used here.
    """
    return AutoEncoder(_load(Path(folder), folder), read_word_config(folder)).eval()


def read_word_config(folder: str | Path) -> WordModelConfig:
    """What has to be known of the model in ``folder``.

    Raises:
        DataError: ``transformers`` does not know this kind of model, or it cannot be used here.
    """
    from transformers import AutoModel

    hub = _hub_config(Path(folder))
    with torch.device("meta"):
        model = AutoModel.from_config(hub)
    check_kind(model, folder)
    return WordModelConfig(
        family=hub.model_type,
        vocabulary_size=hub.vocab_size,
        hidden_size=hub.hidden_size,
        maximum_length=_maximum_length(model),
        hidden_dropout=getattr(hub, "hidden_dropout_prob", getattr(hub, "dropout", 0.1)),
        pad_id=getattr(hub, "pad_token_id", None) or 0,
    )


def check_kind(model: PreTrainedModel, where: str | Path) -> None:
    """Raise :class:`DataError` unless ``model`` encodes words that are given as embeddings."""
    kind = model.config.model_type
    if getattr(model.config, "is_encoder_decoder", False):
        raise DataError(f"{where}: a {kind} model has a decoder; only encoders can be used here.")
    if not _has_word_table(model):
        raise DataError(
            f"{where}: a {kind} model has no single table of words, of which fine-tuning keeps the "
            "rows it needs. Use another encoder."
        )
    if "inputs_embeds" not in inspect.signature(model.forward).parameters:
        raise DataError(
            f"{where}: a {kind} model takes no inputs_embeds in place of ids, which the restricted "
            "word table and the markers of relations need. Use another encoder."
        )


def _has_word_table(model: PreTrainedModel) -> bool:
    """Whether one table holds the vectors of all words.

    CANINE, which hashes characters into several tables, has none; of such models
    ``get_input_embeddings`` raises what is caught here, and there is no other way to ask.
    """
    try:
        return isinstance(model.get_input_embeddings(), nn.Embedding)
    except NotImplementedError:
        return False


@torch.no_grad()
def check_outputs(folder: Path, where: str | Path) -> None:
    """Raise :class:`DataError` unless words get the vectors that the model itself gives them.

    A model may do more with ids than look them up: scale the embeddings, or derive positions or
    masks. Two sentences, one padded, are compared with what the model makes of their ids.

    Args:
        where: names the model in messages.
    """
    model = _load(folder, where)
    config = read_word_config(folder)
    kind = config.family
    ids = [word for word in range(20) if word != config.pad_id]
    sentences = [ids[2:9], ids[4:8]]
    expected = torch.cat(
        [model(torch.tensor([sentence])).last_hidden_state[0] for sentence in sentences]
    )
    encoder = AutoEncoder(model, config).eval()  # takes the model's word table out
    try:
        found = encoder(pack([Example(sentence) for sentence in sentences])).words_TH
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"{where}: a {kind} model fails when its words are put in as embeddings, padded to one"
            f" length ({error}). It cannot be used here."
        ) from error
    if found.shape != expected.shape or not torch.allclose(found, expected, atol=TOLERANCE):
        raise DataError(
            f"{where}: a {kind} model gives other vectors when its words are put in as embeddings,"
            " padded to one length. It cannot be used here."
        )


def _load(folder: Path, where: str | Path) -> PreTrainedModel:
    from transformers import AutoModel

    try:
        with _quiet():
            model, report = AutoModel.from_pretrained(
                folder,
                config=_hub_config(folder),
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{where}: transformers cannot load this model ({reason}).") from None
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(_UNREAD))
    if missing:
        raise DataError(
            f"{where}: no weights for '{missing[0]}' ({len(missing)} missing in all), which"
            " config.json asks for. Configuration and weights are of different models."
        )
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar, and no table of the heads that a checkpoint has beside the encoder."""
    from transformers.utils import logging as messages

    level, bar = messages.get_verbosity(), messages.is_progress_bar_enabled()
    messages.set_verbosity_error()
    messages.disable_progress_bar()
    try:
        yield
    finally:
        messages.set_verbosity(level)
        if bar:
            messages.enable_progress_bar()


def _hub_config(folder: Path) -> PretrainedConfig:
    import transformers

    path = folder / "config.json"
    kind = read_json(path).get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise DataError(
            f"{path}: model_type is {kind!r}, which transformers {transformers.__version__} does"
            " not know. Models that bring code of their own are not loaded."
        )
    return transformers.AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )


def _maximum_length(model: PreTrainedModel) -> int:
    """Positions of the model. RoBERTa's kin start behind the padding id: fewer than table rows."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            skipped = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - skipped
    positions = getattr(model.config, "max_position_embeddings", None) or 0
    return positions if positions > 0 else DEFAULT_LENGTH
