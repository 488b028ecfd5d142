"""Tests of the tables of the colorectal cohorts: frequencies, stages, hazard, label, treatment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index
from sklearn.metrics import roc_auc_score

from pipelines.synthetic.colorectal_cancer import HAZARD, HIGH_IMAGE_RISK_ABOVE, IMAGE_RISK
from pipelines.synthetic.colorectal_cohorts import COLORECTAL_COHORTS
from pipelines.synthetic.definition import CohortDefinition, Described
from pipelines.synthetic.randomness import standard_normals
from pipelines.synthetic.simulation import SimulatedCohort, simulate

N = 6000
Large = tuple[CohortDefinition, SimulatedCohort]


def _described(definition: CohortDefinition, n: int) -> Described:
    disease = definition.disease
    return disease.describe(
        standard_normals(7, definition.name, n, "covariates", disease.normals), definition.population
    )


@pytest.fixture(scope="module", params=COLORECTAL_COHORTS, ids=lambda definition: definition.name)
def large(request: pytest.FixtureRequest) -> Large:
    """Return a definition and about 6000 of its patients."""
    return request.param, simulate(request.param, N / request.param.published_n, seed=7)


def test_published_counts_add_up() -> None:
    """Every variable of table 1 accounts for every patient of its cohort."""
    for definition in COLORECTAL_COHORTS:
        for name, counts in definition.population.counts.items():
            assert sum(counts.values()) == definition.published_n, (definition.name, name)


def test_frequencies_follow_the_published_table(large: Large) -> None:
    """Every category, stages included, has its published share within four binomial standard errors."""
    definition, cohort = large
    elevated = np.where(cohort.patients["cea_ng_ml"].astype(float) > 5, "yes", "no")
    table = cohort.patients.assign(cea_elevated=elevated)
    for column, counts in definition.population.counts.items():
        for category, count in counts.items():
            share = count / sum(counts.values())
            tolerance = 4 * np.sqrt(share * (1 - share) / len(table)) + 1e-9
            assert abs((table[column] == category).mean() - share) < tolerance, (column, category)


def test_stages_agree(large: Large) -> None:
    """Stage I is pT1-2 pN0, II pT3-4 pN0, III node-positive."""
    table = large[1].patients
    early, negative = table["pt_stage"].isin(["pT1", "pT2"]), table["pn_stage"] == "pN0"
    assert (early & negative)[table["tnm_stage"] == "I"].all()
    assert (~early & negative)[table["tnm_stage"] == "II"].all()
    assert (~negative)[table["tnm_stage"] == "III"].all()


def test_pt3_and_pt4_are_inverted_in_centre_i(large: Large) -> None:
    """Centre I codes most tumours pT4, the other centres pT3."""
    definition, cohort = large
    share = cohort.patients["pt_stage"].value_counts(normalize=True)
    assert (share["pT4"] > share["pT3"]) == (definition.centres == ["I"])


def test_chemotherapy_is_known_for_77_percent_of_stages_ii_and_iii(large: Large) -> None:
    """It is recorded for stages II and III alone, with the published share of gaps."""
    table = large[1].patients
    treatable = table["tnm_stage"].isin(["II", "III"])
    assert table.loc[~treatable, "adjuvant_chemotherapy"].isna().all()
    assert table.loc[treatable, "adjuvant_chemotherapy"].notna().mean() == pytest.approx(1417 / 1846, abs=0.025)
    assert table.drop(columns="adjuvant_chemotherapy").notna().all(axis=None)


def test_cox_recovers_the_log_hazard_ratios(large: Large) -> None:
    """A Cox model of the true predictors finds every coefficient, the treatment's two among them."""
    definition, cohort = large
    predictors = _described(definition, len(cohort.outcomes)).predictors
    predictors = predictors.loc[:, predictors.nunique() > 1]
    table = predictors.assign(t=cohort.outcomes["os_time_months"], e=cohort.outcomes["os_event"])
    fit = CoxPHFitter().fit(table, "t", "e")
    for name in predictors.columns.astype(str):
        assert abs(fit.params_[name] - HAZARD.log_ratios[name]) < 4 * fit.standard_errors_[name], name


