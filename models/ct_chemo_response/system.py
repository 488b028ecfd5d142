"""Training and export of the CT signature, the clinical signature, their fusion and the survival model."""

from __future__ import annotations

import hashlib
import json
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
from models.checkpoints import serialised, sources_digest
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
from models.onnx_export import export_onnx
from models.risk_models import RiskModels
from models.system import DevelopmentSet, Progress, TrainingParams
from models.training import Rows, Task, Trainer
from validation.estimators.cutoffs.youden import youden_cutoff

FEWEST_FOLDS = 3  # the folds of the cross-fitting are those of the LASSO too
FLIPS = StackAugmentation(shift_px=0.0, zoom=0.0, intensity=0.0)
IDENTITY = (
    "hallmark.model",
    "hallmark.synthetic",
    "hallmark.development_cohort",
    "hallmark.development_excluded",
    "hallmark.development_patients_sha256",
    "hallmark.development_outcomes_sha256",
)
METHOD = (
    "logistic models of a good response and Cox model of death (Efron ties, Breslow baseline hazard read as a step "
    "function) on out-of-fold logits of the network and covariates of the development patients; cut-off of dlcs_prob "
    "by Youden index on these patients, of lp_os their median"
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
            raise ValueError(f"training parameter folds: found {self.folds}, expected at least {FEWEST_FOLDS}")
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
            sources, weights = sources_digest(Path(__file__).parent), _pretrained_sha256(params)
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
                folder.mkdir(parents=True, exist_ok=True)
                atomic.write_bytes(folder / "weights.pt", serialised(fitted.refitted.state))
                scores = _scores(development, logit, fold)
                atomic.write_bytes(folder / "scores.parquet", scores.to_parquet(index=False))
                risk_models.write(folder / "risk_models.json")
                atomic.write_arrays(folder / "deepsmote.npz", shown[f"{task.name}/refit"])
                atomic.write_json(folder / "training.json", facts)
                trainer.discard_checkpoints()

    def signature(self, folder: Path) -> nn.Module:
        """Return the signature trained into a folder, in evaluation mode."""
        facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        network = ResponseNetwork(facts["params"]["width"], facts["params"]["dropout"])
        network.load_state_dict(torch.load(folder / "weights.pt", map_location="cpu", weights_only=True))
        return Signature(network, RiskModels.read(folder / "risk_models.json")).eval()

    def export(self, folder: Path, artifact_folder: Path, identity: Mapping[str, str]) -> Path:
        """Write the ONNX file, its contract and its card."""
        if missing := [key for key in IDENTITY if key not in identity]:
            raise ValueError(f"identity lacks {', '.join(missing)}")
        units = {spec.name: spec.unit for spec in (*SPEC.inputs, *SPEC.outputs)}
        path = artifact_folder / "model.onnx"
        export_onnx(
            self.signature(folder), SPEC, {**identity, "hallmark.units": json.dumps(units, sort_keys=True)}, path
        )
        atomic.write_json(artifact_folder / "contract.json", _contract(folder, identity))
        card = Path(__file__).parent / "card.md"
        atomic.write_bytes(artifact_folder / "card.md", card.read_bytes())
        return path


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
    cutoffs = {"dlcs_prob": youden_cutoff(good, dlcs_prob).value, "lp_os": float(np.median(lp_os))}
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


def _pretrained_sha256(params: TrainingParams) -> str | None:
    """Return the digest of the weights to start from, None without any.

    Raises:
        ValueError: The file cannot be read.
    """
    if params.pretrained is None:
        return None
    try:
        return hashlib.sha256(Path(params.pretrained).read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"pretrained weights {params.pretrained}: {error.strerror}") from error


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
        "networks": {
            "signature": {
                "best_epochs": [network.best_epoch for network in fitted.folds],
                "tuning_losses": [list(network.tuning_losses) for network in fitted.folds],
                "epochs": fitted.epochs,
                "refit_training_losses": list(fitted.refitted.training_losses),
            }
        },
    }


def _contract(folder: Path, identity: Mapping[str, str]) -> dict[str, object]:
    facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return {
        "model": identity["hallmark.model"],
        "architecture": SPEC.name,
        "endpoint": SPEC.endpoint,
        "labels": list(SPEC.labels),
        "horizons_months": list(SPEC.horizons_months),
        "inputs": [asdict(spec) for spec in SPEC.inputs],
        "outputs": [asdict(spec) for spec in SPEC.outputs],
        "cutoffs": dict(RiskModels.read(folder / "risk_models.json").cutoffs),
        "preprocessing": PREPROCESSING,
        "development": {
            "cohort": identity["hallmark.development_cohort"],
            "n": facts["n"],
            "events": facts["events"],
            "excluded": int(identity["hallmark.development_excluded"]),
            "synthetic": identity["hallmark.synthetic"] == "true",
            "patients_sha256": identity["hallmark.development_patients_sha256"],
            "outcomes_sha256": identity["hallmark.development_outcomes_sha256"],
        },
    }
