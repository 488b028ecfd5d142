"""What the network is trained on: cross-entropy, Cox partial likelihood, reconstruction, discrepancy; weighted sum.

The paper prints neither the forms of its losses nor their weights: mean squared error, a standard normal target, radial
kernels and weights of 1 are our choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from models.ct_stroma_survival.network import Tasks, score_names
from models.system import ParameterError

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # variances of the radial kernels, per dimension


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms in the sum, 0 or more.

    Attributes:
        tsr: Cross-entropy of the tumour-stroma ratio.
        survival: Negative log partial likelihood.
        reconstruction: Mean squared error of the autoencoder.
        discrepancy: Squared maximum mean discrepancy between bottleneck and standard normal.
    """

    tsr: float = 1.0
    survival: float = 1.0
    reconstruction: float = 1.0
    discrepancy: float = 1.0

    def __post_init__(self) -> None:
        """Refuse negative weights.

        Raises:
            ParameterError: Names the weight.
        """
        for name, weight in asdict(self).items():
            if not weight >= 0:
                raise ParameterError(f"{name}_weight", repr(weight), "0 or more")


@dataclass(frozen=True)
class MultitaskLoss:
    """The loss of a batch, from the output of `MultitaskNetwork` and the targets.

    Attributes:
        tasks: Tasks of the network.
        weights: Weights of the terms.
        draws: Size of the sample that stands for the standard normal. It is the same for every batch, so that the loss
            depends on the batch alone: a resumed training goes on as it was, and epochs can be compared.
        seed: Seed of that sample.
    """

    tasks: Tasks = "both"
    weights: LossWeights = field(default_factory=LossWeights)
    draws: int = 512
    seed: int = 0

    def __call__(self, output: tuple[Tensor, ...], targets: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of `terms`, a scalar."""
        weights = asdict(self.weights)
        terms = self.terms(output, targets)
        return torch.stack([weights[name] * term for name, term in terms.items()]).sum()

    def terms(self, output: tuple[Tensor, ...], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return each term the network has, unweighted, named as in `LossWeights`.

        Args:
            output: Scores (N, K); with the autoencoder also bottleneck (N, B), features and reconstruction (N, F).
            targets: As far as the tasks need them: "tsr_high" (N,) 1, 0 or NaN = unknown; "event" (N,) 1 or 0;
                "time_months" (N,).
        """
        scores, *coded = output
        column = dict(zip(score_names(self.tasks), scores.unbind(dim=1), strict=True))
        terms = {}
        if "tsr_logit" in column:
            terms["tsr"] = masked_cross_entropy(column["tsr_logit"], targets["tsr_high"])
        if "log_hazard" in column:
            terms["survival"] = cox_loss(column["log_hazard"], targets["event"], targets["time_months"])
        if coded:
            code, features, reconstruction = coded
            normal = standard_normal(self.draws, code.shape[1], self.seed).to(code)
            terms["reconstruction"] = reconstruction_error(reconstruction, features)
            terms["discrepancy"] = squared_discrepancy(code, normal)
        return terms


def masked_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of the patients whose target is known; 0 if none is.

    Args:
        logits: (N,).
        target: (N,) 1, 0 or NaN = unknown.
    """
    known = ~target.isnan()
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits[known], target[known], reduction="sum")
    return losses / known.sum().clamp(min=1)


def cox_loss(log_hazard: Tensor, event: Tensor, time: Tensor) -> Tensor:
    """Return the negative log partial likelihood per event, the batch being the risk set; 0 without events.

    Args:
        log_hazard: (N,) log relative hazards.
        event: (N,) 1 where `time` is the time of the event, 0 where follow-up ended without it.
        time: (N,) follow-up.
    """
    log_likelihood = log_partial_likelihood(log_hazard, event, time)
    return (-log_likelihood / event.sum().clamp(min=1)).to(log_hazard.dtype)


def log_partial_likelihood(log_hazard: Tensor, event: Tensor, time: Tensor) -> Tensor:
    """Return Cox's log partial likelihood with Efron's treatment of ties, in double precision, differentiable.

    The k-th of m events at the same time counts the risk set less (k - 1) / m of those m. Sums are kept as logarithms:
    no log hazard is too large. Takes memory of events times patients.

    Args:
        log_hazard: (N,).
        event: (N,) 1 or 0.
        time: (N,).
    """
    eta, happened = log_hazard.double(), event == 1
    times = time[happened]
    at_risk = time >= times[:, None]  # (events, N)
    tied = times == times[:, None]  # (events, events)
    own = eta[happened]
    log_risk = _log_sum(eta, at_risk)
    log_tied = _log_sum(own, tied)
    share = tied.tril(diagonal=-1).sum(dim=1) / tied.sum(dim=1)  # (k - 1) / m
    reduced = log_risk + torch.log1p(-share.double() * torch.exp(log_tied - log_risk))
    return (own - reduced).sum()


def _log_sum(eta: Tensor, chosen: Tensor) -> Tensor:
    """Return log of the sum of exp(eta) over the chosen of each row, (rows,)."""
    return torch.where(chosen, eta, -torch.inf).logsumexp(dim=1)


def reconstruction_error(reconstruction: Tensor, features: Tensor) -> Tensor:
    """Return the mean squared error; the features are a fixed target, or shrinking them would lower it."""
    return torch.nn.functional.mse_loss(reconstruction, features.detach())


def standard_normal(draws: int, dimensions: int, seed: int) -> Tensor:
    """Return a sample (draws, dimensions) of the standard normal, the same for the same seed."""
    return torch.randn(draws, dimensions, generator=torch.Generator().manual_seed(seed))


def squared_discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """Return the squared maximum mean discrepancy of two samples (Gretton, JMLR 2012, biased estimate: 0 or more).

    Args:
        x: (N, B).
        y: (M, B).
    """
    return radial_kernel(x, x).mean() + radial_kernel(y, y).mean() - 2 * radial_kernel(x, y).mean()


def radial_kernel(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean over `BANDWIDTHS` b of exp(-|x - y|^2 / (2 b B)) for all pairs of (N, B) and (M, B): (N, M)."""
    squares = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1) - 2 * x @ y.T
    scaled = squares.clamp(min=0) / (2 * x.shape[1])
    return torch.stack([torch.exp(-scaled / bandwidth) for bandwidth in BANDWIDTHS]).mean(dim=0)
