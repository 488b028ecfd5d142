"""NIfTI-1 files, decoded only where nothing is left to guess.

The usual readers forgive. ITK makes up the missing end of a truncated file, reads NaN as 0, sets a spacing of zero to
one, reads a dimension of zero as one, takes the identity where the file gives no orientation, and picks one of two
orientations that contradict each other, most of it in silence. A judge must not, so the header is checked here and the
voxels are decoded from the very bytes that were checked and hashed. The tests compare the result with SimpleITK.

Reference: NIfTI-1 data format, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from validation.errors import InputError
from validation.volume import Volume, volume_of

HEADER_BYTES = 348
CONTRADICTION_MM = 0.5  # a quaternion in float32 is good to about 0.3 mm over 400 mm
_SCALARS = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}  # by data type code
_UNITS_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # not stated, m, mm, micrometres
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_EXPORT = "Export the volume again."


@dataclass(frozen=True)
class Header:
    """The fields of a NIfTI-1 header that decide about voxels and position, and its byte order (< or >)."""

    order: str
    dim: tuple[int, ...]
    datatype: int
    bitpix: int
    pixdim: tuple[float, ...]
    vox_offset: float
    scl_slope: float
    scl_inter: float
    units: int
    qform_code: int
    sform_code: int
    quatern: tuple[float, ...]
    srow: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along the stored axes, the fastest first."""
        return self.dim[1], self.dim[2], self.dim[3]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the stored voxels."""
        return np.dtype(self.order + _SCALARS[self.datatype])


def decode_nifti(content: bytes, where: str) -> Volume:
    """Decode a three-dimensional NIfTI-1 file that is whole and unambiguous.

    Args:
        content: Bytes of the .nii or .nii.gz file.
        where: Path, for messages.

    Returns:
        The volume, float32, slope and intercept applied; axes as stored, the fastest last.

    Raises:
        InputError: Truncated, corrupt, not NIfTI-1, not three-dimensional, of a data type other than integer or float,
            with voxels that are not finite, spacing that is not positive, without orientation, with axes that are not
            orthogonal, or with two orientations that disagree.
    """
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            found = f"a truncated or corrupt gzip file ({error})"
            raise InputError(where, found, "a whole .nii.gz file", "Copy the file again from its source.") from error
    header = _header(content, where)
    _check_size(header, len(content), where)
    affine = _affine(header, where) * _UNITS_MM[header.units]
    axes = affine[:, :3] / np.linalg.norm(affine[:, :3], axis=0)
    spacing_mm = np.array(header.pixdim[1:4]) * _UNITS_MM[header.units]
    return volume_of(
        _voxels(header, content, where),
        spacing_mm[::-1],
        (_RAS_TO_LPS @ axes).T[::-1],
        _RAS_TO_LPS @ affine[:, 3],
    )


def _header(content: bytes, where: str) -> Header:
    if len(content) < HEADER_BYTES:
        found = f"{len(content)} bytes, fewer than a header"
        raise InputError(where, found, f"at least {HEADER_BYTES} bytes", "Copy the file again from its source.")
    order = "<" if struct.unpack_from("<i", content)[0] == HEADER_BYTES else ">"
    magic = content[344:348]
    if struct.unpack_from(f"{order}i", content)[0] != HEADER_BYTES or magic != b"n+1\0":
        raise InputError(where, f"magic {magic!r}", "a single-file NIfTI-1 volume (n+1)", "Convert it to NIfTI-1.")

    def field(form: str, offset: int) -> tuple[float, ...]:
        return struct.unpack_from(order + form, content, offset)

    datatype, bitpix = struct.unpack_from(f"{order}2h", content, 70)
    qform_code, sform_code = struct.unpack_from(f"{order}2h", content, 252)
    vox_offset, scl_slope, scl_inter = field("3f", 108)
    return Header(
        order=order,
        dim=struct.unpack_from(f"{order}8h", content, 40),
        datatype=datatype,
        bitpix=bitpix,
        pixdim=field("8f", 76),
        vox_offset=vox_offset,
        scl_slope=scl_slope,
        scl_inter=scl_inter,
        units=content[123] & 7,
        qform_code=qform_code,
        sform_code=sform_code,
        quatern=field("6f", 256),
        srow=field("12f", 280),
    )


def _check_size(header: Header, size: int, where: str) -> None:
    """Refuse a header whose shape, data type or scaling is unusable, and a file shorter than its header promises."""
    axes = header.dim[0]
    if axes < 3 or axes > 7 or any(n != 1 for n in header.dim[4 : axes + 1]):
        raise InputError(
            where, f"dimensions {header.dim[1 : max(axes, 0) + 1]}", "three dimensions", "Split the series."
        )
    if min(header.shape) < 1:
        raise InputError(where, f"shape {header.shape}", "at least one voxel along each axis", _EXPORT)
    if header.datatype not in _SCALARS or header.dtype.itemsize * 8 != header.bitpix:
        found = f"data type code {header.datatype} with {header.bitpix} bits"
        raise InputError(where, found, "integers of 8 to 32 bits, or floats", "Convert it to int16 or float32.")
    if header.scl_slope == 0 and np.isfinite(header.scl_inter) and header.scl_inter != 0:
        found = f"scl_slope 0 with scl_inter {header.scl_inter:g}"
        raise InputError(where, found, "a slope, or neither (readers disagree here)", _EXPORT)
    if not HEADER_BYTES <= header.vox_offset <= size:
        raise InputError(where, f"voxels from byte {header.vox_offset:g}", "an offset in the file", _EXPORT)
    promised = int(header.vox_offset) + int(np.prod(header.shape, dtype=np.int64)) * header.dtype.itemsize
    if size < promised:
        found = f"{size} bytes uncompressed: truncated"
        raise InputError(where, found, f"{promised} bytes, as the header says", "Copy the file again from its source.")


def _voxels(header: Header, content: bytes, where: str) -> NDArray[np.float32]:
    """Return the voxels, slope and intercept applied, shape (slowest, ..., fastest)."""
    count = int(np.prod(header.shape, dtype=np.int64))
    stored = np.frombuffer(content, header.dtype, count, int(header.vox_offset)).reshape(header.shape[::-1])
    bad = count - int(np.count_nonzero(np.isfinite(stored))) if stored.dtype.kind == "f" else 0
    if bad:
        found = f"{bad} of {count} voxels that are NaN or infinite"
        raise InputError(where, found, "finite voxels", "Export the volume again, 0 where nothing was measured.")
    slope, inter = header.scl_slope, header.scl_inter
    if np.isfinite(slope) and slope != 0 and (slope, inter) != (1, 0):
        stored = stored * np.float64(slope) + np.float64(inter if np.isfinite(inter) else 0)
    with np.errstate(over="ignore"):
        voxels = stored.astype(np.float32)
    if not np.isfinite(voxels).all():
        raise InputError(where, "intensities beyond float32", "finite intensities", "Export the volume again, scaled.")
    return voxels


def _affine(header: Header, where: str) -> NDArray[np.float64]:
    """Return the matrix (3, 4) from stored indices to right, anterior, superior, in the file's unit of length.

    Refuses spacing and orientation that are missing, impossible or contradictory.
    """
    spacing = np.array(header.pixdim[1:4])
    if not np.isfinite(spacing).all() or spacing.min() <= 0 or header.units not in _UNITS_MM:
        found = f"spacing {header.pixdim[1:4]} in unit code {header.units}"
        raise InputError(where, found, "positive spacing along each axis, in mm", _EXPORT)
    affines = [np.array(header.srow).reshape(3, 4)] if header.sform_code > 0 else []
    affines += [_qform(header)] if header.qform_code > 0 else []
    if not affines:
        raise InputError(where, "no orientation (qform and sform code 0)", "an orientation", _EXPORT)
    for affine in affines:
        length = np.linalg.norm(affine[:, :3], axis=0)
        if not np.isfinite(affine).all() or length.min() <= 0:
            raise InputError(
                where, "an orientation with zero or non-finite entries", "three axes and an origin", _EXPORT
            )
        axes = affine[:, :3] / length
        if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3 or np.abs(length / spacing - 1).max() > 1e-3:
            found = "axes that are not orthogonal, or not of the length of the spacing"
            raise InputError(where, found, "an orthogonal grid", "Resample the volume to an orthogonal grid.")
    corners = np.array(list(product(*((0, n - 1) for n in header.shape), (1,))))
    apart = float(np.abs(corners @ (affines[0] - affines[-1]).T).max()) * _UNITS_MM[header.units]
    if apart > CONTRADICTION_MM:
        found = f"two orientations (qform, sform) up to {apart:.3g} mm apart"
        raise InputError(where, found, "one position per voxel", "Keep the scanner's orientation in both.")
    return affines[0]


def _qform(header: Header) -> NDArray[np.float64]:
    """Return the affine (3, 4) of the quaternion form (nifti1.h, method 2)."""
    b, c, d = header.quatern[:3]
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    handed = -1.0 if header.pixdim[0] < 0 else 1.0
    return np.column_stack([rotation * (np.array(header.pixdim[1:4]) * [1.0, 1.0, handed]), header.quatern[3:]])
