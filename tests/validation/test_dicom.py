"""DICOM series: the CT and MR images bundled with pydicom, and what can be wrong with a folder of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from validation.errors import InputError
from validation.images import Volume, read_volume

BUNDLED = Path(str(get_testdata_file("MR_small.dcm", download=False))).parent
SERIES = BUNDLED / "dicomdirtests"
CT = SERIES / "98892001" / "CT5N"


def mr_series(folder: Path, slices: int = 5, spacing_mm: float = 3.0) -> Path:
    """Write a series of slices with the header and pixels of pydicom's MR_small, each a little brighter."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(slices):
        image = pydicom.dcmread(BUNDLED / "MR_small.dcm")
        image.ImagePositionPatient = [-83.9063, -91.2, round(6.6406 + spacing_mm * i, 4)]
        image.InstanceNumber = i + 1
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{image.SOPInstanceUID}.{i}"
        image.PixelData = (image.pixel_array + 10 * i).astype(np.int16).tobytes()
        image.save_as(folder / f"{slices - i:03d}.dcm")
    return folder


def edit_slice(folder: Path, edit: Callable[[pydicom.Dataset], None], index: int = 1) -> None:
    """Change the header of one slice."""
    path = sorted(folder.iterdir())[index]
    image = pydicom.dcmread(path)
    edit(image)
    image.save_as(path)


def by_position(folder: Path) -> list[pydicom.Dataset]:
    """Return the slices of a folder from inferior to superior."""
    return sorted((pydicom.dcmread(p) for p in folder.iterdir()), key=lambda s: float(s.ImagePositionPatient[2]))


def assert_is_series(volume: Volume, slices: list[pydicom.Dataset]) -> None:
    """The volume has the pixels of the slices, rescaled, and their position."""
    expected = [s.pixel_array * float(s.get("RescaleSlope", 1)) + float(s.get("RescaleIntercept", 0)) for s in slices]
    np.testing.assert_allclose(volume.array, np.array(expected))
    np.testing.assert_allclose(volume.origin_mm, [float(x) for x in slices[0].ImagePositionPatient], atol=1e-4)
    np.testing.assert_allclose(volume.spacing_mm[1:], [float(x) for x in slices[0].PixelSpacing], rtol=1e-6)


def test_bundled_ct_series() -> None:
    """The five-slice CT series of pydicom is read in Hounsfield units, from inferior to superior."""
    volume = read_volume(CT)

    assert_is_series(volume, by_position(CT))
    assert volume.spacing_mm[0] == pytest.approx(2.5)
    assert volume.array.min() < -800


def test_bundled_mr_image_as_series(tmp_path: Path) -> None:
    """The MR image of pydicom is read as a series, in whatever order the files are named."""
    folder = mr_series(tmp_path / "mr")
    volume = read_volume(folder)

    assert_is_series(volume, by_position(folder))
    assert volume.shape == (5, 64, 64)
    assert volume.spacing_mm[0] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("name", "spacing_mm"),
    [("MR_small.dcm", 0.8), ("MR_small_RLE.dcm", 0.8), ("MR_small_jp2klossless.dcm", 0.8), ("CT_small.dcm", 5.0)],
)
def test_bundled_single_slices(tmp_path: Path, name: str, spacing_mm: float) -> None:
    """One slice is a volume as thick as the slice, also with compressed pixels."""
    shutil.copy(BUNDLED / name, tmp_path)

    assert_is_series(read_volume(tmp_path), [pydicom.dcmread(BUNDLED / f"{name[:2]}_small.dcm")])
    assert read_volume(tmp_path).spacing_mm[0] == pytest.approx(spacing_mm)


