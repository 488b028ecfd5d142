"""Tests of the tables of the liver cohorts: published frequencies, clinical risk score, planted effects, follow-up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import concordance_index
from numpy.typing import NDArray

from models.histology_spatial_survival import CRS_FACTORS, FEATURES
from pipelines.synthetic.definition import CohortDefinition
from pipelines.synthetic.liver_cohorts import LIVER_COHORTS
from pipelines.synthetic.liver_metastasis import ANNOTATED_FIRST, CUT_OFFS, HAZARD, NORMALS, covariates
from pipelines.synthetic.randomness import standard_normals
from pipelines.synthetic.simulation import SimulatedCohort, simulate

N, N_WITH_SLIDES = 12_000, 1500
Factors = dict[str, NDArray[np.bool_]]
Large = tuple[CohortDefinition, pd.DataFrame, Factors]
WithSlides = tuple[CohortDefinition, SimulatedCohort]
PUBLISHED = {  # 5-year survival, median follow-up in months, share with a clinical risk score of 3 to 5
    "liver_development": (0.515, 51.6, 164 / 433),
    "liver_external": (0.485, 39.5, 185 / 404),
}


@pytest.fixture(scope="module", params=LIVER_COHORTS, ids=lambda definition: definition.name)
def large(request: pytest.FixtureRequest) -> Large:
    """Return a definition and the covariates of 12,000 patients, without slides."""
    normals = standard_normals(7, request.param.name, N, "covariates", NORMALS)
    table, factors = covariates({name: normals[name].to_numpy() for name in NORMALS}, request.param.population)
    return request.param, table, factors


@pytest.fixture(scope="module", params=LIVER_COHORTS, ids=lambda definition: definition.name)
def with_slides(request: pytest.FixtureRequest) -> WithSlides:
    """Return a definition and about 1500 patients with the truth of their slides."""
    return request.param, simulate(request.param, N_WITH_SLIDES / request.param.published_n, seed=7)


def test_published_counts_add_up() -> None:
    """Every variable accounts for every patient; metastases and early recurrences are shares of our own."""
    for definition in LIVER_COHORTS:
        for name, counts in definition.population.counts.items():
            if name not in ("metastases", "metachronous_below_12m") and not name.startswith(("adjuvant_", "annotated")):
                assert sum(counts.values()) == definition.published_n, (definition.name, name)


def test_frequencies_follow_the_published_table(large: Large) -> None:
    """Every category has its published share, the unknown ones too, within four binomial standard errors."""
    definition, table, _ = large
    for column in ("sex", "primary_site", "pt_stage", "pn_stage", "resection", "ablation", "preoperative_chemotherapy"):
        counts = definition.population.counts[column]
        found = table[column].fillna("unknown")
        for category, count in counts.items():
            share = count / sum(counts.values())
            assert abs((found == category).mean() - share) < 4 * np.sqrt(share * (1 - share) / N), (column, category)
    assert (table["synchronous"] == "yes").mean() == pytest.approx(
        definition.population.counts["synchronous"]["yes"] / definition.published_n, abs=0.02
    )


def test_quartiles_follow_the_published_table(large: Large) -> None:
    """Age, diameter and CEA have their published quartiles; metastases are 2 [1-4]."""
    definition, table, _ = large
    for name, quartiles in definition.population.quartiles.items():
        found = table[name].astype(float).quantile([0.25, 0.5, 0.75])
        assert found.to_numpy() == pytest.approx(np.array(quartiles), rel=0.07), name
    assert table["metastases"].astype(float).quantile([0.25, 0.5, 0.75]).tolist() == [1, 2, 4]


def test_synchronous_metastases_have_no_interval(large: Large) -> None:
    """The interval is 0 exactly with synchronous metastases."""
    table = large[1]
    assert ((table["disease_free_interval_months"] == 0) == (table["synchronous"] == "yes")).all()


def test_the_clinical_risk_score_has_its_published_share(large: Large) -> None:
    """A score of three to five is as frequent as published."""
    definition, _, factors = large
    score = np.sum([factors[name] for name in CRS_FACTORS], axis=0)
    assert (score >= 3).mean() == pytest.approx(PUBLISHED[definition.name][2], abs=0.02)


def test_adjuvant_treatment_depends_on_pretreatment_and_chance(large: Large) -> None:
    """Shares of the treated are the published ones with and without pretreatment, and so is that of the unknown."""
    definition, table, factors = large
    counts = definition.population.counts
    for name, chosen in (("not_pretreated", ~factors["pretreated"]), ("pretreated", factors["pretreated"])):
        expected = counts[f"adjuvant_{name}"]
        share = expected["yes"] / sum(expected.values())
        assert factors["chemotherapy"][chosen].mean() == pytest.approx(share, abs=0.03)
    unknown = counts["adjuvant_known"]["no"] / definition.published_n
    assert table["adjuvant_chemotherapy"].isna().mean() == pytest.approx(unknown, abs=0.01)
    known = table["adjuvant_chemotherapy"].notna().to_numpy()
    assert ((table["adjuvant_chemotherapy"] == "yes").to_numpy() == factors["chemotherapy"])[known].all()


def test_every_resolution_is_in_the_file(large: Large) -> None:
    """No slide needs a resolution from the table."""
    assert large[1]["mpp_given"].isna().all()


def test_cox_recovers_the_planted_effects(with_slides: WithSlides) -> None:
    """A Cox model of the true predictors finds every coefficient within four standard errors."""
    definition, cohort = with_slides
    n = len(cohort.outcomes)
    normals = standard_normals(7, definition.name, n, "covariates", NORMALS)
    _, factors = covariates({name: normals[name].to_numpy() for name in NORMALS}, definition.population)
    oracle = cohort.oracle
    target = factors["chemotherapy"] & ~factors["pretreated"] & oracle["sof_high"].to_numpy()
    predictors = {f"{name}_high": oracle[name].to_numpy() >= cut for name, cut in CUT_OFFS.items()} | factors
    predictors |= {
        "chemotherapy_sof_high_untreated": target,
        "chemotherapy_others": predictors.pop("chemotherapy") & ~target,
    }
    table = pd.DataFrame(predictors).astype(float)
    np.testing.assert_allclose(HAZARD.linear_predictor(table), oracle["linear_predictor"])
    fit = CoxPHFitter().fit(table.assign(t=cohort.outcomes["os_time_months"], e=cohort.outcomes["os_event"]), "t", "e")
    for name, truth in HAZARD.log_ratios.items():
        assert abs(fit.params_[name] - truth) < 4 * fit.standard_errors_[name], name


def test_survival_and_follow_up_are_near_the_published_ones(with_slides: WithSlides) -> None:
    """Five-year survival, median follow-up (reverse Kaplan-Meier) and the share of deaths are those of the paper."""
    definition, cohort = with_slides
    survival, follow_up, _ = PUBLISHED[definition.name]
    time, event = cohort.outcomes["os_time_months"], cohort.outcomes["os_event"]
    assert KaplanMeierFitter().fit(time, event).predict(60.0) == pytest.approx(survival, abs=0.045)
    assert KaplanMeierFitter().fit(time, 1 - event).median_survival_time_ == pytest.approx(follow_up, abs=4)
    assert event.mean() == pytest.approx(0.41, abs=0.05)
    assert (time > 96).sum() > 0.015 * len(time)  # the horizon of eight years


def test_the_slide_tells_what_the_paper_says_it_tells(with_slides: WithSlides) -> None:
    """The true score tells more than the published, fitted one (hazard ratio 2.0 to 2.3, C 0.62); the signs agree."""
    _, cohort = with_slides
    oracle, time, event = cohort.oracle, cohort.outcomes["os_time_months"], cohort.outcomes["os_event"]
    table = pd.DataFrame({"high": oracle["sof_high"].astype(float), "t": time, "e": event})
    assert 2.0 < np.exp(CoxPHFitter().fit(table, "t", "e").params_["high"]) < 4.5
    assert 0.62 < concordance_index(time, -oracle["sof_score"], event) < 0.75
    for name, sign in (("overall_deb", 1), ("overall_lym", -1), ("distal_hep", -1), ("interaction_hep", 1)):
        table = pd.DataFrame({"high": (oracle[name] >= CUT_OFFS[name]).astype(float), "t": time, "e": event})
        assert sign * CoxPHFitter().fit(table, "t", "e").params_["high"] > 0.25, name
    assert oracle["sof_high"].mean() == pytest.approx(0.68, abs=0.04)


def test_the_oracle_holds_the_true_features(with_slides: WithSlides) -> None:
    """All but the few with too little tumour have them; risks rise with the horizon; cut-offs are near medians."""
    _, cohort = with_slides
    oracle = cohort.oracle
    missing = oracle[list(FEATURES)].isna()
    assert (missing.any(axis=1) == missing.all(axis=1)).all()
    assert 0.01 < missing.all(axis=1).mean() < 0.08
    assert (oracle.loc[oracle["tumour_tiles"] < 50, list(FEATURES)].isna()).all(axis=None)
    assert (oracle["risk_36m"] < oracle["risk_96m"]).all()
    assert abs(oracle[list(CUT_OFFS)].corr().to_numpy() - np.eye(4)).max() < 0.35
    for name, cut in CUT_OFFS.items():
        assert (oracle[name] >= cut).mean() == pytest.approx(0.5, abs=0.08), name


def test_a_rim_of_stroma_keeps_the_liver_off_the_tumour(with_slides: WithSlides) -> None:
    """HEP* is low with a desmoplastic margin and higher with a pushing or replacement one."""
    oracle = with_slides[1].oracle.dropna()
    by_pattern = oracle.groupby("growth_pattern")
    median, size = by_pattern["interaction_hep"].median(), by_pattern.size() / len(oracle)
    assert median["desmoplastic"] < 0.02 < median["pushing"] < median["replacement"]
    assert by_pattern["interaction_str"].median().idxmax() == "desmoplastic"
    lowest = oracle.nsmallest(15, "interaction_hep")["growth_pattern"]
    highest = oracle.nlargest(15, "interaction_hep")["growth_pattern"]
    assert (lowest == "desmoplastic").mean() > 0.9  # Qi: all 15
    assert (highest != "desmoplastic").mean() > 0.7
    assert size["desmoplastic"] == pytest.approx(0.62, abs=0.05)


def test_annotated_patients_are_the_first_and_some_others(with_slides: WithSlides) -> None:
    """The first twenty whatever the size, and of the others about as many as make the published number."""
    definition, cohort = with_slides
    annotated = cohort.oracle["annotated"].to_numpy() == 1
    assert annotated[:ANNOTATED_FIRST].all()
    counts = definition.population.counts["annotated"]
    assert counts["yes"] + ANNOTATED_FIRST == {"liver_development": 59, "liver_external": 60}[definition.name]
    others = annotated[ANNOTATED_FIRST:]
    share = counts["yes"] / sum(counts.values())
    assert others.mean() == pytest.approx(share, abs=2.6 * np.sqrt(share * (1 - share) / len(others)))


def test_more_patients_leave_the_first_as_they_were() -> None:
    """Tables and truth of a patient depend on its position alone."""
    definition = LIVER_COHORTS[0]
    few, more = (simulate(definition, n / definition.published_n, seed=7) for n in (10, 20))
    for name in ("patients", "outcomes", "oracle"):
        pd.testing.assert_frame_equal(getattr(few, name), getattr(more, name).head(10), check_dtype=False)
    assert few.renderings == more.renderings[:10]
