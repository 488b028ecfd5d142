"""params.yaml is read whole or refused with one clear error."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from models.ct_chemo_response.system import CtChemoResponse
from models.ct_stroma_survival.system import CtStromaSurvival
from pipelines.evaluate import evaluate
from pipelines.layout import cohort_folder, protocol_file
from pipelines.params import load_params
from pipelines.predict import predict
from pipelines.train import train
from tests.cohorts import write_cohort
from tests.pipelines.repository import copy_plan
from validation.errors import InputError

REPOSITORY = Path(__file__).parents[2]
MODEL = "mri_distant_metastasis"


def edited(tmp_path: Path, *path: str, value: object = None) -> Path:
    """Copy params.yaml with one key set (or removed, if value is None)."""
    raw = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    block = raw
    for key in path[:-1]:
        block = block[key]
    if value is None:
        del block[path[-1]]
    else:
        block[path[-1]] = value
    target = tmp_path / "params.yaml"
    target.write_text(yaml.safe_dump(raw))
    return target


@pytest.mark.parametrize("profile", ["demo", "paper", "smoke"])
def test_every_profile_covers_every_model_and_synthetic_cohort(tmp_path: Path, profile: str) -> None:
    """Each profile has a training block per model and a size per synthetic cohort."""
    params = load_params(edited(tmp_path, "profile", value=profile))

    for model in params.models:
        assert params.training(model)["epochs"] >= 1
        assert params.validation_cohorts(model)
    for cohort in params.synthetic:
        assert params.synthetic_scale(cohort) > 0


def test_demo_external_cohort_has_at_least_400_patients() -> None:
    """The demo's external cohort is large enough for the gates to answer (the paper's n is 65)."""
    params = load_params(REPOSITORY / "params.yaml")

    assert params.synthetic_scale("mri_external") * 65 >= 400


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("seed",), None, "exactly the keys"),
        (("surprise",), 1, "exactly the keys"),
        (("profile",), "huge", "no entry 'huge'"),
        (("models", "mri_distant_metastasis", "development"), None, "exactly the keys"),
        (("models",), {}, "a mapping of named entries"),
        (
            ("models", "mri_distant_metastasis", "architecture"),
            "resnet",
            "architecture resnet; expected one of: [a-z_, ]+mri_",
        ),
        (("models", "mri_distant_metastasis", "development"), "mri_develop", "`cohorts`, one of: mri_development, "),
        (("models", "mri_distant_metastasis", "registered_name"), "../name", "letters, digits"),
        (("seed",), "abc", "a value of type int"),
        (("seed",), True, "a value of type int"),
        (("cohorts",), [], "not empty|at least one name"),
        (("cohorts",), ["a", "a"], "none twice"),
        (("profile",), ["demo"], "a value of type str"),
        (("profiles", "demo", "training"), [1], "a value of type dict"),
        (("profiles", "demo", "synthetic", "mri_external"), {"scale": "big"}, "a number above 0"),
        (("validations", "mri_distant_metastasis-mri_external", "model"), "other", "no entry 'other'"),
        (("validations", "mri_distant_metastasis-mri_external", "development"), "mri_external", "must repeat"),
        (("validations", "mri_distant_metastasis-mri_external", "tables"), "xlsx", "csv or parquet"),
        (
            ("validations", "mri_distant_metastasis-mri_external", "cohort"),
            "ct_chemo_external",
            "must repeat its model's entry",
        ),
        (("cohorts",), ["mri_development", "mri_externa"], "cohorts`, one of: mri_"),
        (("profile",), "domo", "no entry 'domo'; expected one of: demo, "),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, path: tuple[str, ...], value: object, message: str) -> None:
    """An unknown, missing or contradictory key is named in one error."""
    with pytest.raises(InputError, match=message):
        load_params(edited(tmp_path, *path, value=value))


@pytest.mark.parametrize(
    ("model", "key", "value", "message"),
    [
        ("mri_distant_metastasis", "epochs", -1, r"mri_distant_metastasis\.epochs: found -1; expected at least 1\. "),
        ("mri_distant_metastasis", "width", "x", r"\.width: found 'x' \(str\); expected float\. Correct it"),
        ("mri_distant_metastasis", "folds", None, r"mri_distant_metastasis\.folds: found nothing; expected a value"),
        ("ct_chemo_response", "batch_size", 1, r"\.batch_size: found 1; expected at least 2: batch normalisation"),
    ],
)
def test_a_bad_value_of_a_training_is_refused_with_the_file(
    tmp_path: Path, model: str, key: str, value: object, message: str
) -> None:
    """What every network has is checked with the rest of params.yaml; "found" is said once."""
    path = edited(tmp_path, "profiles", "demo", "training", model, key, value=value)
    with pytest.raises(InputError, match=message) as refused:
        load_params(path)

    assert str(refused.value).count("found") == 1


@pytest.mark.parametrize(
    ("model", "system", "key", "value", "message"),
    [
        (
            "ct_chemo_response",
            CtChemoResponse,
            "folds",
            2,
            r"ct_chemo_response\.folds: found 2; expected at least 3\. ",
        ),
        ("ct_chemo_response", CtChemoResponse, "deepsmote_latent", 0, r"\.deepsmote_latent: found 0; expected at le"),
        (
            "ct_stroma_survival",
            CtStromaSurvival,
            "trunk",
            "x",
            r"\.trunk: found 'x'; expected one of se_resnet50, vgg16",
        ),
        (
            "ct_chemo_response",
            CtChemoResponse,
            "epoch",
            1,
            r"response\.epoch: found an unknown parameter; expected one of",
        ),
    ],
)
def test_a_bad_value_of_one_network_is_refused_before_its_training(
    tmp_path: Path, model: str, system: type[CtChemoResponse | CtStromaSurvival], key: str, value: object, message: str
) -> None:
    """In the same words."""
    params = load_params(edited(tmp_path, "profiles", "demo", "training", model, key, value=value))
    with pytest.raises(InputError, match=message) as refused:
        params.training_params(model, system.params_class)

    assert str(refused.value).count("found") == 1


@pytest.fixture
def cohorts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with a development and an external cohort, and nothing that was made of them."""
    monkeypatch.chdir(tmp_path)
    copy_plan(tmp_path, MODEL)
    write_cohort(cohort_folder("mri_development"), n=2, role="development")
    write_cohort(cohort_folder("mri_external"), n=2, role="external")


