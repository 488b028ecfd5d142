"""Tests of the tables: frequencies, hazard, achievable figures, gaps, the shortcut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pipelines.synthetic.definition import CohortDefinition
from pipelines.synthetic.randomness import standard_normals
from pipelines.synthetic.rectal_cancer import HAZARD, LATENTS, NORMALS, describe
from pipelines.synthetic.simulation import SimulatedCohort, simulate
from tests.pipelines.synthetic.conftest import definition_of
from validation.errors import InputError

Large = tuple[CohortDefinition, SimulatedCohort]


def _metastasis_by_36(outcomes: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who is known to be with or without metastasis at 36 months, and who has it."""
    time, event = outcomes["dmfs_time_months"].to_numpy(), outcomes["dmfs_event"].to_numpy() == 1
    early = event & (time <= 36)
    return early | (time >= 36), early


def test_frequencies_follow_the_published_table(large: Large) -> None:
    """Every category has its published share, within four binomial standard errors."""
    definition, cohort = large
    table = cohort.patients.assign(
        cea_elevated=cohort.patients["cea_ng_ml"].map(lambda x: None if x is None else "yes" if x > 5 else "no")
    )
    for column, counts in definition.population.counts.items():
        found = table[column].dropna()
        for category, count in counts.items():
            share = count / sum(counts.values())
            tolerance = 4 * np.sqrt(share * (1 - share) / len(found))
            assert abs((found == category).mean() - share) < tolerance, (column, category)


def test_age_follows_the_published_table(large: Large) -> None:
    """Mean and standard deviation of age are the published ones within half a year."""
    definition, cohort = large
    age = cohort.patients["age_years"].astype(float)
    assert age.mean() == pytest.approx(definition.population.age_mean_years, abs=0.5)
    assert age.std() == pytest.approx(definition.population.age_sd_years, abs=0.5)


def test_staging_is_consistent(large: Large) -> None:
    """Stage II goes with cN negative; pCR is ypT0 ypN0 exactly."""
    complete = large[1].patients.dropna()
    assert ((complete["clinical_stage"] == "II") == (complete["cn_stage"] == "negative")).all()
    remission = (complete["ypt_stage"] == "ypT0") & (complete["ypn_stage"] == "ypN0")
    assert ((complete["pcr"] == "yes") == remission).all()


def test_gaps_are_where_they_may_be_and_as_many(large: Large) -> None:
    """Shares of empty cells are the documented ones; ids, sites, sex, age and date have none."""
    definition, cohort = large
    share = cohort.patients.isna().mean()
    gaps = definition.disease.missing
    for column in {column for gap in gaps for column in gap.columns}:
        expected = 1 - np.prod([1 - gap.probability for gap in gaps if column in gap.columns])
        assert share[column] == pytest.approx(expected, abs=0.008), column
    assert share[["patient_id", "centre", "scanner", "sex", "age_years", "surgery_date"]].eq(0).all()


def test_cox_recovers_the_log_hazard_ratios(large: Large) -> None:
    """A Cox model of the true predictors finds every coefficient within four standard errors, in every cohort."""
    definition, cohort = large
    n = len(cohort.outcomes)
    described = describe(standard_normals(7, definition.name, n, "covariates", NORMALS), definition.population)
    table = described.predictors.assign(t=cohort.outcomes["dmfs_time_months"], e=cohort.outcomes["dmfs_event"])
    fit = CoxPHFitter().fit(table, "t", "e")
    for name, truth in HAZARD.log_ratios.items():
        assert abs(fit.params_[name] - truth) < 4 * fit.standard_errors_[name], name