def test_each_slice_has_its_own_rescale_slope(tmp_path: Path) -> None:
    """Slices with different slopes are rescaled each by its own, without rounding."""
    folder = mr_series(tmp_path / "mr", 3)

    def rescale(image: pydicom.Dataset) -> None:
        image.RescaleSlope, image.RescaleIntercept = "0.37", "1.5"

    edit_slice(folder, rescale)

    assert_is_series(read_volume(folder), by_position(folder))


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("77654033/CT2", "mm between 17106 and 17136: missing slices.*expected 1.25 mm"),
        ("98892001/CT2N", "slices of different orientation"),
        ("98892003/MR700", "slices of different orientation"),
        ("98892003/MR1", "3 DICOM series; expected exactly one"),
        ("77654033/CR1", "expected 6 number"),
        ("TINY_ALPHA/PT000000/ST000000/SE000000", "no readable DICOM series"),
    ],
)
def test_bundled_folders_that_are_no_volume(folder: str, message: str) -> None:
    """Gaps, localisers, rotating planes, several series, images without position: refused, with the folder's name."""
    with pytest.raises(InputError, match=rf"{folder}: found .*{message}"):
        read_volume(SERIES / folder)


@pytest.mark.parametrize("name", ["SC_rgb_rle_2frame.dcm", "rtdose.dcm", "examples_rgb_color.dcm"])
def test_colour_and_multi_frame_images_are_refused(tmp_path: Path, name: str) -> None:
    """Colour and multi-frame images are not read as slices."""
    shutil.copy(BUNDLED / name, tmp_path)

    with pytest.raises(InputError, match=r"colour or multi-frame|do not form a volume"):
        read_volume(tmp_path)


@pytest.mark.parametrize("cut", [1, 100, 2000])
def test_truncated_slice_is_named(tmp_path: Path, cut: int) -> None:
    """GDCM leaves a truncated slice out, even the last; here it is refused by name."""
    folder = Path(shutil.copytree(CT, tmp_path / "ct"))
    path = sorted(folder.iterdir())[-1]
    path.write_bytes(path.read_bytes()[:-cut])

    with pytest.raises(InputError, match=f"no readable part of the series: {path.name}"):
        read_volume(folder)


def test_stray_file_is_named(tmp_path: Path) -> None:
    """Whatever is not part of the series, in subfolders too, is refused by name."""
    folder = mr_series(tmp_path / "mr")
    (folder / "sub").mkdir()
    (folder / "sub" / "DICOMDIR").write_text("x")

    with pytest.raises(InputError, match="sub/DICOMDIR"):
        read_volume(folder)


def test_missing_slice_is_found(tmp_path: Path) -> None:
    """A slice missing in the middle leaves a gap that is named."""
    folder = mr_series(tmp_path / "mr")
    (folder / "003.dcm").unlink()

    with pytest.raises(InputError, match=r"found 6 mm between 00[24]\.dcm and 00[24]\.dcm: missing slices"):
        read_volume(folder)


def test_two_images_at_one_position_are_found(tmp_path: Path) -> None:
    """Two b-values mixed in one series are refused."""
    folder = mr_series(tmp_path / "mr")
    edit_slice(folder, lambda image: setattr(image, "ImagePositionPatient", [-83.9063, -91.2, 6.6406]), index=0)

    with pytest.raises(InputError, match="two images at one position"):
        read_volume(folder)


def test_tilted_gantry_is_refused(tmp_path: Path) -> None:
    """Slices shifted against their normal are a sheared volume."""
    folder = mr_series(tmp_path / "mr", 3)
    for i in range(3):
        edit_slice(folder, lambda image, i=i: setattr(image, "ImagePositionPatient", [0.0, 1.0 * i, 3.0 * i]), index=i)  # type: ignore[misc]

    with pytest.raises(InputError, match="shifted by up to 2 mm"):
        read_volume(folder)


def test_slices_of_another_size_are_refused(tmp_path: Path) -> None:
    """Slices that differ in their number of rows do not form a volume."""
    folder = mr_series(tmp_path / "mr", 3)

    def halve(image: pydicom.Dataset) -> None:
        image.Rows = 32
        image.PixelData = image.PixelData[: 32 * 64 * 2]

    edit_slice(folder, halve)

    with pytest.raises(InputError, match="slices that do not form a volume"):
        read_volume(folder)


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    """A folder without images is refused."""
    with pytest.raises(InputError, match="no readable DICOM series"):
        read_volume(tmp_path)
