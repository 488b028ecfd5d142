"""Who reads images: processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from joblib import Parallel

LOKY, DASK = "loky", "dask"
PROCESSES_MAX = 8  # of this machine: beyond, disks are the limit


@dataclass(frozen=True)
class Workers:
    """The block `parallel` of params.yaml. Whoever reads, in whatever number: the results are the same bytes.

    Attributes:
        backend: "loky", processes of this machine, or "dask", the workers of a cluster, which must see the same files
            at the same paths.
        scheduler: Of "dask": address of its scheduler, "tcp://host:8786".
    """

    backend: str = LOKY
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Refuse what names no workers.

        Raises:
            ValueError: An unknown backend; "dask" without scheduler, or "loky" with one.
        """
        if self.backend not in (LOKY, DASK):
            raise ValueError(f"backend {self.backend!r}, expected {LOKY} or {DASK}")
        if (self.scheduler is None) == (self.backend == DASK):
            expected = "the address of the cluster's scheduler" if self.backend == DASK else "null"
            raise ValueError(f"scheduler {self.scheduler!r} with backend {self.backend}, expected {expected}")

    def parallel(self, batch_size: int) -> Parallel:
        """Return joblib's parallel loop, which yields results in order and reads ahead by a bounded number.

        Args:
            batch_size: Patients handed to a worker at once.
        """
        from joblib import Parallel, parallel_config

        if self.backend == LOKY:
            jobs = min(os.cpu_count() or 1, PROCESSES_MAX)
            return Parallel(n_jobs=jobs, return_as="generator", pre_dispatch=4 * jobs, batch_size=batch_size)
        settings: dict[str, Any] = {"scheduler_host": self.scheduler}
        with parallel_config(backend=DASK, **settings):
            return Parallel(n_jobs=-1, return_as="generator", batch_size=batch_size)


LOCAL = Workers()
