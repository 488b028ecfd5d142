"""Whether two cohorts are disjoint: no patient, no image file and no voxels in both.

Voxels (of a slide: pixels) are compared because a file that is renamed, recompressed or stored in another type has
another sha256. A slide that was compressed again with loss, or cropped, has other pixels and is not recognised.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

_COMPARED = ("image", "slide")
_KEYS = {"patients": "patient_id", "image_files": "sha256", "voxel_contents": "voxel_sha256"}


def compare(development: pd.DataFrame, external: pd.DataFrame) -> dict[str, Any]:
    """Compare the manifests of two cohorts. Masks and annotations are left out: two small tumours may be drawn alike.

    Args:
        development: `CohortReport.manifest` of the cohort that a model is made from.
        external: That of the cohort it is judged on.

    Returns:
        Plain JSON values. `success`: all three comparisons had something to compare on both sides, and nothing is
        shared. `compared`: per comparison the number of distinct keys [development, external]. `shared`: per comparison
        a list of {"development": {"patient_id", "image"}, "external": {...}}; image is None for a patient, and an image
        whose file is shared is not listed again under `voxel_contents`.
    """
    sides = [table[table["kind"].isin(_COMPARED)] for table in (development, external)]
    compared = {name: [int(side[key].nunique()) for side in sides] for name, key in _KEYS.items()}
    shared = {name: _shared(sides[0], sides[1], key) for name, key in _KEYS.items()}
    shared["voxel_contents"] = [pair for pair in shared["voxel_contents"] if pair not in shared["image_files"]]
    something = all(count > 0 for counts in compared.values() for count in counts)
    return {"success": something and not any(shared.values()), "compared": compared, "shared": shared}


def _shared(development: pd.DataFrame, external: pd.DataFrame, key: str) -> list[dict[str, Any]]:
    """Return the pairs of rows with the same key, in the order of the development manifest."""
    sides = [side.dropna(subset=[key]) for side in (development, external)]
    if key == "patient_id":
        sides = [side.drop_duplicates(key).assign(image=None) for side in sides]
    columns = ["patient_id", "image"]
    left, right = (pd.DataFrame({"key": side[key], "place": side[columns].to_dict("records")}) for side in sides)
    pairs = left.merge(right, on="key", suffixes=("_development", "_external"))
    return [
        {"development": a, "external": b}
        for a, b in zip(pairs["place_development"], pairs["place_external"], strict=True)
    ]
