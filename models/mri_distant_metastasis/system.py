"""Training and export of the MRI signature and nomogram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
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
from models.distributed import joined
from models.mri_distant_metastasis import CLINICAL, HORIZONS_MONTHS, RISK_MODELS, SPEC
from models.mri_distant_metastasis.inputs import PREPROCESSING
from models.mri_distant_metastasis.network import SequenceNetwork, load_pretrained
from models.mri_distant_metastasis.signature import MODEL_COVARIATES, Signature
from models.pretrained import pretrained_sha256
from models.results import network_facts, out_of_fold, read_facts, write_artifact, write_results
from models.risk_models import RiskModels
from models.system import DevelopmentSet, Progress, TrainingParams
from models.training import Rows, Task, Trainer
from validation.estimators.cutoffs.youden import youden_cutoff_at_horizon
from validation.estimators.samples import status_at_horizon

SEQUENCES = ("t2w", "adc")
TARGET_MONTHS = 36
WITH_CUTOFF = ("dlrs", "nomogram")
METHOD = (
    "Cox models (Efron ties, Breslow baseline hazard read as a step function) on out-of-fold network scores of all "
    f"development patients; cut-offs by Youden index at {TARGET_MONTHS} months on their linear predictors"
)


class MriDistantMetastasis:
    """The training system of `mri_distant_metastasis`; see `models.system.System` for the contract."""

    params_class = TrainingParams

    def train(
        self,
        development: DevelopmentSet,
        params: TrainingParams,
        seed: int,
        folder: Path,
        checkpoints: Path,
        progress: Progress,
    ) -> None:
        """Cross-fit both networks, fit the risk models on out-of-fold scores, refit the networks on everyone."""
        outcome = development.follow_up[SPEC.endpoint]
        known, case = status_at_horizon(outcome.time_months, outcome.event, TARGET_MONTHS)
        status = np.where(known, case.astype(np.float64), np.nan)
        fold = assign_folds(development.patient_ids, status, params.folds, seed)
        with joined() as worker:
            sources, weights = sources_digest(Path(__file__).parent), pretrained_sha256(params.pretrained)
            origin = f"{development.digest()} {sources} {weights}"
            trainer = Trainer(params, seed, worker, checkpoints, origin, progress)
            fitted = {}
            for sequence in SEQUENCES:
                task = _task(sequence, development, status, params)
                fitted[sequence] = cross_fit(trainer, task, development.patient_ids, status, fold)
            scores = _scores(development, fitted, fold, known)
            risk_models = fit_risk_models(scores, development)
            if worker.leads:
                facts = {
                    **_facts(development, seed, fitted, int(known.sum())),
                    "params": {**asdict(params), "pretrained": weights},
                    "sources_sha256": sources,
                }
                states = {sequence: result.refitted.state for sequence, result in fitted.items()}
                predictions = out_of_fold(scores, _covariates(development), risk_models)
                write_results(folder, states, predictions, risk_models, facts)
                trainer.discard_checkpoints()

    def signature(self, folder: Path) -> nn.Module:
        """Return the signature trained into a folder, in evaluation mode."""
        facts = read_facts(folder)
        weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
        networks = {}
        for sequence in SEQUENCES:
            networks[sequence] = SequenceNetwork(facts["params"]["width"], facts["params"]["dropout"])
            networks[sequence].load_state_dict(weights[sequence])
        return Signature(networks["t2w"], networks["adc"], RiskModels.read(folder / "risk_models.json")).eval()

    def export(self, folder: Path, artifact_folder: Path, identity: Mapping[str, str]) -> Path:
        """Write the ONNX file, its contract and its card."""
        return write_artifact(self.signature(folder), SPEC, folder, artifact_folder, identity, PREPROCESSING)


SYSTEM = MriDistantMetastasis()


def fit_risk_models(scores: pd.DataFrame, development: DevelopmentSet) -> RiskModels:
    """Fit the five Cox models and two cut-offs on out-of-fold scores.

    Args:
        scores: Columns t2w_prob, adc_prob, dl_prob, one row per development patient in order.
        development: Covariates and outcomes of the same patients.

    Raises:
        ValueError: A Cox model or cut-off is undefined in these data.
    """
    outcome = development.follow_up[SPEC.endpoint]
    table = pd.concat([scores.reset_index(drop=True), _covariates(development)], axis=1)
    columns = {name: table[list(MODEL_COVARIATES[name])].to_numpy(dtype=np.float64) for name in RISK_MODELS}
    models = {
        name: fit_cox(MODEL_COVARIATES[name], columns[name], outcome.event, outcome.time_months, HORIZONS_MONTHS)
        for name in RISK_MODELS
    }
    cutoffs = {
        f"lp_{name}": youden_cutoff_at_horizon(
            outcome.time_months, outcome.event, models[name].linear_predictor(columns[name]), TARGET_MONTHS
        ).value
        for name in WITH_CUTOFF
    }
    return RiskModels(models, cutoffs, METHOD)


def _covariates(development: DevelopmentSet) -> pd.DataFrame:
    return pd.DataFrame(development.inputs["covariates"].astype(np.float64), columns=list(CLINICAL))


def _task(sequence: str, development: DevelopmentSet, status: NDArray[np.float64], params: TrainingParams) -> Task:
    def build(rows: Rows) -> SequenceNetwork:
        network = SequenceNetwork(params.width, params.dropout, float(np.nanmean(status[rows])))
        if params.pretrained is not None:
            load_pretrained(network, Path(params.pretrained))
        return network

    return Task(
        name=sequence,
        build=build,
        inputs={"stack": development.inputs[sequence]},
        targets={"metastasis": status},
        loss=_cross_entropy,
        augment=StackAugmentation(),
    )


def _cross_entropy(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(logits, targets["metastasis"])


def _scores(
    development: DevelopmentSet, fitted: Mapping[str, CrossFitted], fold: NDArray[np.intp], known: NDArray[np.bool_]
) -> pd.DataFrame:
    """Return the out-of-fold scores, one row per patient; `fold` counts from 1."""
    probabilities = {s: 1 / (1 + np.exp(-fitted[s].outputs.astype(np.float64))) for s in SEQUENCES}
    return pd.DataFrame(
        {
            "patient_id": development.patient_ids,
            "fold": fold + 1,
            "t2w_prob": probabilities["t2w"],
            "adc_prob": probabilities["adc"],
            "dl_prob": probabilities["t2w"] + probabilities["adc"],
            "in_classifier_training": known,
        }
    )


def _facts(development: DevelopmentSet, seed: int, fitted: Mapping[str, CrossFitted], known: int) -> dict[str, object]:
    """Return what training.json says of patients and networks; no clock times, no paths."""
    return {
        "model": SPEC.name,
        "seed": seed,
        "n": len(development.patient_ids),
        "events": int(development.follow_up[SPEC.endpoint].event.sum()),
        "in_classifier_training": known,
        "networks": {sequence: network_facts(result) for sequence, result in fitted.items()},
    }
