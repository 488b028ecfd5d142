"""What the demonstration runs side by side."""

from __future__ import annotations

from pipelines.demo import rounds
from pipelines.params import ModelEntry, Params, ValidationEntry
from pipelines.workers import LOCAL


def params(**threads_and_development: tuple[int, str]) -> Params:
    """Models with their threads and development cohort; each is run on the external cohort ext_<name>."""
    models = {name: ModelEntry("a", name, cohort) for name, (_, cohort) in threads_and_development.items()}
    runs = {f"{m}-ext_{m}": ValidationEntry(m, "a", models[m].development, f"ext_{m}", "csv") for m in models}
    trainings = {name: {"threads": threads} for name, (threads, _) in threads_and_development.items()}
    cohorts = tuple(sorted({entry.development for entry in models.values()} | {f"ext_{m}" for m in models}))
    return Params("smoke", 1, LOCAL, (), cohorts, models, runs, {}, trainings)


def test_a_training_on_one_thread_runs_beside_the_predictions_of_the_others() -> None:
    """Cohorts in two lanes, trainings on several threads alone, then the rest of what need not wait."""
    found = rounds(params(slow=(2, "dev_a"), narrow=(1, "dev_b")))

    assert found == [
        [["check@dev_a", "check@ext_narrow"], ["check@dev_b", "check@ext_slow"]],
        [["train@slow"]],
        [["train@narrow"], ["predict@slow-ext_slow"]],
    ]


def test_models_that_share_a_cohort_are_not_run_side_by_side() -> None:
    """DVC refuses two lanes at one cohort."""
    assert rounds(params(slow=(2, "dev"), narrow=(1, "dev")))[1:] == [
        [["train@slow"]],
        [["train@narrow"]],
        [["predict@slow-ext_slow"]],
    ]


def test_a_lane_without_targets_would_run_everything() -> None:
    """So there is none: neither of models on several threads alone nor of those on one."""
    for threads in (1, 2):
        assert all(lane for lanes in rounds(params(only=(threads, "dev"))) for lane in lanes)
