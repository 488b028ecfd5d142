"""The status table: every model of params.yaml and every registered version, with verdicts, aliases and cohorts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.gate import derive_verdict
from pipelines.layout import artifact_folder, verdict_file
from pipelines.params import Params, load_params
from pipelines.release import current_verdict
from registry.artefact import MANIFEST
from registry.errors import IntegrityError
from registry.status import Figure, RegistryRow, registered_models
from validation.digests import file_sha256
from validation.documents import read_json
from validation.errors import InputError
from validation.gates.base import State
from validation.gates.protocol import ProtocolGate
from validation.gates.provenance import ProvenanceGate

NOT_REGISTERED = "not registered"


@dataclass(frozen=True)
class ModelStatus:
    """One line of the table.

    Attributes:
        model: Entry of params.yaml, or "-" for a version that no entry made.
        registered_name: Name in the registry.
        version: Number of the version; None if the model is not registered.
        aliases: Aliases of that version.
        verdict: Of a registered version the one registered with it; else the one on disk, or why there is none.
        synthetic: Whether the cohorts behind the verdict are synthetic; None if unknown.
        artefact_sha256: Digest of the artefact; None if unknown.
        figures: One text per cohort: "mri_external: discrimination_survival 0.771 [0.731, 0.806] PASS, ...".
        problems: Why evidence or verdict on disk may not be used, and what to run; of entries of params.yaml.
    """

    model: str
    registered_name: str
    version: int | None
    aliases: tuple[str, ...]
    verdict: str
    synthetic: bool | None
    artefact_sha256: str | None
    figures: tuple[str, ...]
    problems: tuple[str, ...] = ()


def status_values() -> list[ModelStatus]:
    """Return registered versions first, then the models of which disk holds an artefact or verdict not registered.

    Raises:
        InputError: params.yaml is wrong or the store does not answer.
    """
    params = load_params()
    rows = registered_models()
    entries = [model for model in params.models if _is_new(model, [row for row in rows if row.model == model])]
    values = [_registered(row) for row in rows] + [_unregistered(params, model) for model in entries]
    last = {value.model: position for position, value in enumerate(values)}
    for model in params.models:
        values[last[model]] = replace(values[last[model]], problems=_problems(params, model))
    return values


def _problems(params: Params, model: str) -> tuple[str, ...]:
    """Say why what is on disk of a model may not be used, and what to run; nothing of one that was not exported."""
    if not (artifact_folder(model) / MANIFEST).is_file():
        return (f"not exported yet: dvc repro gate@{model}",)
    try:
        verdict = derive_verdict(params, model)
    except (InputError, IntegrityError) as error:
        return (str(error),)
    problems = [
        f"{result.answer.cohort or 'plan'}: {result.answer.reason}"
        + (f": dvc repro -f -s evaluate@{model}-{result.answer.cohort}" if result.answer.state is State.FAIL else "")
        for result in verdict.gates
        if result.spec.kind in (ProvenanceGate.kind, ProtocolGate.kind) and result.answer.state is not State.PASS
    ]
    if verdict.to_dict() != read_json(verdict_file(model)):
        problems.append(f"verdict.json is not what the evidence says now: dvc repro -f -s gate@{model}")
    return tuple(dict.fromkeys(problems))


def _is_new(model: str, rows: list[RegistryRow]) -> bool:
    """Whether a model is not registered, or its artefact or verdict on disk is that of none of its versions."""
    on_disk = {
        artifact_folder(model) / MANIFEST: {row.artefact_sha256 for row in rows},
        verdict_file(model): {row.verdict_sha256 for row in rows},
    }
    return not rows or any(path.is_file() and file_sha256(path) not in known for path, known in on_disk.items())


def _registered(row: RegistryRow) -> ModelStatus:
    figures = tuple(f"{cohort}: {', '.join(map(_figure, of))}" for cohort, of in row.cohorts.items())
    return ModelStatus(
        row.model or "-",
        row.name,
        row.version,
        row.aliases,
        row.verdict or "unknown",
        row.synthetic,
        row.artefact_sha256,
        figures,
    )


def _figure(figure: Figure) -> str:
    interval = "" if figure.lower is None or figure.upper is None else f" [{figure.lower:.3f}, {figure.upper:.3f}]"
    return f"{figure.gate} {figure.value:.3g}{interval} {figure.state}"


def _unregistered(params: Params, model: str) -> ModelStatus:
    entry = params.model(model)
    if not verdict_file(model).is_file():
        return ModelStatus(model, entry.registered_name, None, (), "no verdict", None, None, ())
    try:
        verdict = current_verdict(params, model)
    except (InputError, IntegrityError):
        return ModelStatus(model, entry.registered_name, None, (), "verdict out of date", None, None, ())
    figures = [
        f"{r.answer.cohort}: {r.spec.id} {r.answer.value:.3g} {r.answer.state}"
        for r in verdict.gates
        if r.answer.value is not None and r.answer.cohort
    ]
    digest = str(verdict.digests["artifact"])
    return ModelStatus(
        model, entry.registered_name, None, (), str(verdict.state), verdict.synthetic, digest, tuple(figures)
    )


def status_table(values: list[ModelStatus]) -> str:
    """Return the table as plain text; the figures of each cohort stand below their line."""
    header = ("model", "registered as", "version", "aliases", "verdict", "artefact", "data")
    lines = [
        (
            v.model,
            v.registered_name,
            NOT_REGISTERED if v.version is None else str(v.version),
            ", ".join(v.aliases) or "-",
            v.verdict,
            (v.artefact_sha256 or "-")[:12],
            {True: "synthetic", False: "real", None: "-"}[v.synthetic],
        )
        for v in values
    ]
    widths = [max(len(cells[i]) for cells in [header, *lines]) for i in range(len(header))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(header, widths, strict=True)).rstrip()]
    for value, cells in zip(values, lines, strict=True):
        text.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
        text.extend(f"    {figures}" for figures in value.figures)
        text.extend(f"    NOT USABLE {problem}" for problem in value.problems)
    return "\n".join(text)
