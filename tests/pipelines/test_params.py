"""params.yaml is read whole or refused with one clear error."""

from pathlib import Path

import pytest
import yaml

from pipelines.params import load_params
from validation.errors import InputError

REPOSITORY = Path(__file__).parents[2]


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
        (("models", "mri_distant_metastasis", "architecture"), "resnet", "architecture resnet; expected one of"),
        (("models", "mri_distant_metastasis", "development"), "elsewhere", "a cohort listed under `cohorts`"),
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
    ],
)
def test_contradictions_are_refused(tmp_path: Path, path: tuple[str, ...], value: object, message: str) -> None:
    """An unknown, missing or contradictory key is named in one error."""
    with pytest.raises(InputError, match=message):
        load_params(edited(tmp_path, *path, value=value))


def test_key_given_twice_is_refused(tmp_path: Path) -> None:
    """YAML would keep the last one in silence."""
    (tmp_path / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text() + "seed: 1\n")

    with pytest.raises(InputError, match="key 'seed' given twice"):
        load_params(tmp_path / "params.yaml")


def test_missing_file_says_where_to_run(tmp_path: Path) -> None:
    """Outside the repository the error says what to do."""
    with pytest.raises(InputError, match="Run the command in the repository root"):
        load_params(tmp_path / "params.yaml")
