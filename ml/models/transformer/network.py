"""The sequential recommender's network: a causal transformer over a user's events, as a Transformers model.

Shapes: B sequences, L events, D width, I items, E width of the text embeddings. Sequences are padded on the right, so causal
attention alone hides padding from every real event.

The architecture follows SASRec (Kang and McAuley, 2018) with tied item embeddings. It differs in the loss, a full softmax
cross-entropy instead of one sampled negative, and in the items, each the sum of its identity and its projected text.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from ml.models.transformer.loss import cross_entropy

GAP_BUCKETS = 26
"""0 is unknown; b >= 1 means a gap of 2^(b-1) - 1 seconds or more, up to a year."""
HOURS, WEEKDAYS = 25, 8
"""0 is unknown."""
IGNORED_LABEL = -100
MASKED_LOGIT = -1e9


class SequenceConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """The architecture's settings."""

    model_type = "clickwright_sequence"

    n_items: int = 0
    width: int = 64
    layers: int = 2
    heads: int = 2
    max_length: int = 64
    text_width: int = 384
    dropout: float = 0.2
    identity_dropout: float = 0.1


class Block(nn.Module):
    """Pre-norm causal attention and a feed-forward layer."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.dropout
        self.attention_norm = nn.LayerNorm(config.width)
        self.mix = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.feed_norm = nn.LayerNorm(config.width)
        self.feed = nn.Sequential(
            nn.Linear(config.width, 4 * config.width),
            nn.GELU(),
            nn.Linear(4 * config.width, config.width),
        )

    def forward(self, x_BLD: Tensor) -> Tensor:
        B, L, D = x_BLD.shape
        q, k, v = self.mix(self.attention_norm(x_BLD)).view(B, L, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        p = self.dropout if self.training else 0.0
        met = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
        x_BLD = x_BLD + F.dropout(self.out(met.transpose(1, 2).reshape(B, L, D)), p)
        return x_BLD + F.dropout(self.feed(self.feed_norm(x_BLD)), p)


class SequenceModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Scores all items as the next event, after every event of a sequence.

    Item ids run from 0 to I - 1; I is padding, I + 1 marks the beginning of a history.
    """

    config_class = SequenceConfig
    base_model_prefix = ""
    item_text: Tensor
    """``[I, E]``; a buffer, so it is saved with the weights but not trained."""
    item_seen: Tensor
    """1 for items that occur in training, else 0, ``[I]``; also a buffer."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__(config)
        self.identity = nn.Embedding(config.n_items + 2, config.width, padding_idx=config.n_items)
        self.project = nn.Linear(config.text_width, config.width, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.n_items))
        self.position = nn.Embedding(config.max_length, config.width)
        self.hour = nn.Embedding(HOURS, config.width)
        self.weekday = nn.Embedding(WEEKDAYS, config.width)
        self.gap = nn.Embedding(GAP_BUCKETS, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.register_buffer("item_text", torch.zeros(config.n_items, config.text_width))
        self.register_buffer("item_seen", torch.ones(config.n_items))
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)

    def item_vectors(self) -> Tensor:
        """Identity plus projected text: ``[I, D]``.

        Items that do not occur in training have only text. During training, identities are dropped at random, so that the
        model learns to use the text alone.
        """
        keep = self.item_seen
        if self.training and self.config.identity_dropout > 0:
            keep = keep * (torch.rand_like(keep) >= self.config.identity_dropout)
        vectors: Tensor = self.identity.weight[: self.config.n_items] * keep[:, None] + self.project(self.item_text)
        return vectors

    def hidden(self, item_ids: Tensor, hour: Tensor, weekday: Tensor, gap: Tensor, items_ID: Tensor) -> Tensor:
        """The state after every event: ``[B, L, D]``.

        Args:
            item_ids, hour, weekday, gap: int64 ``[B, L]``.
            items_ID: the result of ``item_vectors``.
        """
        table = torch.cat([items_ID, self.identity.weight[self.config.n_items :]])
        x_BLD = F.embedding(item_ids, table) * self.config.width**0.5
        x_BLD = x_BLD + self.position.weight[: item_ids.shape[1]]
        x_BLD = x_BLD + self.hour(hour) + self.weekday(weekday) + self.gap(gap)
        x_BLD = F.dropout(x_BLD, self.config.dropout, self.training)
        for block in self.blocks:
            x_BLD = block(x_BLD)
        out: Tensor = self.norm(x_BLD)
        return out

    def forward(self, item_ids: Tensor, hour: Tensor, weekday: Tensor, gap: Tensor, labels: Tensor | None = None) -> Any:
        """The loss of a training batch, or scores of the next item.

        Args:
            item_ids, hour, weekday, gap: int64 ``[B, L]``.
            labels: the next items, int64 ``[B, L]``; -100 is ignored.

        Returns:
            ``loss`` if labels are given; otherwise ``logits``, float32 ``[B, I]``, after each sequence's last real event.
        """
        items_ID = self.item_vectors()
        x_BLD = self.hidden(item_ids, hour, weekday, gap, items_ID)
        if labels is not None:
            counted = labels != IGNORED_LABEL
            # Mask items that do not occur in training: as negatives they would only learn to score low.
            bias_I = self.bias.masked_fill(self.item_seen == 0, MASKED_LOGIT)
            loss = cross_entropy(x_BLD[counted], items_ID, bias_I, labels[counted])
            return ModelOutput(loss=loss)  # type: ignore[no-untyped-call]
        return ModelOutput(logits=(self.last(x_BLD, item_ids) @ items_ID.T + self.bias).float())  # type: ignore[no-untyped-call]

    def last(self, x_BLD: Tensor, item_ids: Tensor) -> Tensor:
        """The state after each sequence's last real event: ``[B, D]``.

        Args:
            x_BLD: the result of ``hidden``.
            item_ids: int64 ``[B, L]``.
        """
        last_B = (item_ids != self.config.n_items).sum(dim=1) - 1
        return x_BLD[torch.arange(len(item_ids), device=item_ids.device), last_B]
