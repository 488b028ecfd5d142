"""Tests of the tables of the gastric cohorts: frequencies by response, unknowns, survival, the split by time."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import concordance_index
from sklearn.metrics import roc_auc_score

from pipelines.synthetic.definition import CohortDefinition
from pipelines.synthetic.gastric_cancer import CATEGORIES, HAZARD, MARKERS
from pipelines.synthetic.gastric_cohorts import GASTRIC_COHORTS
from pipelines.synthetic.randomness import standard_normals
from pipelines.synthetic.simulation import SimulatedCohort, simulate

N = 12_000
Large = tuple[CohortDefinition, SimulatedCohort]


@pytest.fixture(scope="module", params=GASTRIC_COHORTS, ids=lambda definition: definition.name)
def large(request: pytest.FixtureRequest) -> Large:
    """Return a definition and about 12,000 of its patients."""
    return request.param, simulate(request.param, N / request.param.published_n, seed=7)


def test_published_counts_add_up() -> None:
    """Good and poor responders are the cohort; a variable accounts for every responder, unknowns included."""
    for definition in GASTRIC_COHORTS:
        n = definition.population.counts["good_response"]
        assert sum(n.values()) == definition.published_n
        for response, group in definition.population.groups.items():
            for name in ("sex", "tumour_location", "cm_stage", "differentiation", "bmi", "tumour_diameter", *MARKERS):
                assert sum(group.counts[name].values()) == n[response], (definition.name, response, name)


def test_share_of_good_responders(large: Large) -> None:
    """24.4, 22.1 and 22.3 % respond well."""
    definition, cohort = large
    counts = definition.population.counts["good_response"]
    share = counts["good"] / sum(counts.values())
    assert cohort.outcomes["good_response"].mean() == pytest.approx(share, abs=0.012)


def test_frequencies_follow_the_published_table_by_response(large: Large) -> None:
    """Every category has its published share among good and among poor responders, unknown markers included."""
    definition, cohort = large
    table = cohort.patients.fillna(dict.fromkeys(MARKERS, "unknown"))
    for response, label in (("good", 1), ("poor", 0)):
        rows = table[cohort.outcomes["good_response"] == label]
        counts = definition.population.groups[response].counts
        for column in (*CATEGORIES, *MARKERS):
            for category, count in counts[column].items():
                share = count / sum(counts[column].values())
                tolerance = 4 * np.sqrt(share * (1 - share) / len(rows)) + 1e-9
                assert abs((rows[column] == category).mean() - share) < tolerance, (response, column, category)


def test_measurements_follow_the_published_table_by_response(large: Large) -> None:
    """Cut points of age, BMI and diameter have their published shares; laboratory values mean and spread."""
    definition, cohort = large
    for response, label in (("good", 1), ("poor", 0)):
        rows = cohort.patients[cohort.outcomes["good_response"] == label]
        group = definition.population.groups[response]
        bmi = rows["bmi_kg_m2"].dropna().astype(float)
        shares = group.counts["bmi"]
        known = sum(shares.values()) - shares["unknown"]
        assert (bmi < 18.5).mean() == pytest.approx(shares["low"] / known, abs=0.025)
        assert (bmi >= 24).mean() == pytest.approx(shares["high"] / known, abs=0.035)
        assert rows["bmi_kg_m2"].isna().mean() == pytest.approx(shares["unknown"] / sum(shares.values()), abs=0.01)
        diameter, above = rows["tumour_diameter_cm"].dropna().astype(float), group.counts["tumour_diameter"]
        expected = above["above"] / (above["above"] + above["below"])
        assert (diameter > 5).mean() == pytest.approx(expected, abs=0.04)
        for name, (mean, sd) in group.measurements.items():
            values = rows[name].astype(float)
            assert values.mean() == pytest.approx(mean, abs=0.15 * sd), (response, name)
            assert values.std() == pytest.approx(sd, rel=0.1), (response, name)


def test_signet_ring_cells_and_nodes_agree_with_type_and_stage(large: Large) -> None:
    """Signet-ring type has signet-ring cells; cN0 has no enlarged node, cN3 seven and more."""
    table = large[1].patients
    assert (table.loc[table["histology"] == "signet_ring", "signet_ring_component"] == "yes").all()
    assert (table.loc[table["cn_stage"] == "cN0", "enlarged_nodes"] == 0).all()
    assert (table.loc[table["cn_stage"] == "cN3", "enlarged_nodes"] >= 7).all()


def test_cox_recovers_the_log_hazard_ratios(large: Large) -> None:
    """A Cox model of the true predictors finds every coefficient."""
    definition, cohort = large
    disease, n = definition.disease, len(cohort.outcomes)
    normals = standard_normals(7, definition.name, n, "covariates", disease.normals)
    predictors = disease.describe(normals, definition.population).predictors
    table = predictors.assign(t=cohort.outcomes["os_time_months"], e=cohort.outcomes["os_event"])
    fit = CoxPHFitter().fit(table, "t", "e")
    for name, truth in HAZARD.log_ratios.items():
        assert abs(fit.params_[name] - truth) < 4 * fit.standard_errors_[name], name


def test_oracle_figures_are_near_the_targets(large: Large) -> None:
    """C for OS, AUC of the label and three-year survival lie where the mechanism says."""
    _, cohort = large
    time, event = cohort.outcomes["os_time_months"], cohort.outcomes["os_event"]
    assert 0.72 <= concordance_index(time, -cohort.oracle["linear_predictor"], event) <= 0.77
    label = cohort.outcomes["good_response"]
    assert roc_auc_score(label, cohort.oracle["probability_good_response"]) == pytest.approx(0.86, abs=0.02)
    assert label.mean() == pytest.approx(cohort.oracle["probability_good_response"].mean(), abs=0.015)
    assert KaplanMeierFitter().fit(time, event).predict(36.0) == pytest.approx(0.58, abs=0.04)


def test_ten_patients_of_664_were_never_seen_again(large: Large) -> None:
    """They are censored after a day, so that the table has no gap and no estimator learns from them."""
    outcomes = large[1].outcomes
    never = outcomes["os_time_months"] == 0.03
    assert never.mean() == pytest.approx(10 / 664, abs=0.004)
    assert (outcomes.loc[never, "os_event"] == 0).mean() > 0.95
    assert not outcomes.isna().any(axis=None)


def test_development_and_internal_are_split_by_date() -> None:
    """No patient of the internal cohort was operated on before the last of development; both are centre I."""
    development, internal = (simulate(definition, 1.0, seed=7).patients for definition in GASTRIC_COHORTS[:2])
    assert development["surgery_date"].max() < internal["surgery_date"].min()
    assert set(development["centre"]) == set(internal["centre"]) == {"I"}


def test_external_has_five_other_centres() -> None:
    """They stay apart in the column `centre`, each with patients."""
    patients = simulate(GASTRIC_COHORTS[2], 1.0, seed=7).patients
    assert set(patients["centre"]) == {"II", "III", "IV", "V", "VI"}
    assert patients["centre"].value_counts().min() >= 10
