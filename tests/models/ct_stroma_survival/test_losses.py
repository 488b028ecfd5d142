"""The terms of the loss, by hand and against the judge's Cox model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from models.ct_stroma_survival.losses import (
    BANDWIDTHS,
    LossWeights,
    MultitaskLoss,
    cox_loss,
    log_partial_likelihood,
    masked_cross_entropy,
    radial_kernel,
    reconstruction_error,
    squared_discrepancy,
    standard_normal,
)
from validation.estimators.survival.cox import fit_cox, null_log_likelihood

UNKNOWN = float("nan")


def survival(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log hazard's covariate, event and time in whole months, so that many events are tied."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal(n)
    months, censored = rng.exponential(20 * np.exp(-0.7 * x)), rng.uniform(5, 40, n)
    return x, months <= censored, np.ceil(np.minimum(months, censored))


def test_efron_by_hand() -> None:
    """Two of four die in month 1, one is censored in month 2, one dies in month 3."""
    eta = torch.tensor([0.5, -0.2, 1.0, 0.3], dtype=torch.float64)
    a, b, c, d = eta.exp().tolist()
    everyone = a + b + c + d
    expected = 0.5 - 0.2 - math.log(everyone) - math.log(everyone - (a + b) / 2) + 0.3 - math.log(d)
    event, time = torch.tensor([1.0, 1.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 2.0, 3.0])

    assert float(log_partial_likelihood(eta, event, time)) == pytest.approx(expected, abs=1e-12)
    assert float(cox_loss(eta, event, time)) == pytest.approx(-expected / 3, abs=1e-12)


def test_censored_at_the_time_of_an_event_is_at_risk() -> None:
    """The censored patient counts in the risk set but not among the ties."""
    likelihood = log_partial_likelihood(torch.zeros(3), torch.tensor([1, 0, 1]), torch.tensor([2, 2, 1]))

    assert float(likelihood) == pytest.approx(-math.log(3) - math.log(2), abs=1e-12)


def test_is_the_log_likelihood_of_the_estimator() -> None:
    """On a whole sample with ties: at the fitted coefficient and at zero, in single precision too."""
    x, event, time = survival()
    fit = fit_cox(time, event, x[:, None])
    eta = torch.from_numpy(x * fit.coefficients[0])
    happened, months = torch.from_numpy(event), torch.from_numpy(time)

    assert float(log_partial_likelihood(eta, happened, months)) == pytest.approx(fit.log_likelihood, abs=1e-6)
    assert float(log_partial_likelihood(0 * eta, happened, months)) == pytest.approx(
        null_log_likelihood(time, event), abs=1e-6
    )
    single = log_partial_likelihood(eta.float(), happened.float(), months.float())
    assert float(single) == pytest.approx(fit.log_likelihood, rel=1e-6)
    assert float(cox_loss(eta, happened, months)) == pytest.approx(-fit.log_likelihood / event.sum(), abs=1e-8)


def test_order_of_patients_and_origin_of_the_hazard_do_not_matter() -> None:
    """A relative hazard has no origin; ties are taken out in any order."""
    x, event, time = (torch.from_numpy(a) for a in survival())
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    value = log_partial_likelihood(x, event, time)

    torch.testing.assert_close(log_partial_likelihood(x[order] + 7, event[order], time[order]), value)


def test_gradient_of_the_likelihood_is_its_derivative() -> None:
    """Against finite differences, ties included; the gradient sums to zero."""
    x, event, time = (torch.from_numpy(a[:12]) for a in survival())
    eta = x.clone().requires_grad_()

    assert torch.autograd.gradcheck(lambda e: log_partial_likelihood(e, event, time), (eta,))
    log_partial_likelihood(eta, event, time).backward()
    assert float(eta.grad.sum()) == pytest.approx(0, abs=1e-12)


def test_extreme_hazards_stay_finite() -> None:
    """Log hazards of plus and minus ten thousand overflow nothing."""
    eta = torch.tensor([1e4, -1e4, 0.0, -1e4], requires_grad=True)
    loss = cox_loss(eta, torch.tensor([0.0, 1.0, 1.0, 1.0]), torch.tensor([1.0, 2.0, 2.0, 3.0]))
    loss.backward()

    assert loss.isfinite()
    assert eta.grad.isfinite().all()


def test_batch_without_events_says_nothing() -> None:
    """Its loss is 0 and its gradient zero, not NaN; so is that of the last patient at risk."""
    eta = torch.randn(5, requires_grad=True)
    loss = cox_loss(eta, torch.zeros(5), torch.arange(1.0, 6.0))
    loss.backward()

    assert float(loss.detach()) == 0
    assert torch.equal(eta.grad, torch.zeros(5))
    assert float(cox_loss(torch.ones(1), torch.ones(1), torch.ones(1))) == 0


def test_cross_entropy_is_that_of_the_known() -> None:
    """Mean over known patients; the unknown get no gradient."""
    logits = torch.tensor([0.4, -1.0, 2.0, 5.0], requires_grad=True)
    loss = masked_cross_entropy(logits, torch.tensor([1.0, UNKNOWN, 0.0, UNKNOWN]))
    loss.backward()
    expected = (math.log(1 + math.exp(-0.4)) + math.log(1 + math.exp(2.0))) / 2

    assert float(loss.detach()) == pytest.approx(expected, abs=1e-6)
    assert logits.grad.tolist() == pytest.approx(
        [(1 / (1 + math.exp(-0.4)) - 1) / 2, 0, 1 / (1 + math.exp(-2.0)) / 2, 0], abs=1e-6
    )


def test_cross_entropy_without_anyone_known_says_nothing() -> None:
    """0 with a zero gradient."""
    logits = torch.randn(3, requires_grad=True)
    loss = masked_cross_entropy(logits, torch.full((3,), UNKNOWN))
    loss.backward()

    assert float(loss.detach()) == 0
    assert torch.equal(logits.grad, torch.zeros(3))


def test_reconstruction_by_hand_and_its_target_is_fixed() -> None:
    """Mean of squares; the features get no gradient from being the target."""
    features, reconstruction = torch.tensor([[1.0, 2.0]], requires_grad=True), torch.tensor([[0.0, 4.0]])
    reconstruction.requires_grad_()
    loss = reconstruction_error(reconstruction, features)
    loss.backward()

    assert float(loss.detach()) == 2.5
    assert features.grad is None
    assert reconstruction.grad.tolist() == [[-1.0, 2.0]]


def test_discrepancy_of_two_points_by_hand() -> None:
    """In two dimensions at distance 3: 2 - 2 times the mean of exp(-9 / (2 b 2))."""
    x, y = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[0.0, 3.0]], dtype=torch.float64)
    kernel = sum(math.exp(-9 / (2 * bandwidth * 2)) for bandwidth in BANDWIDTHS) / len(BANDWIDTHS)

    assert float(radial_kernel(x, y)) == pytest.approx(kernel, abs=1e-12)
    assert float(squared_discrepancy(x, y)) == pytest.approx(2 - 2 * kernel, abs=1e-12)


def test_discrepancy_is_zero_for_equal_samples_and_positive_for_others() -> None:
    """Equal up to order; any two different samples lie above zero, the farther the higher."""
    x, y = standard_normal(20, 4, 1).double(), standard_normal(30, 4, 2).double()
    values = [float(squared_discrepancy(x + shift, y)) for shift in (0.0, 0.5, 1.0, 2.0)]

    assert float(squared_discrepancy(x, x)) == 0
    assert float(squared_discrepancy(x, x.flip(0))) == pytest.approx(0, abs=1e-15)
    assert values[0] > 0
    assert values == sorted(values)


def test_discrepancy_from_the_drawn_normal_is_that_from_the_normal() -> None:
    """The kernels' means over a standard normal have closed forms; the 512 draws come within 0.01 of them."""
    d = 16
    x = 0.5 * standard_normal(64, d, 9).double() + 0.3
    squares, exact = x.square().sum(dim=1), 0.0
    for bandwidth in BANDWIDTHS:
        s = bandwidth * d
        across = (s / (s + 1)) ** (d / 2) * torch.exp(-squares / (2 * (s + 1))).mean()
        exact += float((s / (s + 2)) ** (d / 2) - 2 * across) / len(BANDWIDTHS)
    exact += float(radial_kernel(x, x).mean())

    assert float(squared_discrepancy(x, standard_normal(512, d, 0).double())) == pytest.approx(exact, abs=0.01)


