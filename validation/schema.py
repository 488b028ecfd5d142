"""What a cohort of one kind must look like: the declarative YAML in `validation/schemas/`, as values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from validation.documents import read_yaml
from validation.errors import InputError

SCHEMAS = Path(__file__).parent / "schemas"
AXES = ("slice", "row", "column")

ColumnType = Literal["text", "category", "number", "integer", "date"]
Range = tuple[float, float]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Name in the header.
        type: How its cells are written: date as YYYY-MM-DD, number with a decimal point.
        meaning: What it holds.
        unit: Unit of a number, if it has one.
        categories: Admissible values of a category or an integer.
        pattern: Regular expression a text must match.
        minimum: Smallest admissible number.
        above: Bound that a number must exceed.
        maximum: Largest admissible number.
        unique: Whether no value may occur twice.
        missing_share_max: Share of cells that may be empty, 0 to 1.
    """

    name: str
    type: ColumnType
    meaning: str
    unit: str | None = None
    categories: tuple[Any, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    unique: bool = False
    missing_share_max: float = 0.0

    @cached_property
    def expected(self) -> str:
        """The rule in words: `a number above 0, at most 240, in months`."""
        if self.categories:
            return "one of " + ", ".join(str(category) for category in self.categories)
        if self.type == "date":
            return "a date written YYYY-MM-DD"
        if self.type == "text":
            return (f"text matching {self.pattern}" if self.pattern else "text") + ", each once" * self.unique
        words = [
            f"above {self.above:g}" if self.above is not None else "",
            f"at least {self.minimum:g}" if self.minimum is not None else "",
            f"at most {self.maximum:g}" if self.maximum is not None else "",
            f"in {self.unit}" if self.unit else "",
        ]
        return ", ".join(["a number with a decimal point", *(word for word in words if word)])


@dataclass(frozen=True)
class TableSchema:
    """One kind of table: its columns, and its rules between columns as Great Expectations configurations."""

    name: str
    columns: tuple[Column, ...]
    expectations: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class ImageSchema:
    """One image of a patient: a volume, a mask, a slide or the annotations of a slide.

    Attributes:
        name: Stem of its two columns in the patients table.
        kind: What it is.
        required: Whether every patient must have it; if not, both cells of a patient without it are empty.
    """

    name: str
    kind: Literal["image", "mask", "slide", "annotation"]
    required: bool = True

    @property
    def path_column(self) -> str:
        """Column of the patients table that holds its path."""
        return f"{self.name}_path"

    @property
    def sha256_column(self) -> str:
        """Column of the patients table that holds its digest."""
        return f"{self.name}_sha256"


@dataclass(frozen=True)
class VolumeSchema(ImageSchema):
    """A volume, or a mask: a region of interest (NIfTI only, one label).

    Attributes:
        grid_of: Image on whose grid it must lie.
        spacing_mm: Admissible voxel spacing along (slice, row, column); None to take what `grid_of` has.
        shape: Admissible number of voxels along (slice, row, column).
        intensity: Admissible intensities.
        positive_share_min: Smallest admissible share of voxels above zero.
        voxels_min: Fewest voxels of a mask.
    """

    grid_of: str | None = None
    spacing_mm: tuple[Range, ...] | None = None
    shape: tuple[Range, ...] | None = None
    intensity: Range | None = None
    positive_share_min: float = 0.0
    voxels_min: int = 1


@dataclass(frozen=True, kw_only=True)
class SlideSchema(ImageSchema):
    """A whole-slide image.

    Attributes:
        mpp: Admissible resolution of level 0, in um per pixel.
        tiles: Admissible number of whole 224-pixel tiles at 0.5 um/px along (row, column).
        tissue_share: Admissible share of the slide that is no background.
        mpp_column: Column of the patients table with the resolution of a slide whose file does not say it.
    """

    mpp: Range
    tiles: tuple[Range, Range]
    tissue_share: Range
    mpp_column: str | None = None


@dataclass(frozen=True, kw_only=True)
class AnnotationSchema(ImageSchema):
    """A pathologist's annotations of a slide.

    Attributes:
        slide: Name of the slide they are drawn on.
        tissues: Admissible classes.
    """

    slide: str
    tissues: tuple[str, ...]


AnyImage = VolumeSchema | SlideSchema | AnnotationSchema


@dataclass(frozen=True)
class DiffusionRule:
    """Two diffusion-weighted images must give a physiological apparent diffusion coefficient inside a mask."""

    low: str
    high: str
    mask: str
    b_difference_s_per_mm2: float
    adc_mm2_per_s: Range


@dataclass(frozen=True)
class CohortSchema:
    """Everything demanded of a cohort of one kind.

    Attributes:
        name: Folder in `validation/schemas/`.
        modality: DICOM modality; SM is slide microscopy.
        patients: Columns and rules of the patients table.
        outcomes: Those of the outcomes table.
        images: Images of every patient; an annotation comes after its slide.
        grid_tolerance_mm: How far apart volumes on one grid may lie; 0 where the kind has no volumes.
        diffusion: Rule between two diffusion-weighted images, if it has them.
    """

    name: str
    modality: str
    patients: TableSchema
    outcomes: TableSchema
    images: tuple[AnyImage, ...]
    grid_tolerance_mm: float
    diffusion: DiffusionRule | None


@lru_cache
def load_schema(name: str) -> CohortSchema:
    """Read a schema by the name of its folder in `validation/schemas/`.

    Raises:
        InputError: There is no such schema.
    """
    known = sorted(folder.name for folder in SCHEMAS.iterdir() if folder.is_dir())
    if name not in known:
        raise InputError(
            "cohort.yaml key schema", repr(name), f"one of {', '.join(known)}", "Name a schema that exists."
        )
    document = read_yaml(SCHEMAS / name / "images.yaml")
    images = tuple(_image(key, value) for key, value in document["images"].items())
    diffusion = document.get("diffusion")
    return CohortSchema(
        name=name,
        modality=document["modality"],
        patients=_table(SCHEMAS / name / "patients.yaml", tuple(c for image in images for c in _image_columns(image))),
        outcomes=_table(SCHEMAS / name / "outcomes.yaml"),
        images=images,
        grid_tolerance_mm=float(document.get("grid_tolerance_mm", 0.0)),
        diffusion=DiffusionRule(**{**diffusion, "adc_mm2_per_s": tuple(diffusion["adc_mm2_per_s"])})
        if diffusion
        else None,
    )


def _table(path: Path, more: tuple[Column, ...] = ()) -> TableSchema:
    document = read_yaml(path)
    columns = tuple(_column(name, value) for name, value in document["columns"].items())
    return TableSchema(path.stem, columns + more, tuple(document["expectations"]))


def _column(name: str, document: dict[str, Any]) -> Column:
    renamed = {"min": "minimum", "max": "maximum"}
    values: dict[str, Any] = {
        renamed.get(key, key): tuple(value) if isinstance(value, list) else value for key, value in document.items()
    }
    return Column(name=name, **values)


def _image(name: str, document: dict[str, Any]) -> AnyImage:
    values = dict(document)
    if values["kind"] == "slide":
        values["mpp"], values["tissue_share"] = _range(values["mpp"]), _range(values["tissue_share"])
        values["tiles"] = (_range(values["tiles"]["row"]), _range(values["tiles"]["column"]))
        return SlideSchema(name=name, **values)
    if values["kind"] == "annotation":
        return AnnotationSchema(name=name, **{**values, "tissues": tuple(values["tissues"])})
    for key in ("spacing_mm", "shape"):
        if key in values:
            values[key] = tuple(_range(values[key][axis]) for axis in AXES)
    if "intensity" in values:
        values["intensity"] = tuple(values["intensity"])
    return VolumeSchema(name=name, **values)


def _range(limits: list[float]) -> Range:
    low, high = limits
    return float(low), float(high)


def _image_columns(image: ImageSchema) -> tuple[Column, Column]:
    missing = 0.0 if image.required else 1.0
    return (
        Column(
            image.path_column,
            "text",
            f"path of {image.name}, relative to the cohort folder",
            missing_share_max=missing,
        ),
        Column(
            image.sha256_column,
            "text",
            f"sha256 of {image.name}",
            pattern="^[0-9a-f]{64}$",
            missing_share_max=missing,
        ),
    )


def column_names(table: TableSchema) -> tuple[str, ...]:
    """Return the names of a table's columns, in order."""
    return tuple(column.name for column in table.columns)
