"""Training and export of the multitask CT network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.augmentation import StackAugmentation
from models.checkpoints import sources_digest
from models.cox import fit_cox
from models.crossfit import CrossFitted, assign_folds, cross_fit
from models.ct_stroma_survival import CLINICAL, HORIZONS_MONTHS, RISK_MODELS, SPEC
from models.ct_stroma_survival.inputs import PREPROCESSING
from models.ct_stroma_survival.losses import LossWeights, MultitaskLoss
from models.ct_stroma_survival.network import TRUNKS, MultitaskNetwork, Tasks, build_network, score_names
from models.ct_stroma_survival.signature import MODEL_COVARIATES, Signature
from models.distributed import joined
from models.results import network_facts, out_of_fold, read_facts, write_artifact, write_results
from models.risk_models import RiskModels
from models.system import DevelopmentSet, ParameterError, Progress, TrainingParams
from models.training import Rows, Task, Trainer
from validation.estimators.cutoffs.maximally_selected import maximally_selected_log_rank
from validation.estimators.cutoffs.youden import youden_cutoff

LABEL = SPEC.labels[0]
AUGMENTATION = StackAugmentation(intensity=0.05)  # Hounsfield units are calibrated: half the jitter of MR signals
METHOD = (
    "Cox models (Efron ties, Breslow baseline hazard read as a step function) on out-of-fold network scores of all "
    "development patients; cut-off of lp_mdls by maximally selected log-rank statistic of death, of tsr_prob by "
    "Youden index, on the same scores"
)


@dataclass(frozen=True)
class StromaParams(TrainingParams):
    """The training block of this model in params.yaml: what every network has, ablations and weights of the loss.

    Attributes:
        trunk: "se_resnet50", or "vgg16" or "densenet121" (comparators; without multiscale features and attention).
        multitask: One network for both tasks; False trains one for each.
        multiscale: Features of all four stages; False takes the last stage's alone.
        attention: Receptive-field attention.
        autoencoder: Autoencoder between trunk and shared layer.
        tsr_weight: Weight of the cross-entropy of the tumour-stroma ratio.
        survival_weight: Weight of the negative log partial likelihood.
        reconstruction_weight: Weight of the autoencoder's mean squared error.
        discrepancy_weight: Weight of the maximum mean discrepancy.
    """

    trunk: str
    multitask: bool
    multiscale: bool
    attention: bool
    autoencoder: bool
    tsr_weight: float
    survival_weight: float
    reconstruction_weight: float
    discrepancy_weight: float

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: Names the key, its value and what is allowed.
        """
        super().__post_init__()
        if self.trunk not in TRUNKS:
            raise ParameterError("trunk", repr(self.trunk), f"one of {', '.join(TRUNKS)}")
        if self.pretrained is not None:
            raise ParameterError("pretrained", repr(self.pretrained), "null")
        if self.trunk != TRUNKS[0] and (self.multiscale or self.attention):
            expected = f"{TRUNKS[0]}, or multiscale and attention false"
            raise ParameterError(
                "trunk", f"{self.trunk!r}, which has neither multiscale features nor attention", expected
            )
        self.loss_weights()

    def loss_weights(self) -> LossWeights:
        """Return the weights of the loss."""
        return LossWeights(self.tsr_weight, self.survival_weight, self.reconstruction_weight, self.discrepancy_weight)

    def networks(self) -> tuple[Tasks, ...]:
        """Return the tasks of each network."""
        return ("both",) if self.multitask else ("tsr", "survival")

    def build(self, tasks: Tasks, tsr_prevalence: float = 0.5) -> MultitaskNetwork:
        """Return an untrained network.

        Raises:
            ValueError: As `build_network`.
        """
        return build_network(
            self.trunk,
            width=self.width,
            tasks=tasks,
            multiscale=self.multiscale,
            attention=self.attention,
            autoencoder=self.autoencoder,
            dropout=self.dropout,
            tsr_prevalence=tsr_prevalence,
        )


