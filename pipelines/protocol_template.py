"""The template of a protocol: what an architecture says of itself, and TODO wherever a person must decide."""

from __future__ import annotations

from collections.abc import Sequence

from models.spec import ModelSpec, TensorSpec

_RANKS = "lp_"  # how the outputs that are linear predictors are named
_JUDGED = "    hazard: TODO which harm it guards against\n    source: TODO where the limit comes from\n"
_ALWAYS = f"""  - id: data_checks
    kind: data
    blocking: true
    hazard: The figures are computed from wrong or unreadable data.
    source: Every table and image check passes.
  - id: independence
    kind: independence
    blocking: true
    hazard: The model is judged on patients it was trained on.
    source: No patient or image is shared between development and external cohorts.
  - id: image_failures
    kind: image_failures
    at_most: TODO
    blocking: true
{_JUDGED}  - id: onnx_parity
    kind: onnx_parity
    at_most: 0.0001
    blocking: true
    hazard: What ships is not what was trained.
    source: >-
      Absolute difference between torch and ONNX Runtime on the same inputs; 1e-4 is far below any decision threshold.
"""
_RULES = """
multiplicity:
  rule: intersection_union
  reason: Every blocking gate must pass, each at its own level, so that a false PASS needs no adjustment.

repeated_use:
  alpha_per_opening: 0.025 # one side of the interval that a limit is held against
  alpha_budget: TODO
  reason: TODO how often this cohort may be looked at, and why
"""


def protocol_template(spec: ModelSpec) -> str:
    """Return the text of a protocol for an architecture; it is refused until every TODO is decided."""
    late = max(spec.horizons_months)
    ranking = [output for output in spec.outputs if output.name.startswith(_RANKS)]
    risks = [output for output in spec.outputs if f"{late}m" in output.labels]
    named = {output.name for output in (*ranking, *risks)}
    rest = [output.name for output in spec.outputs if output.name not in named]
    return (
        f"# Pre-specified plan for {spec.name}. `hallmark protocol check {spec.name}` names what is still open;\n"
        "# docs/protocol.md explains every key.\n"
        f"model: {spec.name}\nversion: 1\n"
        "intended_use: >-\n"
        "  TODO what it predicts, in whom, from what, and which decision it informs.\n"
        f"  {spec.title}.\n\n"
        f"analysis:\n{_declared(spec)}  estimates:\n{_estimates(ranking, risks, rest, spec.other_endpoints, late)}"
        "  subgroups: [] # TODO of whom apart, and why; then delete this remark\n"
        "  descriptive: []\n"
        f"{_margins(ranking)}{_RULES}\ngates:\n{_gates(ranking, risks, late)}{_ALWAYS}"
    )


def _listed(names: Sequence[object]) -> str:
    return f"[{', '.join(str(name) for name in names)}]"


def _declared(spec: ModelSpec) -> str:
    return (
        f"  endpoint: {spec.endpoint}\n"
        f"  other_endpoints: {_listed(spec.other_endpoints)}\n"
        f"  binary_endpoints: {_listed(spec.labels)}\n"
        f"  horizons_months: {_listed(spec.horizons_months)}\n"
        "  follow_up_months: TODO\n"
        "  level: 0.95\n"
        "  analysis_set: intention_to_diagnose\n"
        "  seed: TODO\n"
        "  cohorts:\n    external: [TODO]\n    internal: []\n"
    )


def _estimates(
    ranking: Sequence[TensorSpec], risks: Sequence[TensorSpec], rest: Sequence[str], others: Sequence[str], late: int
) -> str:
    lines = []
    for output in ranking:
        short = output.name.removeprefix(_RANKS)
        lines.append(f"    - {{id: c_{short}, estimator: harrell_c, prediction: {output.name}}}")
        lines.append(
            f"    - {{id: slope{late}_{short}, estimator: calibration_slope, prediction: {output.name}, "
            f"horizon_months: {late}}}"
        )
    for output in risks:
        name = f"{output.name}_{late}m"
        short = output.name.removeprefix("risk_")
        asked = f"prediction: {name}, horizon_months: {late}"
        lines += [
            f"    - {{id: {quantity}{late}_{short}, estimator: {estimator}, {asked}}}"
            for quantity, estimator in (("oe", "oe_ratio"), ("brier", "brier_t"))
        ]
    if others:
        lines.append(f"    # TODO add `endpoint:` to those that predict {', '.join(others)}; then delete this line")
    if rest:
        lines.append(f"    # TODO estimates of {', '.join(rest)}, or none; then delete this line")
    return "\n".join(lines) + "\n"


def _margins(ranking: Sequence[TensorSpec]) -> str:
    if not ranking:
        return ""
    against = "    margin: TODO\n    source: TODO where the margin comes from\n"
    return (
        "\nmargins: # against earlier releases; no gate judges them yet\n"
        f"  estimate: c_{ranking[0].name.removeprefix('lp_')}\n"
        f"  original:\n{against}  last_release:\n{against}"
    )


def _gates(ranking: Sequence[TensorSpec], risks: Sequence[TensorSpec], late: int) -> str:
    def gate(name: str, kind: str, estimate: str, limit: str) -> str:
        return (
            f"  - id: {name}\n    kind: {kind}\n    estimate: {estimate}\n    {limit}\n    minimum_events: TODO\n"
            f"    blocking: true\n{_JUDGED}"
        )

    text = ""
    for output in ranking[:1]:
        short = output.name.removeprefix(_RANKS)
        text += gate("discrimination", "discrimination", f"c_{short}", "above: TODO")
        text += gate("calibration_slope", "calibration", f"slope{late}_{short}", "between: [TODO, TODO]")
    for output in risks[:1]:
        short = output.name.removeprefix("risk_")
        text += gate("calibration_in_the_large", "calibration", f"oe{late}_{short}", "between: [TODO, TODO]")
    return text
