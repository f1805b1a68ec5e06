"""Log-probabilities of answers: the one place where logits and labels are shifted."""

from __future__ import annotations

import torch

from offside_data.errors import RecordError
from offside_data.vlm.encode import IGNORED


def answer_mask(labels: torch.Tensor) -> torch.Tensor:
    """Where answers are, shape (rows, positions - 1): as `answer_logprobs` returns it."""
    return labels[:, 1:] != IGNORED


def require_answer_tokens(labels: torch.Tensor) -> None:
    """Refuse a batch in which some row has no answer.

    Raises:
        RecordError: Such a row would be a loss of 0/0, or a score out of nothing.
    """
    empty = (~answer_mask(labels).any(1)).nonzero()[:, 0].tolist()
    if empty:
        raise RecordError(
            f"no answer token in row {', '.join(map(str, empty))} of the batch: nothing to learn or to "
            "score. Encode records with their answers (Encoder.encode, not encode_prompt)."
        )


def answer_logprobs(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of each answer token, given all that stands before it.

    Args:
        logits: Shape (rows, positions, vocabulary), from `forward`.
        labels: Shape (rows, positions), from the same `forward`.

    Returns:
        Log-probabilities in float32, 0 outside answers, and the mask of answers, both of shape
        (rows, positions - 1).
    """
    targets, mask = labels[:, 1:], answer_mask(labels)
    scores = logits[:, : targets.shape[1]].float()
    safe = targets.masked_fill(~mask, 0).unsqueeze(-1)
    chosen = scores.gather(-1, safe).squeeze(-1) - scores.logsumexp(-1)
    return chosen.masked_fill(~mask, 0.0), mask


def sequence_logprobs(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Each row's summed log-probability of its answer, and its number of answer tokens.

    Raises:
        RecordError: If a row has no answer.
    """
    require_answer_tokens(labels)
    logprobs, mask = answer_logprobs(logits, labels)
    return logprobs.sum(1), mask.sum(1)
