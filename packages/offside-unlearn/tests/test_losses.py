"""Every loss against numbers worked out by hand, its sign, its mask, and the laws it must keep."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.errors import RecordError
from offside_unlearn import losses

IGNORED = -100
VOCABULARY = 3


def logits_of(*rows: list[list[float]]) -> torch.Tensor:
    """Logits of these probabilities, and a last position, which predicts nothing."""
    table = [[[math.log(p) for p in position] for position in row] for row in rows]
    return torch.tensor([[*row, [0.0] * VOCABULARY] for row in table])


# The first record answers with tokens 1 and 2 (probabilities 0.5 and 0.8), the second with token 0 (0.25).
LOGITS = logits_of(
    [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]],
    [[0.6, 0.2, 0.2], [0.25, 0.25, 0.5]],
)
LABELS = torch.tensor([[IGNORED, 1, 2], [IGNORED, IGNORED, 0]])
SUM = -(math.log(0.5) + math.log(0.8) + math.log(0.25))


def test_cross_entropy_is_the_mean_over_all_answer_tokens() -> None:
    assert losses.cross_entropy(LOGITS, LABELS).item() == pytest.approx(SUM / 3)


def test_cross_entropy_divides_by_what_it_is_told() -> None:
    assert losses.cross_entropy(LOGITS, LABELS, tokens=6).item() == pytest.approx(SUM / 6)


def test_record_logprobs_are_sums_or_means_over_the_tokens_of_each_record() -> None:
    first, second = math.log(0.5) + math.log(0.8), math.log(0.25)
    assert losses.record_logprobs(LOGITS, LABELS).tolist() == pytest.approx([first, second])
    assert losses.record_logprobs(LOGITS, LABELS, mean=True).tolist() == pytest.approx([first / 2, second])


def test_kl_goes_from_the_frozen_model_to_the_model() -> None:
    frozen = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.7, 0.2, 0.1]])
    current = [0.25, 0.25, 0.5]
    by_hand = sum(p * math.log(p / q) for p, q in zip([0.7, 0.2, 0.1], current, strict=True))
    # The first two tokens agree; the third alone is off.
    assert losses.kl(frozen.log(), LOGITS, LABELS).item() == pytest.approx(by_hand / 3)
    backwards = sum(q * math.log(q / p) for p, q in zip([0.7, 0.2, 0.1], current, strict=True))
    assert by_hand != pytest.approx(backwards)


def test_kl_survives_a_frozen_probability_of_zero() -> None:
    frozen = torch.tensor([[0.0, 1.0, 0.0], [0.1, 0.1, 0.8], [0.25, 0.25, 0.5]])
    logits = LOGITS.clone().requires_grad_()
    value = losses.kl(frozen.log(), logits, LABELS)
    assert value.item() == pytest.approx(math.log(1 / 0.5) / 3)
    (gradient,) = torch.autograd.grad(value, logits)
    assert torch.isfinite(gradient).all()


def test_kl_refuses_distributions_of_other_tokens() -> None:
    with pytest.raises(ValueError, match="don't fit"):
        losses.kl(torch.zeros(2, VOCABULARY), LOGITS, LABELS)


@pytest.mark.parametrize("beta", [0.1, 0.9])
def test_npo_by_hand(beta: float) -> None:
    logprobs, frozen = torch.tensor([-1.0, -4.0]), torch.tensor([-2.0, -3.0])
    sigmoids = [1 / (1 + math.exp(beta * ratio)) for ratio in (1.0, -1.0)]
    by_hand = -(2 / beta) * sum(math.log(s) for s in sigmoids) / 2
    assert losses.npo(logprobs, frozen, beta=beta).item() == pytest.approx(by_hand)
    assert losses.npo(logprobs, frozen, beta=beta, records=4).item() == pytest.approx(by_hand / 2)


def test_npo_at_the_start_is_two_log_two_over_beta() -> None:
    logprobs = torch.tensor([-3.0, -7.0])
    assert losses.npo(logprobs, logprobs, beta=0.1).item() == pytest.approx(2 * math.log(2) / 0.1)


def test_npo_pushes_like_gradient_ascent_for_a_small_beta() -> None:
    logprobs = torch.tensor([-3.0, -7.0], requires_grad=True)
    losses.npo(logprobs, torch.tensor([-2.0, -6.5]), beta=1e-6).backward()
    # d/dlogp of the mean of log p over two records, minimised: gradient ascent.
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == pytest.approx([0.5, 0.5], rel=1e-4)


def test_dpo_without_a_chosen_answer_is_npo() -> None:
    logprobs, frozen = torch.tensor([-1.0, -4.0]), torch.tensor([-2.0, -3.0])
    nothing = torch.zeros(2)
    ours = losses.dpo(nothing, logprobs, nothing, frozen, beta=0.3, records=4)
    assert ours.item() == pytest.approx(losses.npo(logprobs, frozen, beta=0.3, records=4).item())


@pytest.mark.parametrize("importance", [0.0, 0.1, 2.0])
def test_reweighted_ascent_is_finite_where_a_token_is_certain_or_impossible(importance: float) -> None:
    nll = torch.tensor([0.0, -1e-7, 1e-30, 200.0], requires_grad=True)  # Rounding may go a little below 0.
    value = losses.reweighted_ascent(nll, saturation=5.0, importance=importance)
    (gradient,) = torch.autograd.grad(value, nll)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


def test_signs() -> None:
    """One step down each loss moves the answer's probability where it should go."""
    frozen = losses.record_logprobs(LOGITS, LABELS)
    distributions = losses.token_logprobs(LOGITS, LABELS)

    def moved(loss: str) -> float:
        logits = (LOGITS + torch.linspace(0, 1, LOGITS.numel()).reshape(LOGITS.shape)).requires_grad_()
        before = losses.record_logprobs(logits, LABELS)
        value = {
            "learn": lambda: losses.cross_entropy(logits, LABELS),
            "ascend": lambda: -losses.cross_entropy(logits, LABELS),
            "npo": lambda: losses.npo(before, frozen, beta=0.5),
            "simnpo": lambda: losses.simnpo(losses.record_logprobs(logits, LABELS, mean=True), beta=0.5, gamma=0.1),
            "chosen": lambda: losses.dpo(before, frozen, frozen, frozen, beta=0.5),
            "rejected": lambda: losses.dpo(frozen, before, frozen, frozen, beta=0.5),
            "reweighted": lambda: losses.reweighted_ascent(
                losses.token_nll(logits, LABELS), saturation=1.0, importance=0.5
            ),
            "undial": lambda: losses.undial(distributions, logits, LABELS, gamma=5.0),
            "ce_u": lambda: losses.ce_u(logits, LABELS),
            "kl": lambda: losses.kl(distributions, logits, LABELS),
        }[loss]()
        (gradient,) = torch.autograd.grad(value, logits)
        after = logits.detach() - 0.1 * gradient
        if loss == "kl":
            return float(value.detach() - losses.kl(distributions, after, LABELS))
        return float((losses.record_logprobs(after, LABELS) - before.detach()).sum())

    assert moved("learn") > 0
    assert moved("ascend") < 0
    assert moved("npo") < 0
    assert moved("simnpo") < 0
    assert moved("chosen") > 0
    assert moved("rejected") < 0
    assert moved("reweighted") < 0
    assert moved("undial") < 0
    assert moved("ce_u") < 0
    assert moved("kl") > 0, "KL must shrink"