def test_gradient_of_the_discrepancy_is_finite_and_pulls_towards_the_normal() -> None:
    """Where points coincide too; points far out are pulled in."""
    x = torch.full((4, 3), 2.0, requires_grad=True)
    squared_discrepancy(x, standard_normal(512, 3, 0)).backward()

    assert x.grad.isfinite().all()
    assert (x.grad > 0).all()


def test_standard_normal_is_the_same_every_time() -> None:
    """Its own generator: the seed decides, and the global random numbers go on as if nothing had been drawn."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = standard_normal(8, 2, 5)

    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(standard_normal(8, 2, 5), first)
    assert not torch.equal(standard_normal(8, 2, 6), first)


def batch(n: int = 6) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Output of a network with both tasks and autoencoder, and targets."""
    g = torch.Generator().manual_seed(1)
    output = tuple(torch.randn(n, columns, generator=g) for columns in (2, 4, 10, 10))
    targets = {
        "tsr_high": torch.tensor([1, 0, UNKNOWN, 1, 0, 1]),
        "event": torch.tensor([1.0, 0, 1, 1, 0, 1]),
        "time_months": torch.tensor([3.0, 9, 3, 5, 2, 8]),
    }
    return output, targets


def test_loss_is_the_weighted_sum_of_its_terms() -> None:
    """Each term is the function of its name on its columns."""
    output, targets = batch()
    scores, code, features, reconstruction = output
    loss = MultitaskLoss("both", LossWeights(2.0, 3.0, 0.5, 0.25))
    terms = {
        "tsr": masked_cross_entropy(scores[:, 0], targets["tsr_high"]),
        "survival": cox_loss(scores[:, 1], targets["event"], targets["time_months"]),
        "reconstruction": reconstruction_error(reconstruction, features),
        "discrepancy": squared_discrepancy(code, standard_normal(512, 4, 0)),
    }

    assert loss.terms(output, targets) == terms
    expected = 2 * terms["tsr"] + 3 * terms["survival"] + terms["reconstruction"] / 2 + terms["discrepancy"] / 4
    torch.testing.assert_close(loss(output, targets), expected)


@pytest.mark.parametrize(("tasks", "needs"), [("tsr", ["tsr_high"]), ("survival", ["event", "time_months"])])
def test_single_task_needs_its_own_targets_only(tasks: str, needs: list[str]) -> None:
    """One column of scores, one term; without autoencoder no other."""
    output, targets = batch()
    loss = MultitaskLoss(tasks)
    targets = {name: targets[name] for name in needs}

    assert list(loss.terms((output[0][:, :1],), targets)) == [tasks]
    assert list(loss.terms((output[0][:, :1], *output[1:]), targets)) == [tasks, "reconstruction", "discrepancy"]


@pytest.mark.parametrize("value", [-1.0, UNKNOWN])
def test_weights_are_not_negative(value: float) -> None:
    """A negative weight or NaN is refused by name."""
    with pytest.raises(ValueError, match=r"discrepancy_weight: found .*, expected 0 or more"):
        LossWeights(discrepancy=value)
