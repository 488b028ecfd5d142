"""A folder that holds exactly one DICOM series, read as one volume.

GDCM leaves out files that it cannot read, a truncated slice among them, and ITK only warns when slices are missing. So
every file must belong to the one series, and the positions of the slices must form one regular grid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.errors import InputError
from validation.volume import Volume, volume_of

TOLERANCE_MM = 0.05
POSITION, ORIENTATION = "0020|0032", "0020|0037"
SLICE_THICKNESS, SPACING_BETWEEN_SLICES = "0018|0050", "0018|0088"
SAMPLES_PER_PIXEL, FRAMES = "0028|0002", "0028|0008"
_EXPORT = "Export the series again from the PACS, one series per folder."


def read_series(folder: Path) -> Volume:
    """Read the one DICOM series of a folder with SimpleITK.

    Returns:
        The volume, float32, rescale slope and intercept of each slice applied; axes as stored.

    Raises:
        InputError: No series or several; a file that is not part of the series (truncated, or no image); colour or
            multi-frame images; slices that differ in size or orientation, are missing, doubled, or shifted against one
            another.
    """
    sitk = _simple_itk()
    names = _series_files(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    reader.SetOutputPixelType(sitk.sitkFloat32)  # the type of the first slice would round those with another slope
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image = reader.Execute()
    except RuntimeError as error:
        found = f"slices that do not form a volume ({str(error).strip().splitlines()[-1].strip()})"
        raise InputError(str(folder), found, "slices of one size and kind", _EXPORT) from error
    slices = range(len(names))
    if any(
        _tag(reader, i, SAMPLES_PER_PIXEL) not in ("", "1") or _tag(reader, i, FRAMES) not in ("", "1") for i in slices
    ):
        raise InputError(str(folder), "colour or multi-frame images", "one grey-value image per slice", _EXPORT)
    column, row, _ = image.GetSpacing()
    spacing_mm = (_slice_spacing_mm(folder, names, reader), row, column)
    direction = np.array(image.GetDirection()).reshape(3, 3).T[::-1]
    return volume_of(sitk.GetArrayFromImage(image), spacing_mm, direction, image.GetOrigin())


def _simple_itk() -> Any:
    """Return SimpleITK, on one thread and with its warnings off: what they warn of is refused here."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # type: ignore[no-untyped-call]
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # type: ignore[no-untyped-call]
    return SimpleITK


def _series_files(folder: Path) -> list[str]:
    """Return the files of the one series, along its normal; refuse a folder that holds anything else."""
    sitk = _simple_itk()
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        found = f"{len(series)} DICOM series" if series else "no readable DICOM series"
        raise InputError(str(folder), found, "exactly one", _EXPORT)
    names = list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0]))
    used = {Path(name) for name in names}
    stray = sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file() and file not in used
    )
    if stray:
        found = f"{len(stray)} file(s) that are no readable part of the series: {', '.join(stray[:3])}"
        remedy = "If it is a slice it is damaged: export the series again. If not, remove it."
        raise InputError(str(folder), found, "the slices of one series and nothing else", remedy)
    return names


def _tag(reader: Any, index: int, key: str) -> str:
    return str(reader.GetMetaData(index, key)).strip() if reader.HasMetaDataKey(index, key) else ""


def _numbers(folder: Path, name: str, text: str, count: int, what: str) -> NDArray[np.float64]:
    """Return the numbers of a multi-valued tag."""
    try:
        values = np.array([float(value) for value in text.split("\\")])
    except ValueError:
        values = np.array([])
    if len(values) != count or not np.isfinite(values).all():
        found = f"{what} {text!r} in {Path(name).name}"
        raise InputError(str(folder), found, f"{count} number(s)", "Send the original images, not secondary captures.")
    return values


def _slice_spacing_mm(folder: Path, names: list[str], reader: Any) -> float:
    """Return the distance between slices, mm, after checking that the slices form one regular grid."""
    indices = range(len(names))
    orientations = np.array(
        [_numbers(folder, n, _tag(reader, i, ORIENTATION), 6, "orientation") for i, n in enumerate(names)]
    )
    if np.abs(orientations - orientations[0]).max() > 1e-3:
        raise InputError(str(folder), "slices of different orientation", "parallel slices", _EXPORT)
    if len(names) == 1:
        text = _tag(reader, 0, SPACING_BETWEEN_SLICES) or _tag(reader, 0, SLICE_THICKNESS)
        return float(_numbers(folder, names[0], text, 1, "slice thickness")[0])
    positions = np.array([_numbers(folder, names[i], _tag(reader, i, POSITION), 3, "position") for i in indices])
    normal = np.cross(orientations[0, :3], orientations[0, 3:])
    along = (positions - positions[0]) @ normal
    sideways = float(np.linalg.norm(positions - positions[0] - np.outer(along, normal), axis=1).max())
    ranked = np.argsort(along)
    gaps = np.diff(along[ranked])
    if gaps.min() < TOLERANCE_MM:
        at = int(gaps.argmin())
        pair = " and ".join(Path(names[ranked[i]]).name for i in (at, at + 1))
        found = f"two images at one position ({pair})"
        raise InputError(str(folder), found, "one image per position", "Split b-values, echoes or phases into folders.")
    spacing = float(np.median(gaps))
    steps = np.diff(along)
    if np.abs(steps - spacing).max() > max(TOLERANCE_MM, 0.01 * spacing):
        at = int(np.abs(steps - spacing).argmax())
        found = f"{steps[at]:.4g} mm between {Path(names[at]).name} and {Path(names[at + 1]).name}: missing slices?"
        raise InputError(str(folder), found, f"{spacing:.4g} mm as elsewhere", _EXPORT)
    if sideways > TOLERANCE_MM:
        found = f"slices shifted by up to {sideways:.3g} mm against one another (tilted gantry?)"
        raise InputError(str(folder), found, "slices in line with their normal", "Resample the series to NIfTI.")
    return spacing
