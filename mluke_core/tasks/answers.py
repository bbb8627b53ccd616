"""The best answer span of each window, for many windows at once.

Shapes: B windows, S positions (padded), K candidates on each side.
"""

from __future__ import annotations

import torch


def best_spans(
    start_BS: torch.Tensor, end_BS: torch.Tensor, beam: int, longest: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Best (start, end) with start ≤ end and at most ``longest`` tokens.

    The ``beam`` best starts are combined with the ``beam`` best ends. Where none of these pairs
    is valid, the best single position is taken.

    Args:
        start_BS, end_BS: logits; positions outside the context are -inf.

    Returns:
        starts, ends (inclusive) and scores (sum of the two logits), each of B.

    >>> start = torch.tensor([[0.0, 3.0, 1.0]])
    >>> end = torch.tensor([[4.0, 0.0, 2.0]])
    >>> [part.item() for part in best_spans(start, end, beam=3, longest=30)]
    [1, 2, 5.0]
    """
    width = min(beam, start_BS.shape[1])
    start_score_BK, start_BK = start_BS.topk(width, dim=1)
    end_score_BK, end_BK = end_BS.topk(width, dim=1)
    length_BKK = end_BK[:, None, :] - start_BK[:, :, None] + 1
    score_BKK = start_score_BK[:, :, None] + end_score_BK[:, None, :]
    score_BKK = score_BKK.masked_fill((length_BKK < 1) | (length_BKK > longest), -torch.inf)
    score_B, pair_B = score_BKK.flatten(1).max(dim=1)
    start_B = start_BK.gather(1, (pair_B // width)[:, None])[:, 0]
    end_B = end_BK.gather(1, (pair_B % width)[:, None])[:, 0]
    single_B, position_B = (start_BS + end_BS).max(dim=1)
    none_B = score_B == -torch.inf
    return (
        torch.where(none_B, position_B, start_B),
        torch.where(none_B, position_B, end_B),
        torch.where(none_B, single_B, score_B),
    )
