"""The whole signature as one graph: features, score, clinical risk score, grade, Cox models: the ONNX file."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from models.histology_spatial_survival import FEATURES, RISK_MODELS
from models.histology_spatial_survival.organisation import ORGANISED_CLASSES, TISSUE_CLASSES, infiltrating_distances
from models.histology_spatial_survival.risk import SofModel
from models.risk_layer import CoxLayer
from models.risk_models import RiskModels


class Signature(nn.Module):
    """Counts of tiles and clinical factors to features, scores, linear predictors and risks, in the order of the spec.

    It has no parameters, only the numbers fitted in development; the tile classifier is a file of its own.
    """

    infiltrating: Tensor
    cutoffs: Tensor
    crs_prevalence: Tensor
    lp_sof_cutoff: Tensor
    crs_cutoff: Tensor

    def __init__(self, sof: SofModel, risk_models: RiskModels) -> None:
        """Join the score and the fitted risk models."""
        super().__init__()
        infiltrating = infiltrating_distances(sof.cut_tiles).astype(np.float32)
        self.register_buffer("infiltrating", torch.from_numpy(infiltrating))  # (5, distances)
        self.register_buffer("cutoffs", torch.tensor(sof.cutoffs))  # (chosen,)
        self.register_buffer("crs_prevalence", torch.tensor(sof.crs_prevalence))  # (5,)
        self.register_buffer("lp_sof_cutoff", torch.tensor(risk_models.cutoffs["lp_sof"]))  # ()
        self.register_buffer("crs_cutoff", torch.tensor(risk_models.cutoffs["crs"]))  # ()
        self.places = [FEATURES.index(name) for name in sof.cox.names]
        self.sof = CoxLayer(sof.cox)
        self.cox = nn.ModuleDict({name: CoxLayer(risk_models.models[name]) for name in RISK_MODELS})

    def forward(
        self, tiles_by_tissue: Tensor, tiles_by_distance: Tensor, interaction: Tensor, covariates: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the outputs of the spec.

        Args:
            tiles_by_tissue: (N, 7).
            tiles_by_distance: (N, 5, distances).
            interaction: (N, 5).
            covariates: (N, 5), NaN = missing.
        """
        feature = self._features(tiles_by_tissue, tiles_by_distance, interaction)  # (N, 20)
        share = tiles_by_tissue / tiles_by_tissue.sum(dim=1, keepdim=True)  # (N, 7)
        sof, _ = self.sof((feature[:, self.places] >= self.cutoffs).to(feature.dtype))  # (N,)
        crs = torch.where(torch.isnan(covariates), self.crs_prevalence, covariates).sum(dim=1)  # (N,)
        columns = {"sof": sof, "crs": crs}
        results = {
            name: self.cox[name](torch.stack([columns[column] for column in covariate_names], dim=1))  # (N,), (N, 3)
            for name, covariate_names in RISK_MODELS.items()
        }
        high = (results["sof"][0] >= self.lp_sof_cutoff, crs >= self.crs_cutoff)
        grade = high[0].to(crs.dtype) + high[1].to(crs.dtype)  # (N,)
        linear_predictors, risks = zip(*results.values(), strict=True)
        return feature, share, sof, crs, grade, *linear_predictors, *risks

    def _features(self, tiles_by_tissue: Tensor, tiles_by_distance: Tensor, interaction: Tensor) -> Tensor:
        """Return what `organisation.features` returns, to the last bit."""
        total = tiles_by_tissue[:, TISSUE_CLASSES].sum(dim=1, keepdim=True)  # (N, 1)
        infiltrating = (tiles_by_distance * self.infiltrating).sum(dim=2)  # (N, 5)
        distal = tiles_by_distance.sum(dim=2) - infiltrating  # (N, 5)
        counted = torch.cat([tiles_by_tissue[:, ORGANISED_CLASSES], infiltrating, distal], dim=1)  # (N, 15)
        return torch.cat([counted / total, interaction], dim=1)
