"""What Grad-CAM and tissue maps have in common: what is explained, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from models.spec import ModelSpec
from registry.artefact import Artefact
from validation.cohort import Cohort
from validation.errors import InputError


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model and a cohort.

    Attributes:
        model: Entry of params.yaml.
        spec: Its architecture.
        folder: What training wrote.
        shipped: Its artefact, digests checked; None if it was not exported.
        cohort: The patients.
    """

    model: str
    spec: ModelSpec
    folder: Path
    shipped: Artefact | None
    cohort: Cohort

    @property
    def origin(self) -> str:
        """What a picture says of cohort and model."""
        meta = self.cohort.meta
        return f"{'SYNTHETIC cohort' if meta.synthetic else 'Cohort'} {meta.name}, model {self.model}"


@dataclass(frozen=True, eq=False)
class PatientMap:
    """One map of one patient.

    Attributes:
        patient_id: As in the patient table.
        name: Of the map.
        values: The map, for maps.npz; None if there is none.
        lacks: What is missing and why, for people; None if nothing is.
        says: What maps.json says of it besides patient, map, picture and array.
        draw: Writes the picture to a path.
    """

    patient_id: str
    name: str
    values: NDArray[Any] | None
    lacks: str | None
    says: dict[str, Any]
    draw: Callable[[Path], None]

    @property
    def stem(self) -> str:
        """Name of the picture without its ending, and of the array in maps.npz."""
        return f"{self.patient_id}_{self.name}"

    def entry(self) -> dict[str, Any]:
        """Return what maps.json says of it."""
        named = {"patient_id": self.patient_id, "map": self.name}
        files = {"picture": f"{self.stem}.png", "array": self.stem if self.values is not None else None}
        return {**named, **self.says, **files}


Made = tuple[list[PatientMap], dict[str, str]]  # maps, and the reasons of the patients that could not be processed


class Kind(Protocol):
    """A kind of explanation, ready for one trained model."""

    @property
    def outputs(self) -> Sequence[str]:
        """Scalar outputs of the model by which patients are chosen."""

    def facts(self) -> dict[str, Any]:
        """Return what maps.json says of method and networks."""

    def maps(self, cohort: Cohort) -> Made:
        """Return the maps of all patients of a cohort, and the reasons of those who could not be processed.

        Raises:
            InputError: No patient could be processed, or what would be explained is not what ships.
        """


def require_any(maps: Sequence[PatientMap], failed: Mapping[str, str], cohort: Cohort) -> None:
    """Refuse a cohort of which no patient could be processed.

    Raises:
        InputError: There is no map; names every patient with the reason.
    """
    if not maps:
        found = "; ".join(f"{patient}: {reason}" for patient, reason in failed.items())
        expected, remedy = "at least one patient that can be processed", "Name other patients by --patient."
        raise InputError(str(cohort.folder), found, expected, remedy)
