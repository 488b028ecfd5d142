"""What each part of the multitask network is worth: the same training with parts taken away, judged externally.

    python benchmarks/ablations.py [variant ...]

Every variant of `profiles.ablations.training` in params.yaml is trained on the development cohort of
ct_stroma_survival as it lies in data/cohorts, and run on every external cohort of the model. Compared are the
concordance of MDLS with death and the AUC of the tumour-stroma ratio, each variant against the complete network on the
same patients. Finished variants are kept in checkpoints/ablations, an interrupted one goes on from its checkpoints.
Writes benchmarks/ablations.json of all that are there and prints the tables of docs/experiments.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from models import MODELS
from models.checkpoints import sources_digest
from models.spec import load_dotted
from models.system import DevelopmentSet, System
from pipelines.layout import checkpoint_folder, cohort_folder
from pipelines.params import Params, load_params
from pipelines.patients import prepared_patients, stack_inputs
from pipelines.progress import LineProgress, TrainingProgress
from pipelines.train import development_set
from pipelines.writing import whole_folder
from validation.cohort import binary_endpoint, endpoint_in_months, load_cohort, load_outcomes
from validation.digests import file_sha256
from validation.documents import read_json, write_json
from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.entry import BinarySample, SurvivalSample
from validation.estimators.catalogue.survival import SURVIVAL
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.influence import Influence, paired_difference
from validation.protocol import load_protocol
from validation.sealing.opening import open_demonstration

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "ablations.json"
MODEL, PROFILE, COMPLETE, LABEL = "ct_stroma_survival", "ablations", "complete", "tsr_high"
SPEC = MODELS[MODEL]
BATCH = 64
SCORES = ("mdls", "tsr_prob")
MEASURES = {"mdls": "C of MDLS with death", "tsr_prob": "AUC of the tumour-stroma ratio"}


def variants() -> tuple[str, ...]:
    """Return the variants that params.yaml declares, the complete network first."""
    declared = load_params(profile=PROFILE).trainings
    return (COMPLETE, *(name for name in declared if name != COMPLETE))


def folder_of(variant: str) -> Path:
    """Return where a finished variant lies: what training wrote, and its predictions by cohort."""
    return checkpoint_folder(PROFILE) / variant


def train(variant: str, params: Params, development: DevelopmentSet) -> None:
    """Train and run one variant, unless that was done with the same parameters, sources and patients."""
    block = {
        **params.training(variant),
        "seed": params.seed,
        "development_sha256": development.digest(),
        "sources_sha256": sources_digest(ROOT / "models" / MODEL),
        "patients_sha256": [file_sha256(cohort_folder(name) / "patients.csv") for name in external_cohorts()],
    }
    if read_json(folder_of(variant) / "ablation.json") == block:
        sys.stderr.write(f"{variant}: done before\n")
        return
    system: System = load_dotted(SPEC.system_path)
    training = system.params_class.from_mapping(params.training(variant))
    with whole_folder(folder_of(variant)) as folder:
        work = checkpoint_folder(f"{PROFILE}-{variant}")
        system.train(development, training, params.seed, folder, work, TrainingProgress())
        signature = system.signature(folder)
        for cohort in external_cohorts():
            predicted(signature, cohort).to_parquet(folder / f"{cohort}.parquet", index=False)
        write_json(folder / "ablation.json", block)


def external_cohorts() -> tuple[str, ...]:
    """Return the external cohorts of the model, as its protocol declares them."""
    return load_protocol(ROOT / "validation" / "protocols" / f"{MODEL}.yaml").analysis.external


def predicted(signature: nn.Module, cohort: str) -> pd.DataFrame:
    """Return the two scores of every patient of a cohort who could be processed."""
    stream = prepared_patients(load_cohort(cohort_folder(cohort)), SPEC, LineProgress(f"predicting {cohort}"))
    kept = [patient for patient in stream if patient.inputs is not None]
    names = [tensor.name for tensor in SPEC.outputs]
    parts = []
    for start in range(0, len(kept), BATCH):
        batch = kept[start : start + BATCH]
        inputs = stack_inputs(batch)
        with torch.no_grad():
            outputs = signature(*(torch.from_numpy(inputs[tensor.name]) for tensor in SPEC.inputs))
        scores = {name: outputs[names.index(name)].numpy() for name in SCORES}
        parts.append(pd.DataFrame({"patient_id": [patient.patient_id for patient in batch], **scores}))
    return pd.concat(parts, ignore_index=True)


def influences(cohort: str, scores: pd.DataFrame) -> Iterator[tuple[str, Influence | UndefinedEstimate]]:
    """Yield what is measured on one cohort, by score; undefined where the cohort has no tumour-stroma ratio."""
    folder = load_cohort(cohort_folder(cohort))
    outcomes = open_demonstration(folder) if folder.meta.sealed else load_outcomes(folder)
    table = scores.merge(outcomes, on="patient_id", validate="1:1").sort_values("patient_id")
    endpoint = endpoint_in_months(folder.meta, SPEC.endpoint)
    time, event = table[endpoint.time].to_numpy(), table[endpoint.event].to_numpy() == 1
    concordance, area = SURVIVAL["harrell_c"].influence, BINARY["auc"].influence
    if concordance is None or area is None:
        raise TypeError("an estimator without influence function cannot be compared")
    yield "mdls", concordance(SurvivalSample(time, event, table["mdls"].to_numpy(dtype=np.float64)))
    label = binary_endpoint(folder.meta, LABEL)
    if label is None:
        yield "tsr_prob", UndefinedEstimate(f"{cohort} has no {LABEL}")
        return
    known = table[label.case].notna().to_numpy()
    case = table[label.case].to_numpy(dtype=np.float64)[known] == 1
    yield "tsr_prob", area(BinarySample(case, table["tsr_prob"].to_numpy(dtype=np.float64)[known]))


def compared(names: Sequence[str], level: float) -> Iterator[dict[str, Any]]:
    """Yield every variant's estimate on every cohort, and its paired difference from the complete network."""
    for cohort in external_cohorts():
        of = {name: dict(influences(cohort, pd.read_parquet(folder_of(name) / f"{cohort}.parquet"))) for name in names}
        for score in SCORES:
            whole = of[COMPLETE][score]
            if isinstance(whole, UndefinedEstimate):
                continue
            for name in names:
                own = of[name][score]
                if isinstance(own, UndefinedEstimate):
                    raise own
                row = {"variant": name, "cohort": cohort, "score": score}
                estimate = own.estimate(scale="logit", level=level).to_dict()
                worth = None if name == COMPLETE else paired_difference(whole, own, level=level).to_dict()
                yield {**row, "estimate": estimate, "complete_less_variant": worth}


