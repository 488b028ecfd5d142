"""Training and export of the CT signature, the clinical signature, their fusion and the survival model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from models import atomic
from models.augmentation import StackAugmentation
from models.checkpoints import sources_digest
from models.crossfit import CrossFitted, assign_folds, cross_fit
from models.ct_chemo_response import CLINICAL, HORIZONS_MONTHS, LABEL, SPEC
from models.ct_chemo_response.autoencoder import DeepSmoteParams
from models.ct_chemo_response.clinical import fit_clinical_signature, fit_fusion
from models.ct_chemo_response.deepsmote import examples, oversample
from models.ct_chemo_response.inputs import PREPROCESSING
from models.ct_chemo_response.network import ResponseNetwork, load_pretrained
from models.ct_chemo_response.overall_survival import fit_overall_survival
from models.ct_chemo_response.signature import COLUMNS, Signature
from models.distributed import joined
from models.pretrained import pretrained_sha256
from models.results import network_facts, out_of_fold, read_facts, write_artifact, write_results
from models.risk_models import RiskModels
from models.system import DevelopmentSet, ParameterError, Progress, TrainingParams
from models.training import Rows, Task, Trainer
from validation.estimators.cutoffs.youden import youden_cutoff

FEWEST_FOLDS = 3  # the folds of the cross-fitting are those of the LASSO too
FLIPS = StackAugmentation(shift_px=0.0, zoom=0.0, intensity=0.0)
METHOD = (
    "logistic models of a good response and Cox model of death (Efron ties, Breslow baseline hazard read as a step "
    "function) on out-of-fold logits of the network and covariates of the development patients; cut-offs of "
    "the probabilities by Youden index on these patients, of lp_os their median"
)


@dataclass(frozen=True)
class ChemoResponseParams(TrainingParams):
    """The training block of this model in params.yaml: what every network has, and DeepSMOTE's parameters.

    Attributes:
        deepsmote_channels: As `DeepSmoteParams.channels`; the following likewise.
        deepsmote_latent: Length of a code.
        deepsmote_epochs: Passes over the training images.
        deepsmote_batch_size: Images per step, at most.
        deepsmote_learning_rate: Rate of Adam.
        deepsmote_penalty_weight: Weight of the penalty.
        deepsmote_neighbours: Nearest neighbours of SMOTE.
    """

    deepsmote_channels: int
    deepsmote_latent: int
    deepsmote_epochs: int
    deepsmote_batch_size: int
    deepsmote_learning_rate: float
    deepsmote_penalty_weight: float
    deepsmote_neighbours: int

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: Names the key, its value and what is allowed.
        """
        super().__post_init__()
        if self.folds < FEWEST_FOLDS:
            raise ParameterError("folds", str(self.folds), f"at least {FEWEST_FOLDS}")
        _ = self.deepsmote

    @property
    def deepsmote(self) -> DeepSmoteParams:
        """Size and training of DeepSMOTE."""
        prefix = "deepsmote_"
        own = {key.removeprefix(prefix): value for key, value in asdict(self).items() if key.startswith(prefix)}
        return DeepSmoteParams(**own)


class CtChemoResponse:
    """The training system of `ct_chemo_response`; see `models.system.System` for the contract."""

    params_class = ChemoResponseParams

    def train(
        self,
        development: DevelopmentSet,
        params: ChemoResponseParams,
        seed: int,
        folder: Path,
        checkpoints: Path,
        progress: Progress,
    ) -> None:
        """Cross-fit the network on balanced images, fit the models on out-of-fold logits, refit on everyone."""
        status = development.labels[LABEL]
        fold = assign_folds(development.patient_ids, status, params.folds, seed)
        with joined() as worker:
            sources, weights = sources_digest(Path(__file__).parent), pretrained_sha256(params.pretrained)
            origin = f"{development.digest()} {sources} {weights}"
            trainer = Trainer(params, seed, worker, checkpoints, origin, progress)
            task, made, shown = _task(development, params), dict[str, Any](), dict[str, Any]()
            enlarge = _balancing(trainer, task, params.deepsmote, made, shown)
            fitted = cross_fit(trainer, task, development.patient_ids, status, fold, enlarge=enlarge)
            logit = fitted.outputs.astype(np.float64)
            risk_models, selection = fit_models(logit, fold, development)
            if worker.leads:
                facts = {
                    **_facts(development, seed, fitted),
                    "deepsmote": made,
                    "selection": selection,
                    "params": {**asdict(params), "pretrained": weights},
                    "sources_sha256": sources,
                }
                covariates = pd.DataFrame(development.inputs["covariates"].astype(np.float64), columns=list(CLINICAL))
                predictions = out_of_fold(_scores(development, logit, fold), covariates, risk_models)
                folder.mkdir(parents=True, exist_ok=True)
                atomic.write_arrays(folder / "deepsmote.npz", shown[f"{task.name}/refit"])
                write_results(folder, fitted.refitted.state, predictions, risk_models, facts)
                trainer.discard_checkpoints()

    def signature(self, folder: Path) -> nn.Module:
        """Return the signature trained into a folder, in evaluation mode."""
        facts = read_facts(folder)
        network = ResponseNetwork(facts["params"]["width"], facts["params"]["dropout"])
        network.load_state_dict(torch.load(folder / "weights.pt", map_location="cpu", weights_only=True))
        return Signature(network, RiskModels.read(folder / "risk_models.json")).eval()

    def export(self, folder: Path, artifact_folder: Path, identity: Mapping[str, str]) -> Path:
        """Write the ONNX file, its contract and its card."""
        return write_artifact(self.signature(folder), SPEC, folder, artifact_folder, identity, PREPROCESSING)


SYSTEM = CtChemoResponse()