def test_chemotherapy_helps_those_of_high_image_risk() -> None:
    """In stages II and III the marginal OS hazard ratio is near 0.45 in high and near 0.9 in low image risk."""
    definition = COLORECTAL_COHORTS[0]
    cohort = simulate(definition, 20.0, seed=7)
    table = cohort.outcomes[["os_time_months", "os_event"]].assign(
        treated=cohort.patients["adjuvant_chemotherapy"].map({"yes": 1, "no": 0})
    )
    high = cohort.oracle["image_risk"] > HIGH_IMAGE_RISK_ABOVE
    for stage in ("II", "III"):
        for group, lower, upper in ((high, 0.38, 0.55), (~high, 0.70, 1.12)):
            rows = table[(cohort.patients["tnm_stage"] == stage) & group].dropna()
            fit = CoxPHFitter().fit(rows.astype(float), "os_time_months", "os_event")
            assert lower < np.exp(fit.params_["treated"]) < upper, stage


def test_oracle_figures_are_near_the_targets(large: Large) -> None:
    """C for OS, the image's share of it, AUC of the label and five-year survival lie where the mechanism says."""
    definition, cohort = large
    time, event = cohort.outcomes["os_time_months"], cohort.outcomes["os_event"]
    full = concordance_index(time, -cohort.oracle["linear_predictor"], event)
    image = concordance_index(time, -cohort.oracle["image_risk"], event)
    untreated = concordance_index(time, -cohort.oracle["linear_predictor_untreated"], event)
    assert 0.76 <= full <= 0.82
    assert full - 0.03 <= untreated < full
    assert 0.72 <= image <= 0.77
    label = _described(definition, len(cohort.outcomes)).labels["tsr_high"]
    assert roc_auc_score(label, cohort.oracle["probability_tsr_high"]) == pytest.approx(0.855, abs=0.02)
    assert cohort.oracle["risk_60m"].mean() == pytest.approx(0.24, abs=0.07)


def test_risks_and_label_probability_are_true(large: Large) -> None:
    """True risks agree with the observed share of deaths, the label's probability with its frequency."""
    definition, cohort = large
    dead = (cohort.outcomes["os_event"] == 1) & (cohort.outcomes["os_time_months"] <= 36)
    known = dead | (cohort.outcomes["os_time_months"] >= 36)
    assert dead[known].mean() / cohort.oracle["risk_36m"][known].mean() == pytest.approx(1, abs=0.1)
    label = _described(definition, len(cohort.outcomes)).labels["tsr_high"]
    assert label.mean() == pytest.approx(cohort.oracle["probability_tsr_high"].mean(), abs=0.02)
    assert ((cohort.oracle["stroma_percent"] > 50) == (label == 1)).all()


def test_both_latents_matter_and_the_label_shows_one(large: Large) -> None:
    """Each latent variable alone discriminates survival; the label correlates with the stroma only."""
    definition, cohort = large
    time, event = cohort.outcomes["os_time_months"], cohort.outcomes["os_event"]
    for latent in IMAGE_RISK:
        assert 0.63 < concordance_index(time, -cohort.oracle[latent], event) < 0.72
    label = _described(definition, len(cohort.outcomes)).labels["tsr_high"]
    assert np.corrcoef(label, cohort.oracle["z_stroma"])[0, 1] > 0.5
    assert abs(np.corrcoef(label, cohort.oracle["z_front"])[0, 1]) < 0.06


def test_tsr_is_in_the_outcomes_except_in_external_3(large: Large) -> None:
    """The label is an outcome, complete where measured; external 3 has no such column."""
    definition, cohort = large
    measured = definition.name != "ct_stroma_external_3"
    assert ("tsr_high" in cohort.outcomes) == measured
    assert "tsr_high" not in cohort.patients
    assert not cohort.outcomes.isna().any(axis=None)


def test_disease_free_survival_never_exceeds_overall_survival(large: Large) -> None:
    """DFS is not after OS, and every death within follow-up is an event of DFS."""
    outcomes: pd.DataFrame = large[1].outcomes
    assert (outcomes["dfs_time_months"] <= outcomes["os_time_months"]).all()
    assert (outcomes["dfs_event"] >= outcomes["os_event"]).all()
    assert outcomes["dfs_event"].mean() > outcomes["os_event"].mean() + 0.05