def tables(document: Mapping[str, Any]) -> str:
    """Return one Markdown table per score, and what they say of the two claims of the paper."""
    lines: list[str] = []
    for score, title in MEASURES.items():
        rows = [row for row in document["rows"] if row["score"] == score]
        cohorts = list(dict.fromkeys(row["cohort"] for row in rows))
        lines += [f"### {title}", "", "| variant | " + " | ".join(cohorts) + " |", "|" + " --- |" * (len(cohorts) + 1)]
        for name in dict.fromkeys(row["variant"] for row in rows):
            cells = {row["cohort"]: _cell(row) for row in rows if row["variant"] == name}
            lines.append(f"| {name} | " + " | ".join(cells[cohort] for cohort in cohorts) + " |")
        lines += ["", *(_conclusion(rows, name, cohorts) for name in ("single_task", "single_scale")), ""]
    if document["not_run"]:
        lines.append(f"Not run yet: {', '.join(document['not_run'])}.")
    return "\n".join(lines)


def _cell(row: Mapping[str, Any]) -> str:
    value = row["estimate"]
    text = f"{value['value']:.3f} [{value['lower']:.3f}, {value['upper']:.3f}]"
    worth = row["complete_less_variant"]
    return text if worth is None else f"{text}; {worth['value']:+.3f} [{worth['lower']:+.3f}, {worth['upper']:+.3f}]"


def _conclusion(rows: Sequence[Mapping[str, Any]], name: str, cohorts: Sequence[str]) -> str:
    """Say in how many cohorts the complete network is better, worse, or not told apart."""
    worths = [row["complete_less_variant"] for row in rows if row["variant"] == name]
    better, worse = sum(w["lower"] > 0 for w in worths), sum(w["upper"] < 0 for w in worths)
    rest = len(cohorts) - better - worse
    return (
        f"- complete against {name}: better in {better}, worse in {worse}, not told apart in {rest} of {len(cohorts)}."
    )


def main(chosen: Sequence[str]) -> None:
    """Train what is missing; write the JSON of what is there and print the tables."""
    params, names = load_params(profile=PROFILE), variants()
    development, _ = development_set(load_cohort(cohort_folder(params.model(MODEL).development)), SPEC)
    for variant in chosen or names:
        train(variant, params, development)
    finished = [name for name in names if (folder_of(name) / "ablation.json").is_file()]
    if COMPLETE not in finished:
        return
    level = load_protocol(ROOT / "validation" / "protocols" / f"{MODEL}.yaml").analysis.level
    document = {
        "model": MODEL,
        "development": {"cohort": params.model(MODEL).development, "n": len(development.patient_ids)},
        "seed": params.seed,
        "training": {name: params.training(name) for name in finished},
        "not_run": [name for name in names if name not in finished],
        "rows": list(compared(finished, level)),
    }
    write_json(OUTPUT, document)
    sys.stdout.write(tables(document) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