def fit_models(
    logit: NDArray[np.float64], fold: NDArray[np.intp], development: DevelopmentSet
) -> tuple[RiskModels, dict[str, Any]]:
    """Fit clinical signature, fusion and survival model, and two cut-offs, on out-of-fold logits.

    Args:
        logit: (N,) out-of-fold logits of the network, one per development patient in order.
        fold: (N,) fold of each patient, also in the LASSO's cross-validation.
        development: Covariates and outcomes of the same patients.

    Returns:
        The models that ship, and the way to each: univariable and multivariable tables, LASSO, correlations.

    Raises:
        ValueError: A model or cut-off is undefined in these data.
    """
    status, outcome = development.labels[LABEL], development.follow_up[SPEC.endpoint]
    covariates = development.inputs["covariates"].astype(np.float64)
    known = ~np.isnan(status)
    good = status[known] == 1
    clinical = fit_clinical_signature(CLINICAL, covariates[known], good, fold[known])
    dlcs = fit_fusion(CLINICAL, covariates[known], logit[known], good)
    survival = fit_overall_survival(CLINICAL, covariates, logit, outcome.event, outcome.time_months, HORIZONS_MONTHS)
    table = pd.DataFrame(np.column_stack([logit, covariates]), columns=list(COLUMNS))
    dlcs_prob = dlcs.model.probability(table.loc[known, list(dlcs.model.names)].to_numpy())
    lp_os = survival.model.linear_predictor(table[list(survival.model.names)].to_numpy())
    clinical_prob = clinical.model.probability(table.loc[known, list(clinical.model.names)].to_numpy())
    by_youden = {"dl_prob": expit(logit[known]), "clinical_prob": clinical_prob, "dlcs_prob": dlcs_prob}
    cutoffs = {name: youden_cutoff(good, probability).value for name, probability in by_youden.items()}
    cutoffs["lp_os"] = float(np.median(lp_os))
    logistic = {"clinical": clinical.model, "dlcs": dlcs.model}
    selection = {"clinical": clinical.to_dict(), "dlcs": dlcs.to_dict(), "os": survival.to_dict()}
    return RiskModels({"os": survival.model}, cutoffs, METHOD, logistic), selection


def _task(development: DevelopmentSet, params: ChemoResponseParams) -> Task:
    def build(_rows: Rows) -> ResponseNetwork:
        network = ResponseNetwork(params.width, params.dropout)
        if params.pretrained is not None:
            load_pretrained(network, Path(params.pretrained))
        return network

    status = development.labels[LABEL]
    return Task(
        name="signature",
        build=build,
        inputs={"ct": development.inputs["ct"]},
        targets={"good_response": status},
        loss=_cross_entropy,
        augment=_flipped_and_turned,
    )


def _cross_entropy(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(logits, targets["good_response"])


def _flipped_and_turned(slices: Tensor, generator: torch.Generator) -> Tensor:
    """Return slices (N, 3, 112, 112) in any of their eight orientations: flips along both axes, half transposed."""
    turn = (torch.rand(len(slices), generator=generator) < 0.5).to(slices.device)
    return FLIPS(torch.where(turn[:, None, None, None], slices.transpose(2, 3), slices), generator)


def _balancing(
    trainer: Trainer, task: Task, params: DeepSmoteParams, made: dict[str, Any], shown: dict[str, Any]
) -> Callable[[str, Rows], tuple[Task, Rows]]:
    """Return what adds to a run's training images the synthetic ones that make both classes equally large.

    Args:
        trainer: Trains the encoder-decoder.
        task: Of the patients alone.
        params: Size and training of DeepSMOTE.
        made: Takes, by run, the number of synthetic images and the losses of the encoder-decoder.
        shown: Takes, by run, a few images to look at.
    """
    images, status = task.inputs["ct"], task.targets["good_response"]

    def enlarge(run: str, rows: Rows) -> tuple[Task, Rows]:
        synthetic = oversample(trainer, f"{run}/deepsmote", images[rows], status[rows] == 1, params)
        count = len(synthetic.images)
        shown[run] = examples(trainer, synthetic, images[rows])
        made[run] = {
            "patients": len(rows),
            "synthetic": count,
            "reconstruction_losses": list(synthetic.autoencoder.reconstruction_losses),
            "penalty_losses": list(synthetic.autoencoder.penalty_losses),
        }
        targets = {"good_response": np.concatenate([status, np.full(count, float(synthetic.case))])}
        inputs = {"ct": np.concatenate([images, synthetic.images])}
        trained = np.concatenate([rows, len(status) + np.arange(count)])
        return replace(task, inputs=inputs, targets=targets), trained

    return enlarge


def _scores(development: DevelopmentSet, logit: NDArray[np.float64], fold: NDArray[np.intp]) -> pd.DataFrame:
    """Return the out-of-fold scores, one row per patient; `fold` counts from 1."""
    return pd.DataFrame(
        {
            "patient_id": development.patient_ids,
            "fold": fold + 1,
            "dl_logit": logit,
            "dl_prob": expit(logit),
            "in_classifier_training": ~np.isnan(development.labels[LABEL]),
        }
    )


def _facts(development: DevelopmentSet, seed: int, fitted: CrossFitted) -> dict[str, Any]:
    """Return what training.json says of patients and network; no clock times, no paths."""
    status = development.labels[LABEL]
    return {
        "model": SPEC.name,
        "seed": seed,
        "n": len(development.patient_ids),
        "events": int(development.follow_up[SPEC.endpoint].event.sum()),
        "in_classifier_training": int(np.count_nonzero(~np.isnan(status))),
        "good_responses": int(np.nansum(status)),
        "networks": {"signature": network_facts(fitted)},
    }