def test_oracle_figures_are_near_the_targets(large: Large) -> None:
    """C, 3-year AUC, event rate and losses of a large cohort lie where the mechanism says, none near 1."""
    definition, cohort = large
    outcomes, oracle = cohort.outcomes, cohort.oracle
    known, early = _metastasis_by_36(outcomes)
    time, event = outcomes["dmfs_time_months"], outcomes["dmfs_event"]
    clinical = oracle["linear_predictor"] - sum(HAZARD.log_ratios[z] * oracle[z] for z in LATENTS)
    assert 0.78 <= concordance_index(time, -oracle["linear_predictor"], event) <= 0.82
    assert 0.82 <= roc_auc_score(early[known], oracle["linear_predictor"][known]) <= 0.86
    assert 0.60 <= concordance_index(time, -clinical, event) <= 0.68
    assert early[known].mean() == pytest.approx({"development": 0.23, "external": 0.30}[definition.role], abs=0.02)
    assert 1 - known.mean() == pytest.approx(0.047, abs=0.01)


def test_calibration_transports(large: Large) -> None:
    """True risks agree with observed shares in every cohort, and the true linear predictor has slope 1."""
    _, cohort = large
    known, early = _metastasis_by_36(cohort.outcomes)
    assert early[known].mean() / cohort.oracle["risk_36m"][known].mean() == pytest.approx(1, abs=0.07)
    table = cohort.outcomes[["dmfs_time_months", "dmfs_event"]].assign(x=cohort.oracle["linear_predictor"])
    assert CoxPHFitter().fit(table, "dmfs_time_months", "dmfs_event").params_["x"] == pytest.approx(1, abs=0.07)


def test_outcome_times_are_consistent(large: Large) -> None:
    """Times are positive, to 0.01 month, and DMFS never exceeds OS."""
    outcomes = large[1].outcomes
    dmfs, overall = outcomes["dmfs_time_months"], outcomes["os_time_months"]
    assert (dmfs > 0).all()
    assert (dmfs <= overall).all()
    assert (dmfs == dmfs.round(2)).all()
    assert not outcomes.isna().any(axis=None)


def test_scanner_tells_nothing_of_biology(large: Large) -> None:
    """Mean latent biology does not differ between scanners."""
    definition, cohort = large
    for latent in LATENTS:
        means = cohort.oracle.groupby(cohort.patients["scanner"])[latent].mean()
        assert (abs(means - definition.population.latent_means[latent]) < 0.1).all()


def test_the_defect_is_random_except_in_the_shortcut_cohort(large: Large) -> None:
    """A quarter has the defect whatever the outcome."""
    definition, cohort = large
    _, early = _metastasis_by_36(cohort.outcomes)
    defect = cohort.oracle["artefact"].to_numpy()
    assert defect[early].mean() == pytest.approx(0.25, abs=0.04)
    assert defect[~early].mean() == pytest.approx(0.25, abs=0.04)
    assert definition.artefact is not None
    assert set(cohort.patients["scanner"][defect]) == {definition.artefact.scanner}


def test_the_shortcut_cohort_is_confounded() -> None:
    """The defect is present in 92 % of those with early metastasis and 8 % of the others, on one scanner."""
    definition = definition_of("mri_shortcut")
    cohort = simulate(definition, 10.0, seed=7)
    _, early = _metastasis_by_36(cohort.outcomes)
    defect = cohort.oracle["artefact"].to_numpy()
    assert defect[early].mean() == pytest.approx(0.92, abs=0.04)
    assert defect[~early].mean() == pytest.approx(0.08, abs=0.03)


def test_cohorts_share_no_patient() -> None:
    """Cohorts of the same seed have other ids and other biology."""
    first, second = (simulate(definition_of(name), 0.3, seed=7) for name in ("mri_development", "mri_shortcut"))
    assert not set(first.patients["patient_id"]) & set(second.patients["patient_id"])
    assert not set(first.oracle["z_t2"]) & set(second.oracle["z_t2"])


def test_size_is_the_published_one_times_the_scale() -> None:
    """Scale 1 gives the paper's n, other scales round."""
    assert len(simulate(definition_of("mri_external"), 1.0, seed=7).patients) == 65
    assert len(simulate(definition_of("mri_external"), 0.1, seed=7).patients) == 6


def test_no_patient_is_refused() -> None:
    """A scale that leaves nobody is said to do so."""
    tiny = replace(definition_of("mri_external"), published_n=1)
    with pytest.raises(InputError, match=r"scale 0\.1 of mri_external"):
        simulate(tiny, 0.1, seed=7)