def test_a_batch_without_answer_tokens_is_an_error() -> None:
    nothing = torch.full_like(LABELS, IGNORED)
    for call in (
        lambda: losses.cross_entropy(LOGITS, nothing),
        lambda: losses.token_logprobs(LOGITS, nothing),
        lambda: losses.kl(torch.zeros(1, VOCABULARY), LOGITS, nothing),
        lambda: losses.record_logprobs(LOGITS, nothing),
        lambda: losses.token_nll(LOGITS, nothing),
        lambda: losses.undial(torch.zeros(1, VOCABULARY), LOGITS, nothing, gamma=1.0),
        lambda: losses.ce_u(LOGITS, nothing),
        lambda: losses.ce_u(LOGITS, losses.without_first(nothing, 1)),
        lambda: losses.logit_margin(LOGITS, nothing),
    ):
        with pytest.raises(RecordError, match="no answer token"):
            call()


def test_a_record_without_answer_tokens_has_no_likelihood() -> None:
    labels = torch.tensor([[IGNORED, 1, 2], [IGNORED, IGNORED, IGNORED]])
    with pytest.raises(RecordError, match="no answer token in row 1"):
        losses.record_logprobs(LOGITS, labels)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), left=st.integers(0, 3), right=st.integers(0, 3))
def test_padding_never_changes_a_number(seed: int, left: int, right: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 6, 5, generator=generator)
    frozen = torch.randn(3, 6, 5, generator=generator)
    labels = torch.randint(0, 5, (3, 6), generator=generator)
    labels[:, :2] = IGNORED
    noise = torch.randn(3, left + right, 5, generator=generator) * 100

    def pad(values: torch.Tensor, fill: torch.Tensor | None = None) -> torch.Tensor:
        if fill is not None:
            return torch.cat([fill[:, :left], values, fill[:, left:]], dim=1)
        blank = values.new_full((3, left + right), IGNORED)
        return torch.cat([blank[:, :left], values, blank[:, left:]], dim=1)

    def numbers(logits: torch.Tensor, frozen: torch.Tensor, labels: torch.Tensor) -> list[float]:
        records = losses.record_logprobs(logits, labels)
        return [
            losses.cross_entropy(logits, labels).item(),
            losses.kl(losses.token_logprobs(frozen, labels), logits, labels).item(),
            losses.npo(records, losses.record_logprobs(frozen, labels), beta=0.3).item(),
            losses.simnpo(losses.record_logprobs(logits, labels, mean=True), beta=0.3, gamma=0.2).item(),
            losses.reweighted_ascent(losses.token_nll(logits, labels), saturation=0.5, importance=0.5).item(),
            losses.undial(losses.token_logprobs(frozen, labels), logits, labels, gamma=2.0).item(),
            losses.ce_u(logits, losses.without_first(labels, 1)).item(),
            losses.logit_margin(logits, labels).item(),
            *records.tolist(),
        ]

    padded = numbers(pad(logits, noise), pad(frozen, -noise), pad(labels))
    assert padded == pytest.approx(numbers(logits, frozen, labels), rel=1e-5, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_kl_is_never_negative_and_zero_only_for_equal_distributions(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randn(2, 4, 5, generator=generator), torch.randn(2, 4, 5, generator=generator)
    labels = torch.randint(0, 5, (2, 4), generator=generator)
    frozen = losses.token_logprobs(one, labels)
    assert losses.kl(frozen, one, labels).item() == pytest.approx(0, abs=1e-6)
    assert losses.kl(frozen, other, labels).item() > 0


@settings(max_examples=40, deadline=None)
@given(ratio=st.floats(-50, 50), beta=st.floats(0.05, 5))
def test_npo_is_positive_and_grows_with_the_likelihood(ratio: float, beta: float) -> None:
    frozen = torch.tensor([-10.0], dtype=torch.float64)
    lower = losses.npo(frozen + ratio, frozen, beta=beta).item()
    higher = losses.npo(frozen + ratio + 1, frozen, beta=beta).item()
    assert 0 <= lower < higher