class CtStromaSurvival:
    """The training system of `ct_stroma_survival`; see `models.system.System` for the contract."""

    params_class = StromaParams

    def train(
        self,
        development: DevelopmentSet,
        params: TrainingParams,
        seed: int,
        folder: Path,
        checkpoints: Path,
        progress: Progress,
    ) -> None:
        """Cross-fit the network, fit the risk models on out-of-fold scores, refit the network on everyone."""
        if not isinstance(params, StromaParams):
            raise TypeError(f"params of {type(params).__name__}, expected StromaParams")
        status = development.follow_up[SPEC.endpoint].event.astype(np.float64)
        fold = assign_folds(development.patient_ids, status, params.folds, seed)
        _check_label(development.labels[LABEL], params.folds)
        with joined() as worker:
            sources = sources_digest(Path(__file__).parent)
            trainer = Trainer(params, seed, worker, checkpoints, f"{development.digest()} {sources}", progress)
            learnt = {tasks: _task(tasks, development, params) for tasks in params.networks()}
            fitted = {
                tasks: cross_fit(trainer, task, development.patient_ids, status, fold) for tasks, task in learnt.items()
            }
            origin = _origin(trainer, learnt, fitted)
            scores = _scores(development, fitted, fold)
            risk_models = fit_risk_models(scores, development)
            if worker.leads:
                facts = {
                    **_facts(development, seed, fitted),
                    "mdls_origin": origin,
                    "params": asdict(params),
                    "sources_sha256": sources,
                }
                states = {tasks: result.refitted.state for tasks, result in fitted.items()}
                predictions = out_of_fold(scores, _covariates(development), risk_models)
                write_results(folder, states, predictions, risk_models, facts)
                trainer.discard_checkpoints()

    def signature(self, folder: Path) -> nn.Module:
        """Return the signature trained into a folder, in evaluation mode."""
        facts = read_facts(folder)
        params = StromaParams.from_mapping(facts["params"])
        weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
        networks = []
        for tasks in params.networks():
            networks.append(params.build(tasks))
            networks[-1].load_state_dict(weights[tasks])
        return Signature(networks, facts["mdls_origin"], RiskModels.read(folder / "risk_models.json")).eval()

    def export(self, folder: Path, artifact_folder: Path, identity: Mapping[str, str]) -> Path:
        """Write the ONNX file, its contract and its card."""
        return write_artifact(self.signature(folder), SPEC, folder, artifact_folder, identity, PREPROCESSING)


SYSTEM = CtStromaSurvival()


def fit_risk_models(scores: pd.DataFrame, development: DevelopmentSet) -> RiskModels:
    """Fit the six Cox models and two cut-offs on out-of-fold scores.

    Args:
        scores: Columns tsr_prob, mdls, one row per development patient in order.
        development: Covariates and outcomes of the same patients.

    Raises:
        ValueError: A Cox model or cut-off is undefined in these data.
    """
    table = pd.concat([scores.reset_index(drop=True), _covariates(development)], axis=1)
    columns = {name: table[list(MODEL_COVARIATES[name])].to_numpy(dtype=np.float64) for name in RISK_MODELS}
    models = {
        name: fit_cox(
            MODEL_COVARIATES[name],
            columns[name],
            development.follow_up[endpoint].event,
            development.follow_up[endpoint].time_months,
            HORIZONS_MONTHS,
        )
        for name, endpoint in RISK_MODELS.items()
    }
    death, label = development.follow_up[SPEC.endpoint], development.labels[LABEL]
    known = ~np.isnan(label)
    linear_predictor = models["mdls"].linear_predictor(columns["mdls"])
    cutoffs = {
        "lp_mdls": maximally_selected_log_rank(death.time_months, death.event, linear_predictor).value,
        "tsr_prob": youden_cutoff(label[known], scores["tsr_prob"].to_numpy(dtype=np.float64)[known]).value,
    }
    return RiskModels(models, cutoffs, METHOD)