@pytest.mark.usefixtures("cohorts")
@pytest.mark.parametrize("stage", [predict, evaluate])
def test_a_role_that_the_protocol_does_not_give_is_refused_before_any_work(stage: Callable[[str, str], None]) -> None:
    """Both files are named, whichever of them is wrong; with equal roles the stage goes on, to what is not there."""
    with pytest.raises(InputError, match=f"artifacts/{MODEL}"):
        stage(MODEL, "mri_external")
    meta = cohort_folder("mri_external") / "cohort.yaml"
    meta.write_text(meta.read_text().replace("role: external", "role: development"))

    with pytest.raises(
        InputError,
        match=rf"{meta} key role: found development; expected external, which validation/protocols/{MODEL}\.yaml says",
    ):
        stage(MODEL, "mri_external")


@pytest.mark.usefixtures("cohorts")
@pytest.mark.parametrize("stage", [predict, evaluate])
def test_nobody_looks_at_a_cohort_that_the_protocol_does_not_declare(stage: Callable[[str, str], None]) -> None:
    """Evaluated first and declared afterwards, the cohorts that pass could be chosen."""
    path = protocol_file(MODEL)
    path.write_text(path.read_text().replace("external: [mri_external", "external: [mri_other"))

    with pytest.raises(
        InputError,
        match=rf"{path} analysis\.cohorts: found no cohort mri_external; expected mri_external among mri_other",
    ):
        stage(MODEL, "mri_external")


@pytest.mark.usefixtures("cohorts")
def test_nobody_trains_on_a_cohort_that_the_protocol_keeps_for_the_judgement() -> None:
    """Even if cohort.yaml calls it a development cohort."""
    path = protocol_file(MODEL)
    path.write_text(path.read_text().replace("external: [mri_external", "external: [mri_development, mri_external"))

    with pytest.raises(
        InputError, match=r"mri_development/cohort\.yaml key role: found development; expected external"
    ):
        train(MODEL)


@pytest.mark.usefixtures("cohorts")
@pytest.mark.parametrize("stage", [predict, evaluate])
def test_a_cohort_that_the_model_is_not_run_on_is_refused_with_those_it_is(stage: Callable[[str, str], None]) -> None:
    """Unknown to params.yaml, or named there and not on disk."""
    with pytest.raises(InputError, match=r"no cohort 'mri_externa' of mri_dist.*; expected one of: mri_external\. "):
        stage(MODEL, "mri_externa")
    shutil.rmtree(cohort_folder("mri_external"))
    with pytest.raises(InputError, match=r"mri_external: found no such cohort; expected one of: mri_development\. "):
        stage(MODEL, "mri_external")


def test_key_given_twice_is_refused(tmp_path: Path) -> None:
    """YAML would keep the last one in silence."""
    (tmp_path / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text() + "seed: 1\n")

    with pytest.raises(InputError, match="key 'seed' given twice"):
        load_params(tmp_path / "params.yaml")


def test_missing_file_says_where_to_run(tmp_path: Path) -> None:
    """Outside the repository the error says what to do."""
    with pytest.raises(InputError, match="Run the command in the repository root"):
        load_params(tmp_path / "params.yaml")
