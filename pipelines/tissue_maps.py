"""Explanations by tissue maps, of models that read slides: what the classifier took every tile for. No torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from models.maps import SlideMap, slide_map
from models.runtime import OnnxModel
from models.spec import PreprocessingError
from pipelines.explanations import Made, PatientMap, Subject, require_any
from pipelines.progress import LineProgress
from pipelines.slides import Reader, checked_sha256, resolution_given
from validation.cohort import Cohort
from validation.errors import InputError
from validation.slides import MPP, OVERVIEW_RANGE, open_slide

if TYPE_CHECKING:
    from pipelines.tissue_pictures import TissuePicture

NAME = "tissue"  # of the map
OVERVIEW_PX = 1000  # of the longer side of a slide, at most
NOT_EXPORTED = "not exported, and only the model that ships computes it"
METHOD = (
    "Tissue map: every tile in the colour of its most probable tissue by the classifier that ships; tiles outside the "
    "tissue or more than half blank are dropped, -1 in maps.npz; shares are of the classified tiles, background among "
    "them; regions are those that distances to the tumour are measured from. It shows what the classifier read, not "
    "why a patient died; it is no evidence, and no gate looks at it."
)


@dataclass(frozen=True, eq=False)
class ReadSlide:
    """The slide of one patient and what the model makes of it.

    Attributes:
        patient_id: As in the patient table.
        overview: (rows, columns, 3) RGB of the whole slide.
        overview_um: Side of one of its pixels.
        size_um: Height and width of the slide.
        tissue: (rows, columns) index of the tissue of each tile; negative where dropped.
        outputs: Of the model, by name; empty without.
        reason: Why there are no outputs; None if there are.
    """

    patient_id: str
    overview: NDArray[np.uint8]
    overview_um: float
    size_um: tuple[float, float]
    tissue: NDArray[np.int8]
    outputs: dict[str, NDArray[np.float32]]
    reason: str | None


@dataclass(frozen=True, eq=False)
class TissueMaps:
    """Tissue maps by one trained model.

    Attributes:
        subject: The model.
        declared: What its maps show.
        reader: Reads slides, with the classifier that ships or, before any export, that of the training.
    """

    subject: Subject
    declared: SlideMap
    reader: Reader

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """Return the reader of a model, and what it declares in `models/maps`."""
        if subject.spec.tiles is None:
            raise ValueError(f"{subject.spec.name} reads no slides")
        networks = subject.folder if subject.shipped is None else subject.shipped.folder
        return cls(subject, slide_map(subject.spec), Reader.of(subject.spec.tiles, networks))

    @property
    def outputs(self) -> Sequence[str]:
        """The score that stands above the map."""
        return [self.declared.output]

    def facts(self) -> dict[str, Any]:
        """Return method, classifier and the names of the tissues by their place in maps.npz."""
        return {
            "method": METHOD,
            "classifier_sha256": self.reader.classifier_sha256,
            "tile_um": self.declared.tile_um,
            "tissues": list(self.reader.tiles.tissues),
        }

    def maps(self, cohort: Cohort) -> Made:
        """Return the map of every patient whose slide can be read, and the reasons of the others.

        A patient whose slide is read but has no score, for too little tumour, has a map.

        Raises:
            InputError: No slide can be read.
        """
        maps: list[PatientMap] = []
        failed: dict[str, str] = {}
        progress = LineProgress(f"reading {cohort.meta.name}")
        columns = list(map(str, cohort.patients.columns))
        rows = [dict(zip(columns, cells, strict=True)) for cells in cohort.patients.itertuples(index=False)]
        for done, row in enumerate(rows, start=1):
            patient = str(row["patient_id"])
            try:
                maps.append(self._patient_map(self._read(cohort, row)))
            except (InputError, PreprocessingError) as error:
                failed[patient] = str(error).replace(f"{cohort.folder}{os.sep}", "")
            progress(done, len(rows))
        require_any(maps, failed, cohort)
        return maps, failed

    def _read(self, cohort: Cohort, row: Mapping[str, Any]) -> ReadSlide:
        """Read a slide, or take its finished map, and compute the outputs of the model.

        Raises:
            InputError: The slide cannot be read, or is not that of the table.
            PreprocessingError: It shows too little to be read.
        """
        image = self.subject.spec.images[0].name
        path, given = cohort.folder / str(row[f"{image}_path"]), resolution_given(row)
        tile_map = self.reader.read(path, checked_sha256(path, str(row[f"{image}_sha256"])), given)
        with open_slide(path, given) as slide:
            size_um = slide.size_px[0] * MPP, slide.size_px[1] * MPP
            px_um = float(np.clip(max(size_um) / OVERVIEW_PX, *OVERVIEW_RANGE))
            overview = slide.overview(px_um)
        outputs, reason = self._outputs({image: tile_map}, row)
        return ReadSlide(str(row["patient_id"]), overview, px_um, size_um, tile_map.tissue, outputs, reason)

    def _outputs(
        self, images: Mapping[str, Any], row: Mapping[str, Any]
    ) -> tuple[dict[str, NDArray[np.float32]], str | None]:
        """Return the outputs of one patient; without any, the reason."""
        try:
            inputs = self.subject.spec.prepare(images, row)
        except PreprocessingError as error:
            return {}, str(error)
        if self._model is None:
            return {}, NOT_EXPORTED
        outputs = {name: values[0] for name, values in self._model.run({k: v[None] for k, v in inputs.items()}).items()}
        if not all(np.isfinite(values).all() for values in outputs.values()):
            return {}, "model output not finite"
        return outputs, None

    @cached_property
    def _model(self) -> OnnxModel | None:
        """The model that ships, loaded once; None if it was not exported."""
        return None if self.subject.shipped is None else OnnxModel(self.subject.shipped.folder / "model.onnx")

    def _patient_map(self, slide: ReadSlide) -> PatientMap:
        """Return a map with its picture and what maps.json says of it."""
        from pipelines.tissue_pictures import draw_tissue_map

        output = self.declared.output
        value = float(slide.outputs[output]) if slide.outputs else None
        says = {"output": output, "value": value, "reason": slide.reason, **self._measured(slide)}
        lacks = None if value is not None else f"no {output} of {slide.patient_id}: {slide.reason}"
        draw = partial(draw_tissue_map, self._picture(slide, value))
        return PatientMap(slide.patient_id, NAME, slide.tissue, lacks, says, draw)

    def _measured(self, slide: ReadSlide) -> dict[str, Any]:
        """Return tiles, regions and features of a slide."""
        declared, tissue = self.declared, slide.tissue
        counts, regions = tiles_by_tissue(tissue, len(declared.tissues)), declared.regions(tissue)
        of_tumour = np.bincount(regions[(tissue == declared.tumour) & (regions > 0)])
        features = {}
        if slide.outputs:
            labels = next(out.labels for out in self.subject.spec.outputs if out.name == declared.features)
            features = dict(zip(labels, slide.outputs[declared.features].tolist(), strict=True))
        return {
            "rows": tissue.shape[0],
            "columns": tissue.shape[1],
            "tiles": {
                code: {"name": shown.name, "tiles": int(count), "share": float(share)}
                for code, shown, count, share in zip(
                    self.reader.tiles.tissues, declared.tissues, counts, shares(counts), strict=True
                )
            },
            "dropped_tiles": int((tissue < 0).sum()),
            "tumour_regions": len(np.unique(regions[regions > 0])),
            "largest_region_tumour_tiles": int(of_tumour.max(initial=0)),
            "features": features,
        }

    def _picture(self, slide: ReadSlide, value: float | None) -> TissuePicture:
        """Return what the picture of a map shows."""
        from pipelines.tissue_pictures import TissuePicture, TissueRow

        declared = self.declared
        counts = tiles_by_tissue(slide.tissue, len(declared.tissues))
        tensor = next(out for out in self.subject.spec.outputs if out.name == declared.output)
        score, meaning = f"no {declared.output}", str(slide.reason)
        if value is not None:
            score, meaning = f"{declared.output} = {value:.2f}", f"{tensor.meaning} ({tensor.unit})"
        return TissuePicture(
            title=f"{slide.patient_id}   {score}",
            meaning=meaning,
            note=f"{self.subject.origin}, classifier {self.reader.classifier_sha256[:12]}",
            overview=slide.overview,
            overview_um=slide.overview_um,
            size_um=slide.size_um,
            tissue=slide.tissue,
            tile_um=declared.tile_um,
            outlined=declared.regions(slide.tissue) > 0,
            legend=tuple(
                TissueRow(code, shown.name, shown.colour, float(share))
                for code, shown, share in zip(self.reader.tiles.tissues, declared.tissues, shares(counts), strict=True)
            ),
        )


def tiles_by_tissue(tissue: NDArray[np.int8], tissues: int) -> NDArray[np.intp]:
    """Return the number of classified tiles of each tissue, (tissues,)."""
    return np.bincount(tissue[tissue >= 0], minlength=tissues)


def shares(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the share of each tissue among the classified tiles; 0 where none is classified."""
    return np.asarray(counts / max(int(counts.sum()), 1), dtype=np.float64)
