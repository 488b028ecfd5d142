"""What `hallmark protocol` does and prints: a template, the check of the plans, a plan in readable form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import typer

from models import MODELS
from models.spec import ModelSpec
from pipelines.layout import cohort_folder, protocol_file
from pipelines.names import one_of
from pipelines.params import Params, load_params, require_role
from pipelines.protocol_template import protocol_template
from pipelines.stage import BAD_INPUT
from pipelines.writing import require_writable_file, whole_file
from validation.errors import InputError

if TYPE_CHECKING:
    from validation.cohort import CohortMeta
    from validation.gates.base import GateSpec
    from validation.protocol import Protocol

WIDTH = 110
NOT_JUDGED_YET = "No gate judges the margins yet: they are declared, and nothing is compared with them."


def _spec(architecture: str) -> ModelSpec:
    if architecture not in MODELS:
        raise InputError("architecture", architecture, one_of(architecture, MODELS), "Correct the name.")
    return MODELS[architecture]


def new_protocol(architecture: str, output: Path | None) -> int:
    """Write the template of a protocol; a file that is there stays as it is."""
    text = protocol_template(_spec(architecture))
    path = protocol_file(architecture) if output is None else output
    require_writable_file(path)
    if path.exists():
        raise InputError(str(path), "a file", "none: a plan is never overwritten", "Name another file with --output.")
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    typer.echo(f"{path}: {text.count('TODO')} times TODO; `hallmark protocol check` names the first one left")
    return 0


def check_protocols(architectures: Sequence[str]) -> int:
    """Check protocols, all of them if none is named, and print a line on each."""
    params = load_params()
    specs = [_spec(architecture) for architecture in architectures or MODELS]
    code = 0
    for spec in specs:
        try:
            protocol, at_hand = check_protocol(params, spec)
        except InputError as error:
            typer.echo(f"FAILED {spec.name}: {error}")
            code = BAD_INPUT
        else:
            typer.echo(f"ok     {spec.name}: {_summary(protocol)}; cohorts at hand: {', '.join(at_hand) or 'none'}")
    return code


def _summary(protocol: Protocol) -> str:
    analysis, blocking = protocol.analysis, sum(gate.blocking for gate in protocol.gates)
    counts = {
        "estimates": len(analysis.estimates),
        "subgroups": len(analysis.subgroups),
        "descriptive analyses": len(analysis.descriptive),
        "gates": len(protocol.gates),
    }
    return f"version {protocol.version}, {', '.join(f'{n} {what}' for what, n in counts.items())} ({blocking} blocking)"


def check_protocol(params: Params, spec: ModelSpec) -> tuple[Protocol, tuple[str, ...]]:
    """Check a protocol against its architecture, params.yaml and the cohorts at hand; no outcome is read.

    Returns:
        The protocol, and the cohorts whose cohort.yaml is here.

    Raises:
        InputError: The first contradiction: file and line where it is the protocol's.
    """
    from pipelines.gate import declared_cohorts
    from validation.cohort import META, read_meta
    from validation.protocol import check_predictions, load_protocol

    protocol = load_protocol(protocol_file(spec.name))
    if protocol.model != spec.name:
        where = f"{protocol.file} key model"
        raise InputError(where, protocol.model, spec.name, "A protocol is named after the architecture it judges.")
    check_predictions(protocol, spec.prediction_columns(), spec.endpoint)
    for model, entry in params.models.items():
        if entry.architecture == spec.name:
            declared_cohorts(params, protocol, model)
    declared = (*protocol.analysis.external, *protocol.analysis.internal)
    at_hand = tuple(cohort for cohort in declared if (cohort_folder(cohort) / META).is_file())
    for cohort in at_hand:
        require_role(spec.name, cohort)
        _check_cohort(protocol, spec, read_meta(cohort_folder(cohort)))
    return protocol, at_hand


def _check_cohort(protocol: Protocol, spec: ModelSpec, meta: CohortMeta) -> None:
    """Refuse an endpoint of another kind, and columns of which neither the cohort nor the model knows."""
    import pandas as pd

    from validation.cohort import BinaryEndpoint
    from validation.cohort_table import CohortTable
    from validation.evaluate import check_groupings, outputs_by_column
    from validation.protocol import check_endpoints
    from validation.schema import load_schema

    kinds = {name: isinstance(endpoint, BinaryEndpoint) for name, endpoint in meta.endpoints.items()}
    check_endpoints(protocol, kinds, meta.name)
    schema, predictions = load_schema(meta.schema), spec.prediction_columns()
    columns = {column.name: column for column in schema.patients.columns}
    known = [*columns, *predictions, *(column.name for column in schema.outcomes.columns)]
    nobody = CohortTable(
        meta=meta,
        columns=columns,
        table=pd.DataFrame({name: pd.Series(dtype="float64") for name in known}),
        predictions=predictions,
        endpoints=protocol.analysis.endpoints,
        cutoffs=dict.fromkeys(predictions, 0.0),  # those that ship are the contract's: evaluation checks them
        level=protocol.analysis.level,
        outputs=outputs_by_column({"outputs": [asdict(output) for output in spec.outputs]}),
    )
    check_groupings(protocol, nobody)
    for analysis in protocol.analysis.descriptive:
        analysis.check(nobody, protocol.file)


def show_protocol(architecture: str, as_json: bool) -> int:
    """Print a plan: what is estimated, on whom, what is demanded and why."""
    _spec(architecture)
    from validation.protocol import load_protocol

    protocol = load_protocol(protocol_file(architecture))
    document = protocol_document(protocol)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else protocol_text(protocol))
    return 0


def protocol_document(protocol: Protocol) -> dict[str, Any]:
    """Return a plan as plain JSON values."""
    analysis = protocol.analysis
    shown = {key: value for key, value in asdict(analysis).items() if key != "descriptive"}
    return {
        "model": protocol.model,
        "version": protocol.version,
        "intended_use": protocol.intended_use,
        "analysis": {**shown, "descriptive": [{"id": a.id, "kind": a.kind} for a in analysis.descriptive]},
        "margins": asdict(protocol.margins) if protocol.margins else None,
        "multiplicity": asdict(protocol.multiplicity),
        "repeated_use": asdict(protocol.repeated_use),
        "gates": [{**asdict(gate), "limit": gate.limit.to_dict() if gate.limit else None} for gate in protocol.gates],
        "digests": {"protocol": protocol.digest, "analysis": analysis.digest, "gates": protocol.gates_digest},
    }


def protocol_text(protocol: Protocol) -> str:
    """Return a plan as text for people."""
    use = protocol.repeated_use
    parts = [
        f"{protocol.model}, protocol version {protocol.version}",
        _section("Intended use", [protocol.intended_use]),
        _section("Analysis", _analysis_lines(protocol)),
        _section("Estimates", [_estimate_line(estimate) for estimate in asdict(protocol.analysis)["estimates"]]),
        _section("Subgroups", _subgroup_lines(protocol)),
        _section("Descriptive analyses, shown and never judged", _by_kind(protocol)),
        _section("Margins against earlier releases", _margin_lines(protocol)),
        _section("Several gates", [f"{protocol.multiplicity.rule}: {protocol.multiplicity.reason}"]),
        _section(
            "Repeated use of a cohort",
            [f"{use.alpha_per_opening:g} spent per opening of a budget of {use.alpha_budget:g}: {use.reason}"],
        ),
        _section("Gates", [line for gate in protocol.gates for line in _gate_lines(gate, protocol)]),
    ]
    return "\n\n".join(parts)


def _section(title: str, lines: Sequence[str]) -> str:
    wrapped = (fill(line, WIDTH, initial_indent="  ", subsequent_indent="    ") for line in lines or ["none"])
    return "\n".join([title, *wrapped])


def _months(horizons: Sequence[float]) -> str:
    return ", ".join(f"{horizon:g}" for horizon in horizons)


def _analysis_lines(protocol: Protocol) -> list[str]:
    analysis = protocol.analysis
    return [
        f"endpoints: {', '.join(analysis.endpoints)}, first of all {analysis.endpoint}",
        f"external cohorts, judged: {', '.join(analysis.external)}",
        f"internal cohorts, shown: {', '.join(analysis.internal) or 'none'}",
        f"analysis set: {analysis.analysis_set.replace('_', ' ')}",
        f"horizons: {_months(analysis.horizons_months)} months, follow-up up to {analysis.follow_up_months:g}",
        f"confidence level: {analysis.level:g}, two-sided; seed: {analysis.seed}",
    ]


def _estimate_line(estimate: Mapping[str, Any]) -> str:
    horizon = "" if estimate["horizon_months"] is None else f" at {estimate['horizon_months']:g} months"
    return f"{estimate['id']}: {estimate['estimator']} of {estimate['prediction']}, {estimate['endpoint']}{horizon}"


def _subgroup_lines(protocol: Protocol) -> list[str]:
    return [
        f"{subgroup.id} ({subgroup.role}): {', '.join(subgroup.estimates)} by {', '.join(subgroup.by)}; "
        f"at least {subgroup.minimum_events or 1} events. {subgroup.reason}"
        for subgroup in protocol.analysis.subgroups
    ]


def _by_kind(protocol: Protocol) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for analysis in protocol.analysis.descriptive:
        kinds.setdefault(analysis.kind, []).append(analysis.id)
    return [f"{kind}: {', '.join(names)}" for kind, names in kinds.items()]


def _margin_lines(protocol: Protocol) -> list[str]:
    if protocol.margins is None:
        return ["none declared"]
    margins = protocol.margins
    against = (("the first release", margins.original), ("the last release", margins.last_release))
    lines = [f"{margins.estimate} against {what}: {m.margin:g}. {m.source}" for what, m in against]
    return [*lines, NOT_JUDGED_YET]


def _gate_lines(gate: GateSpec, protocol: Protocol) -> list[str]:
    from validation.gates.base import POOLED
    from validation.report import limit_text

    demanded = f"{gate.estimate or gate.kind} {limit_text(gate.limit)}" if gate.limit else gate.kind
    events = f", at least {gate.minimum_events} events" if gate.minimum_events else ""
    cohort = {None: "every external cohort", POOLED: "the external cohorts pooled"}.get(gate.cohort, gate.cohort)
    return [
        f"{gate.id} ({'blocking' if gate.blocking else 'descriptive'}): {demanded} on {cohort}, "
        f"level {protocol.analysis.level:g}{events}",
        f"  hazard: {gate.hazard}",
        f"  source: {gate.source}",
    ]


def lock_plan(architecture: str) -> int:
    """Check and lock a plan, and say what was done."""
    from pipelines.locking import lock_protocol

    check_protocol(load_params(), _spec(architecture))
    done = lock_protocol(architecture)
    if done.created:
        what = "locked"
    else:
        what = "locked anew: synthetic cohorts were drawn anew" if done.changed else "was locked already"
    typer.echo(f"{architecture}: {what}, for {', '.join(done.lock.cohorts)} (lock {done.lock.sha256[:12]})")
    return 0


def amend_plan(architecture: str, reason: str) -> int:
    """Check a changed plan, record the change, and say what follows from it."""
    from pipelines.locking import amend_protocol

    check_protocol(load_params(), _spec(architecture))
    done = amend_protocol(architecture, reason)
    opened = done.lock.history[-1].openings
    typer.echo(f"{architecture}: {' and '.join(done.changed)} amended (lock {done.lock.sha256[:12]})")
    if opened and "gates" in done.changed:
        typer.echo(f"  after {opened} opening(s): no verdict on what was opened is better than INCONCLUSIVE")
    if opened and {"analysis", "cohorts"} & set(done.changed):
        typer.echo(f"  after {opened} opening(s): evidence of the plan before is stale; dvc repro opens outcomes again")
    return 0


def show_difference(architecture: str) -> int:
    """Print what differs between a plan and its lock; 1 if anything does."""
    from pipelines.locking import difference

    _spec(architecture)
    lines = difference(architecture)
    typer.echo("\n".join(lines) or f"{architecture}: the plan is the locked one")
    return 1 if lines else 0
