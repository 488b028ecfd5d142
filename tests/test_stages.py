"""dvc.yaml names every source that shapes a stage's output, so that no result outlives a change of the code."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from models import MODELS
from models.checkpoints import training_sources

ROOT = Path(__file__).parents[1]
ROOMS = ("models", "validation", "registry", "pipelines")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
LIST_OF_MODELS = "models/__init__.py"  # followed, not named: each stage names the files of its own model
NO_INFLUENCE = {
    "pipelines/layout.py": "dvc.yaml repeats the paths; DVC stops where an output is not where it says",
    "pipelines/params.py": "checks values and hands them on, or refuses; DVC compares the values themselves",
    "pipelines/progress.py": "shows how far a stage is",
    "pipelines/stage.py": "exit codes and messages",
    "pipelines/workers.py": "who reads, not what",
    "pipelines/writing.py": "renames what is finished",
    "registry/errors.py": "messages",
    "registry/tracking.py": "tracking of a training, which never changes its result",
    "models/maps": "what is explained of a trained network; no DVC stage draws",
}
IN_TRAINING = "shapes training/<model>, which is a dependency itself"
NO_ESTIMATE = "checks the block `gates` of a protocol, which no estimate depends on"
ORGANISATION = "models/histology_spatial_survival"  # the generator measures the true tissues as the model does
NOT_FOLLOWED = {
    "synthesise": {
        **{f"models/{name}": "named, not run" for name in MODELS if f"models/{name}" != ORGANISATION},
        **{f"{ORGANISATION}/{file}.py": "named, not run" for file in ("inputs", "reading", "system")},
    },
    "export": dict.fromkeys(
        [
            "models/augmentation.py",
            "models/checkpoints.py",
            "models/crossfit.py",
            "models/distributed.py",
            "models/missing.py",
            "models/pretrained.py",
            "models/reproducibility.py",
            "models/training.py",
            "validation/estimators/compiled.py",
            "validation/estimators/cutoffs",
            "validation/estimators/intervals.py",
            "validation/estimators/regression",
            "validation/estimators/samples.py",
            "validation/estimators/streams.py",
            "validation/estimators/survival",
        ],
        IN_TRAINING,
    ),
    "predict": {f"models/{name}/system.py": "loaded by train and export only" for name in MODELS},
    "evaluate": {"validation/gates": NO_ESTIMATE},
    "development": {"validation/gates": NO_ESTIMATE},
    "gate": {"validation/descriptive": "checks the list `descriptive` of a protocol, at which no gate looks"},
}


def modules(path: Path) -> Iterator[str]:
    """Yield what a file imports, also inside functions; a dotted path "module:attribute" counts, typing does not."""
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    for node in nodes:  # grows while it is walked
        children: list[ast.AST] = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            children = list(node.orelse)
        nodes.extend(children)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("models."):
            yield node.value.partition(":")[0]


def sources(module: str) -> Iterator[str]:
    """Yield the files of the four rooms that the import of a module runs, its packages first."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1 if parts[0] in ROOMS else 0):
        stem = "/".join(parts[:end])
        yield from (name for name in (f"{stem}.py", f"{stem}/__init__.py") if (ROOT / name).is_file())


def covered(name: str, folders_or_files: Iterable[str]) -> bool:
    """Whether a file is one of these, or lies in one of them."""
    return any(name == entry or name.startswith(f"{entry}/") for entry in folders_or_files)


def closure(stage: str, architecture: str) -> set[str]:
    """Return the sources whose content shapes the output of a stage of one model."""
    others = {f"models/{name}" for name in MODELS if name != architecture}
    found: set[str] = set()
    waiting = [f"pipelines/{stage}.py"]
    while waiting:
        name = waiting.pop()
        if name in found or covered(name, {*NO_INFLUENCE, *NOT_FOLLOWED.get(stage, {}), *others}):
            continue
        found.add(name)
        waiting.extend(file for module in modules(ROOT / name) for file in sources(module))
    return {name for name in found - {LIST_OF_MODELS} if len(ast.parse((ROOT / name).read_text()).body) > 1}


def dependencies(stage: str, architecture: str) -> list[str]:
    """Return the dependencies of a stage for one model."""
    return [entry.replace("${item.architecture}", architecture) for entry in STAGES[stage]["do"]["deps"]]


@pytest.mark.parametrize("architecture", list(MODELS))
@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_depends_on_every_source_that_shapes_its_output(stage: str, architecture: str) -> None:
    """What a stage imports is among its dependencies, by itself or in a folder."""
    named = dependencies(stage, architecture)

    assert sorted(name for name in closure(stage, architecture) if not covered(name, named)) == []


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_stage_depends_on_no_source_without_need(stage: str) -> None:
    """Every source among the dependencies shapes some model, or is in the digest of the sources that trained it."""
    needed: set[str] = set()
    for architecture in MODELS:
        needed |= closure(stage, architecture)
        if stage == "train":
            needed |= {path.relative_to(ROOT).as_posix() for path in training_sources(ROOT / "models" / architecture)}
    named = {name for name in dependencies(stage, "${item.architecture}") if name.endswith(".py")}

    assert sorted(name for name in named - needed if "${" not in name) == []


@pytest.mark.parametrize("architecture", list(MODELS))
def test_training_depends_on_every_source_in_its_digest(architecture: str) -> None:
    """training.json holds a digest of sources; none of them may change without a new training."""
    named = dependencies("train", architecture)
    digested = [path.relative_to(ROOT).as_posix() for path in training_sources(ROOT / "models" / architecture)]

    assert [name for name in digested if not covered(name, named)] == []


def test_stages_that_read_a_cohort_depend_on_the_schemas() -> None:
    """A schema is read, not imported."""
    for stage in STAGES:
        named = dependencies(stage, next(iter(MODELS)))
        assert ("validation/schema.py" in named) == ("validation/schemas" in named), stage


def test_models_may_use_no_module_of_the_judge_but_the_estimators() -> None:
    """The list in pyproject.toml is complete: a new module of the judge is forbidden to models at once."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in document["tool"]["importlinter"]["contracts"] if c.get("source_modules") == ["models"])
    folder = ROOT / "validation"
    found = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}

    expected = {f"validation.{name}" for name in found - {"__init__", "estimators"}}
    assert expected <= set(contract["forbidden_modules"])
