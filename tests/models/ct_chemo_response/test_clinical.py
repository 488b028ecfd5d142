"""The clinical signature and its fusion with the deep-learning signature."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.ct_chemo_response.clinical import (
    ClinicalSignature,
    Correlated,
    fit_clinical_signature,
    fit_fusion,
    spearman_filter,
)
from models.logistic import LogisticModel
from tests.models.ct_chemo_response.tables import DL_LOG_ODDS, LOG_ODDS, NAMES, Patients, patients
from validation.estimators.association.spearman import spearman
from validation.estimators.discrimination.auc import auc
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.regression.lasso import stratified_folds


def signature(people: Patients, seed: int = 0) -> ClinicalSignature:
    """The clinical signature of made-up patients, five folds."""
    return fit_clinical_signature(NAMES, people.covariates, people.good, stratified_folds(people.good, 5, seed))


def test_signature_finds_the_covariates_that_matter() -> None:
    """The two with an effect are in it, at odds ratios above and below 1 as planted; it discriminates."""
    people = patients()
    fitted = signature(people)
    coefficients = dict(zip(fitted.model.names, fitted.model.coefficients, strict=True))

    assert coefficients["diameter_cm"] < -0.15
    assert coefficients["ct1_2"] > 0.5
    columns = people.covariates[:, [NAMES.index(name) for name in fitted.model.names]]
    assert auc(people.good, fitted.model.probability(columns)).value > 0.6


def test_signature_ships_the_model_its_table_shows() -> None:
    """The odds ratios of the table are those of the model that ships, fitted without penalty on the LASSO's choice."""
    fitted = signature(patients())
    chosen = [n for n, b in zip(fitted.lasso.names, fitted.lasso.coefficients, strict=True) if b != 0]
    values = [row.estimate.value for row in fitted.multivariable if row.estimate is not None]

    assert list(fitted.model.names) == chosen == [row.name for row in fitted.multivariable]
    np.testing.assert_allclose(np.log(values), fitted.model.coefficients, rtol=1e-6)


def test_covariates_without_effect_are_mostly_left_out() -> None:
    """Over ten cohorts the LASSO keeps both true covariates each time, and at most half of the four others."""
    kept = [signature(patients(800, seed)).model.names for seed in range(10)]

    assert all(set(LOG_ODDS) <= set(names) for names in kept)
    assert sum(len(names) - len(LOG_ODDS) for names in kept) <= 20


def test_one_of_two_that_say_the_same_is_set_aside() -> None:
    """Spearman sees any monotone copy; the one with the smaller P stays, and the other is named with its partner."""
    people = patients()
    rng = np.random.default_rng(1)
    volume = people.column("diameter_cm") ** 3 * rng.lognormal(0, 0.3, len(people.good))
    fitted = fit_clinical_signature(
        (*NAMES, "volume_cm3"),
        np.column_stack([people.covariates, volume]),
        people.good,
        stratified_folds(people.good, 5, 0),
    )

    assert [(pair.name, pair.kept) for pair in fitted.correlated] == [("volume_cm3", "diameter_cm")]
    assert 0.9 < fitted.correlated[0].correlation < 1
    assert "volume_cm3" not in fitted.lasso.names
    assert len(fitted.univariable) == 7


def test_spearman_filter_by_hand() -> None:
    """Of a chain a ~ b ~ c, b goes with a; c correlates with the dropped b only and stays; the sign is no matter."""
    ranks = np.arange(20.0)
    far = np.concatenate([ranks[:10:-1], ranks[:11]])
    table = np.column_stack([ranks, -(ranks**3), far])

    assert spearman_filter(("a", "b", "c"), table) == (Correlated("b", "a", pytest.approx(-1.0)),)
    assert spearman_filter(("a",), table[:, :1]) == ()


def test_spearman_filter_uses_the_coefficient_that_is_estimated_elsewhere() -> None:
    """Ties and all, what the filter compares is the estimator's rank correlation."""
    rng = np.random.default_rng(0)
    first = np.round(rng.normal(size=60), 1)
    second = np.round(first + 0.1 * rng.normal(size=60), 1)
    (pair,) = spearman_filter(("a", "b"), np.column_stack([first, second]))

    assert pair.correlation == pytest.approx(spearman(first, second).value, abs=1e-12)


