"""What must be true of a NIfTI-1 file before ITK may read it.

ITK forgives: it makes up the missing end of a truncated file, reads NaN as 0, sets a spacing of zero to one, reads a
dimension of zero as one, takes the identity where the file gives no orientation, and picks one of two orientations that
contradict each other. A judge must not, so the header is read here, and only files that leave no doubt are passed on.

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

HEADER_BYTES = 348
CONTRADICTION_MM = 0.5  # a quaternion in float32 is good to about 0.3 mm over 400 mm
_SCALARS = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}  # by data type code
_EXPORT = "Export the volume again."


@dataclass(frozen=True)
class Header:
    """The fields of a NIfTI-1 header that decide about shape, size and position, and its byte order (< or >)."""

    order: str
    dim: tuple[int, ...]
    datatype: int
    bitpix: int
    pixdim: tuple[float, ...]
    vox_offset: float
    scl_slope: float
    scl_inter: float
    qform_code: int
    sform_code: int
    quatern: tuple[float, ...]
    srow: tuple[float, ...]


def plain_nifti(content: bytes, where: str) -> bytes:
    """Return the uncompressed bytes of a three-dimensional NIfTI-1 file that is whole and unambiguous.

    Args:
        content: Bytes of the .nii or .nii.gz file.
        where: Path, for messages.

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
    _check_voxels(header, len(content), where)
    _check_finite(header, content, where)
    _check_position(header, where)
    return content


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
        qform_code=qform_code,
        sform_code=sform_code,
        quatern=field("6f", 256),
        srow=field("12f", 280),
    )


def _check_voxels(header: Header, size: int, where: str) -> None:
    """Refuse a header whose shape, data type or scaling is unusable, and a file shorter than its header promises."""
    axes, shape = header.dim[0], header.dim[1:4]
    if axes < 3 or axes > 7 or any(n != 1 for n in header.dim[4 : axes + 1]):
        raise InputError(
            where, f"dimensions {header.dim[1 : max(axes, 0) + 1]}", "three dimensions", "Split the series."
        )
    if min(shape) < 1:
        raise InputError(where, f"shape {shape}", "at least one voxel along each axis", _EXPORT)
    if header.datatype not in _SCALARS or np.dtype(_SCALARS[header.datatype]).itemsize * 8 != header.bitpix:
        found = f"data type code {header.datatype} with {header.bitpix} bits"
        raise InputError(where, found, "integers or floats of 8 to 64 bits", "Convert it to int16 or float32.")
    if header.scl_slope == 0 and np.isfinite(header.scl_inter) and header.scl_inter != 0:
        found = f"scl_slope 0 with scl_inter {header.scl_inter:g}"
        raise InputError(where, found, "a slope, or neither (readers disagree here)", _EXPORT)
    if not HEADER_BYTES <= header.vox_offset <= size:
        raise InputError(where, f"voxels from byte {header.vox_offset:g}", "an offset in the file", _EXPORT)
    promised = int(header.vox_offset) + int(np.prod(shape, dtype=np.int64)) * header.bitpix // 8
    if size < promised:
        found = f"{size} bytes uncompressed: truncated"
        raise InputError(where, found, f"{promised} bytes, as the header says", "Copy the file again from its source.")


def _check_finite(header: Header, content: bytes, where: str) -> None:
    """Refuse NaN and infinity, which ITK reads as 0."""
    dtype = np.dtype(header.order + _SCALARS[header.datatype])
    voxels = np.frombuffer(content, dtype, int(np.prod(header.dim[1:4], dtype=np.int64)), int(header.vox_offset))
    if dtype.kind == "f" and (bad := voxels.size - int(np.count_nonzero(np.isfinite(voxels)))):
        found = f"{bad} of {voxels.size} voxels that are NaN or infinite"
        raise InputError(
            where, found, "finite voxels", "Export the volume again; say outside the field of view with 0."
        )


def _check_position(header: Header, where: str) -> None:
    """Refuse spacing and orientation that are missing, impossible or contradictory."""
    spacing = np.array(header.pixdim[1:4])
    if not np.isfinite(spacing).all() or spacing.min() <= 0:
        raise InputError(where, f"spacing {header.pixdim[1:4]} mm", "positive spacing along each axis", _EXPORT)
    if header.qform_code <= 0 and header.sform_code <= 0:
        raise InputError(where, "no orientation (qform and sform code 0)", "an orientation", _EXPORT)
    affines = [_qform(header)] if header.qform_code > 0 else []
    if header.sform_code > 0:
        affines.append(np.array(header.srow).reshape(3, 4))
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
    corners = np.array(list(product(*((0, n - 1) for n in header.dim[1:4]), (1,))))
    if len(affines) == 2 and (apart := float(np.abs(corners @ (affines[0] - affines[1]).T).max())) > CONTRADICTION_MM:
        found = f"two orientations (qform, sform) up to {apart:.3g} mm apart"
        raise InputError(where, found, "one position per voxel", "Keep the scanner's orientation in both.")


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