def _covariates(development: DevelopmentSet) -> pd.DataFrame:
    return pd.DataFrame(development.inputs["covariates"].astype(np.float64), columns=list(CLINICAL))


def _check_label(label: NDArray[np.float64], folds: int) -> None:
    """Refuse a label that some fold would lack.

    Raises:
        ValueError: Fewer cases or controls than folds.
    """
    cases, controls = int((label == 1).sum()), int((label == 0).sum())
    if min(cases, controls) < folds:
        raise ValueError(f"{LABEL}: {cases} cases and {controls} controls, expected at least {folds} of each")


def _task(tasks: Tasks, development: DevelopmentSet, params: StromaParams) -> Task:
    death, label = development.follow_up[SPEC.endpoint], development.labels[LABEL]

    def build(rows: Rows) -> MultitaskNetwork:
        known = label[rows][~np.isnan(label[rows])]
        return params.build(tasks, float(known.sum() + 0.5) / (len(known) + 1))

    return Task(
        name=tasks,
        build=build,
        inputs={"ct": development.inputs["ct"]},
        targets={"tsr_high": label, "event": death.event.astype(np.float64), "time_months": death.time_months},
        loss=MultitaskLoss(tasks, params.loss_weights()),
        augment=AUGMENTATION,
        penalty=_l2_penalty,
    )


def _l2_penalty(network: nn.Module) -> Tensor:
    if not isinstance(network, MultitaskNetwork):
        raise TypeError(f"a {type(network).__name__}, expected a MultitaskNetwork")
    return network.l2_penalty()


def _origin(trainer: Trainer, learnt: Mapping[Tasks, Task], fitted: Mapping[Tasks, CrossFitted]) -> float:
    """Return the mean log hazard that the network that ships gives the development patients."""
    tasks = next(tasks for tasks in learnt if "log_hazard" in score_names(tasks))
    everyone = np.arange(len(learnt[tasks].targets["event"]))
    scores = trainer.predict(learnt[tasks], fitted[tasks].refitted.state, everyone)
    return float(scores[:, score_names(tasks).index("log_hazard")].mean(dtype=np.float64))


def _scores(development: DevelopmentSet, fitted: Mapping[Tasks, CrossFitted], fold: NDArray[np.intp]) -> pd.DataFrame:
    """Return the out-of-fold scores, one row per patient; `fold` counts from 1.

    The partial likelihood knows no origin, so each network has one of its own. MDLS is relative to the mean of the
    patients its network scored: within folds, which hold the same share of deaths, as in the network that ships.
    """
    scores = {
        name: column.astype(np.float64)
        for tasks, result in fitted.items()
        for name, column in zip(score_names(tasks), result.outputs.T, strict=True)
    }
    log_hazard = scores["log_hazard"]
    return pd.DataFrame(
        {
            "patient_id": development.patient_ids,
            "fold": fold + 1,
            "tsr_prob": 1 / (1 + np.exp(-scores["tsr_logit"])),
            "mdls": log_hazard - np.array([log_hazard[fold == k].mean() for k in range(fold.max() + 1)])[fold],
            "tsr_known": ~np.isnan(development.labels[LABEL]),
        }
    )


def _facts(development: DevelopmentSet, seed: int, fitted: Mapping[Tasks, CrossFitted]) -> dict[str, object]:
    """Return what training.json says of patients and networks; no clock times, no paths."""
    return {
        "model": SPEC.name,
        "seed": seed,
        "n": len(development.patient_ids),
        "events": int(development.follow_up[SPEC.endpoint].event.sum()),
        "tsr_known": int((~np.isnan(development.labels[LABEL])).sum()),
        "networks": {tasks: network_facts(result) for tasks, result in fitted.items()},
    }
