"""Parameter names of this project against those of the Hugging Face classes.

One table for BERT, RoBERTa, XLM-R and LUKE: their bodies share their names, their heads differ.
"""

from __future__ import annotations

from mluke_core.modeling.config import ModelConfig

BODY_PREFIX = {"xlm-roberta": "roberta.", "roberta": "roberta.", "bert": "bert.", "luke": "luke."}

_WEIGHT = ("weight",)
_BOTH = ("weight", "bias")

_WORDS = {
    "encoder.words.word": ("embeddings.word_embeddings", _WEIGHT),
    "encoder.words.position": ("embeddings.position_embeddings", _WEIGHT),
    "encoder.words.token_type": ("embeddings.token_type_embeddings", _WEIGHT),
    "encoder.words.norm": ("embeddings.LayerNorm", _BOTH),
}
_ENTITIES = {
    "encoder.entities.entity": ("entity_embeddings.entity_embeddings", _WEIGHT),
    "encoder.entities.projection": ("entity_embeddings.entity_embedding_dense", _WEIGHT),
    "encoder.entities.position": ("entity_embeddings.position_embeddings", _WEIGHT),
    "encoder.entities.token_type": ("entity_embeddings.token_type_embeddings", _WEIGHT),
    "encoder.entities.norm": ("entity_embeddings.LayerNorm", _BOTH),
}
_LAYER = {
    "attention.query": ("attention.self.query", _BOTH),
    "attention.key": ("attention.self.key", _BOTH),
    "attention.value": ("attention.self.value", _BOTH),
    "attention.output": ("attention.output.dense", _BOTH),
    "attention_norm": ("attention.output.LayerNorm", _BOTH),
    "expand": ("intermediate.dense", _BOTH),
    "contract": ("output.dense", _BOTH),
    "norm": ("output.LayerNorm", _BOTH),
}
_ROBERTA_HEAD = {
    "word_head.dense": ("lm_head.dense", _BOTH),
    "word_head.norm": ("lm_head.layer_norm", _BOTH),
    "word_head": ("lm_head", ("bias",)),
}
_BERT_HEAD = {
    "word_head.dense": ("cls.predictions.transform.dense", _BOTH),
    "word_head.norm": ("cls.predictions.transform.LayerNorm", _BOTH),
    "word_head": ("cls.predictions", ("bias",)),
}
_ENTITY_HEAD = {
    "entity_head.dense": ("entity_predictions.transform.dense", _BOTH),
    "entity_head.norm": ("entity_predictions.transform.LayerNorm", _BOTH),
    "entity_head": ("entity_predictions", ("bias",)),
}


def hub_names(config: ModelConfig) -> dict[str, str]:
    """Hugging Face name of every parameter of a :class:`MlukeForPrediction`.

    >>> from mluke_core.modeling.config import ModelConfig
    >>> names = hub_names(ModelConfig("bert", 10, 8, 1, 2, 16, 12))
    >>> names["encoder.layers.0.expand.bias"]
    'bert.encoder.layer.0.intermediate.dense.bias'
    """
    body = dict(_WORDS)
    if config.has_entities:
        body |= _ENTITIES
        if config.entity_embedding_size == config.hidden_size:
            del body["encoder.entities.projection"]
    for layer in range(config.layers):
        for own, (hub, leaves) in _LAYER.items():
            body[f"encoder.layers.{layer}.{own}"] = (f"encoder.layer.{layer}.{hub}", leaves)
    prefix = BODY_PREFIX[config.family]
    heads = dict(_BERT_HEAD if config.family == "bert" else _ROBERTA_HEAD)
    if config.has_entities:
        heads |= _ENTITY_HEAD
    return {
        f"{own}.{leaf}": f"{start}{hub}.{leaf}"
        for start, table in ((prefix, body), ("", heads))
        for own, (hub, leaves) in table.items()
        for leaf in leaves
    }


def tied_names(config: ModelConfig) -> dict[str, str]:
    """Further names under which ``transformers`` expects a tensor: name -> where it is kept.

    ``LukeForMaskedLM`` of transformers 5 does not tie the word decoder to the embeddings, so a
    LUKE folder must hold the copy; the other classes tie theirs.
    """
    if config.family != "luke":
        return {}
    return {
        "lm_head.decoder.weight": "luke.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    }