def test_covariates_that_cannot_be_fitted_alone_are_no_candidates() -> None:
    """A constant and a separating column stay in the univariable table and reach no model."""
    people = patients(400)
    table = np.column_stack([people.covariates, np.zeros(400), people.good])
    fitted = fit_clinical_signature(
        (*NAMES, "constant", "separating"), table, people.good, stratified_folds(people.good, 5, 0)
    )

    assert [row.name for row in fitted.univariable if row.reason] == ["constant", "separating"]
    assert set(fitted.lasso.names) == set(NAMES)


def test_there_is_always_a_signature() -> None:
    """Where the LASSO keeps nothing, the covariate with the smallest univariable P makes the signature."""
    rng = np.random.default_rng(4)
    good, table = np.arange(120) % 3 == 0, rng.normal(size=(120, 6))
    fitted = fit_clinical_signature(NAMES, table, good, stratified_folds(good, 5, 0))

    assert not any(fitted.lasso.coefficients)
    assert fitted.model.names == (min(fitted.univariable, key=lambda row: row.p_value).name,)


def test_unknown_values_count_as_the_development_mean() -> None:
    """A patient with every value unknown gets the log odds at the means."""
    model = signature(patients()).model

    assert model.log_odds(np.full((1, len(model.names)), np.nan)).tolist() == [model.intercept]


def test_fusion_recovers_the_planted_coefficients() -> None:
    """The fusion holds the logit and the significant covariates; planted log odds ratios lie in their intervals."""
    people = patients(4000)
    fitted = fit_fusion(NAMES, people.covariates, people.dl_logit, people.good)
    planted = {"dl_logit": DL_LOG_ODDS, **LOG_ODDS}

    assert fitted.model.names[0] == "dl_logit"
    assert set(planted) <= set(fitted.model.names)
    for row in fitted.multivariable:
        assert row.estimate is not None
        if row.name in planted:
            assert row.estimate.lower < np.exp(planted[row.name]) < row.estimate.upper


def test_fusion_takes_exactly_the_covariates_with_p_below_005() -> None:
    """The rule is stated and kept, also where it does not lead to the paper's list."""
    people = patients()
    fitted = fit_fusion(NAMES, people.covariates, people.dl_logit, people.good)
    passed = tuple(row.name for row in fitted.univariable if row.p_value < 0.05)

    assert fitted.model.names == ("dl_logit", *passed)


def test_fusion_without_significant_covariates_recalibrates_the_signature() -> None:
    """With no covariate left the fusion is a logistic model of the logit alone."""
    people = patients(300)
    table = np.random.default_rng(3).normal(size=(300, 2))
    fitted = fit_fusion(("noise_1", "noise_2"), table, people.dl_logit, people.good)

    assert fitted.model.names == ("dl_logit",)


def test_results_are_plain_json() -> None:
    """Both results survive JSON without NaN, and the models come back equal."""
    people = patients(400)
    for fitted in (signature(people), fit_fusion(NAMES, people.covariates, people.dl_logit, people.good)):
        values = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
        assert LogisticModel.from_dict(values["model"]) == fitted.model


def test_too_few_events_are_refused() -> None:
    """Fewer cases than folds, one class alone, and as many coefficients as cases have no model."""
    people = patients(60)
    few = np.arange(60) < 3
    with pytest.raises(UndefinedEstimate, match="5 folds for 3 patients of the rarer class"):
        stratified_folds(few, 5, 0)
    with pytest.raises(UndefinedEstimate, match=r"no covariate can be fitted alone \(diameter_cm: 0 cases"):
        fit_clinical_signature(NAMES, people.covariates, np.zeros(60, dtype=bool), np.arange(60) % 5)
    with pytest.raises(UndefinedEstimate, match="regression on dl_logit: 1 coefficients for 1 events"):
        fit_fusion((), np.empty((60, 0)), people.dl_logit, np.arange(60) == 30)


def test_separation_by_the_signature_is_refused() -> None:
    """A logit that separates the classes without error has no finite coefficient."""
    people = patients(100)

    with pytest.raises(UndefinedEstimate, match="separate the outcomes"):
        fit_fusion((), np.empty((100, 0)), np.where(people.good, 2.0, -2.0), people.good)
