"""The road of both CT models, end to end on small cohorts: every cohort of every role, every analysis, a verdict."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.pipelines.repository import Repository, copy_repository, only
from validation.descriptive.document import read_description
from validation.documents import read_json
from validation.evidence import OF_GROUP, read_evidence
from validation.protocol import load_protocol
from validation.verdict import Verdict

pytestmark = pytest.mark.slow

MODELS = ("ct_stroma_survival", "ct_chemo_response")


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Repository]:
    """Both models under the smoke profile, from images to verdict, their development patients included.

    Both at once, and so without worker processes of their own.
    """
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setenv("JOBLIB_MULTIPROCESSING", "0")
        return dict(zip(MODELS, pool.map(travelled, MODELS, map(tmp_path_factory.mktemp, MODELS)), strict=True))


def travelled(model: str, folder: Path) -> Repository:
    """Return a repository in which `dvc repro` has made everything of one model."""
    repository = copy_repository(folder)
    params = repository.read("params.yaml")
    validations = {key: entry for key, entry in params["validations"].items() if entry["model"] == model}
    cohorts = [params["models"][model]["development"], *(entry["cohort"] for entry in validations.values())]
    repository.edit(
        "params.yaml",
        profile="smoke",
        synthetic=cohorts,
        cohorts=cohorts,
        models=only(params["models"], model),
        validations=validations,
    )
    ran = repository.repro_all(model)
    assert {f"gate@{model}", f"development@{model}"} <= set(ran)
    return repository


@pytest.mark.parametrize("model", MODELS)
def test_every_cohort_is_evaluated_and_described(roads: dict[str, Repository], model: str) -> None:
    """Internal, external and development patients: every declared estimate and analysis is there, defined or not."""
    repository = roads[model]
    plan = load_protocol(repository.folder / f"validation/protocols/{model}.yaml").analysis
    development = repository.read("params.yaml")["models"][model]["development"]
    evidence = repository.folder / "evidence" / model
    places = {cohort: evidence / "cohorts" / f"{cohort}.json" for cohort in (*plan.internal, *plan.external)}
    for cohort, path in {**places, development: evidence / "development.json"}.items():
        document, described = read_evidence(path), read_description(evidence / "descriptive" / f"{cohort}.json")

        whole = [entry for entry in document["estimates"] if OF_GROUP not in entry["id"]]
        parts = {entry["id"].partition(OF_GROUP)[0] for entry in document["estimates"][len(whole) :]}
        assert [entry["id"] for entry in whole] == [spec.id for spec in plan.estimates]
        assert parts == {name for subgroup in plan.subgroups for name in subgroup.estimates}
        assert [entry["id"] for entry in described["analyses"]] == [analysis.id for analysis in plan.descriptive]
        assert document["patients"]["predicted"] > 0
        assert sum(entry["value"] is not None for entry in whole) >= len(plan.estimates) / 2, cohort


def test_what_a_cohort_never_recorded_is_undefined_with_the_reason(roads: dict[str, Repository]) -> None:
    """External cohort 3 has no tumour-stroma ratio: that is normal, no error, and no number."""
    folder = roads["ct_stroma_survival"].folder / "evidence/ct_stroma_survival"
    estimates = read_evidence(folder / "cohorts" / "ct_stroma_external_3.json")["estimates"]
    reasons = {entry["id"]: entry.get("reason") for entry in estimates if entry["endpoint"] == "tsr_high"}
    described = read_description(folder / "descriptive" / "ct_stroma_external_3.json")["analyses"]

    assert set(reasons) == {"auc_tsr", "brier_tsr", "slope_tsr", "oe_tsr"}
    assert set(reasons.values()) == {"the cohort has no endpoint tsr_high"}
    assert {"roc_tsr", "km_tsr_os"} <= {entry["id"] for entry in described if entry["reason"] is not None}


@pytest.mark.parametrize("model", MODELS)
def test_the_verdict_looks_at_external_cohorts_alone_and_does_not_pass(
    roads: dict[str, Repository], model: str
) -> None:
    """A model trained for one epoch and judged on few patients is not promoted; internal patients judge nobody."""
    repository = roads[model]
    plan = load_protocol(repository.folder / f"validation/protocols/{model}.yaml").analysis
    verdict = Verdict.from_dict(read_json(repository.folder / "evidence" / model / "verdict.json") or {})
    development = repository.read("params.yaml")["models"][model]["development"]
    shown = repository.hallmark("gate", model)

    pooled = {result.answer.cohort for result in verdict.gates if result.spec.id.endswith("_pooled")}
    assert pooled == ({"pooled"} if len(plan.external) > 1 else set())
    assert {result.answer.cohort for result in verdict.gates} == {None, development, *plan.external} | pooled
    assert shown.returncode in (1, 3), shown.stdout
