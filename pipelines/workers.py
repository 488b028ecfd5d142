"""Who reads images: processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from models.spec import load_dotted
from pipelines.layout import PARAMS
from validation.errors import InputError

if TYPE_CHECKING:
    from joblib import Parallel

LOKY, DASK = "loky", "dask"
PROCESSES_MAX = 8  # of this machine: beyond, disks are the limit
CONNECT_SECONDS = 5.0  # within which a scheduler answers; Dask itself would try for 30
WORKER_SECONDS = 30.0  # within which a worker of the cluster answers: an adaptive cluster starts one first


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
            ValueError: An unknown backend; "dask" without scheduler, or "loky" with one; what is no address.
        """
        if self.backend not in (LOKY, DASK):
            raise ValueError(f"backend {self.backend!r}, expected {LOKY} or {DASK}")
        if not _is_address(self.scheduler) if self.backend == DASK else self.scheduler is not None:
            expected = "the address of the cluster's scheduler, tcp://host:8786" if self.backend == DASK else "null"
            raise ValueError(f"scheduler {self.scheduler!r} with backend {self.backend}, expected {expected}")

    def parallel(self, batch_size: int) -> Parallel:
        """Return joblib's parallel loop, which yields results in order and reads ahead by a bounded number.

        Args:
            batch_size: Patients handed to a worker at once.

        Raises:
            InputError: The scheduler or its workers do not answer.
        """
        from joblib import Parallel, parallel_config

        if self.backend == LOKY:
            jobs = min(os.cpu_count() or 1, PROCESSES_MAX)
            return Parallel(n_jobs=jobs, return_as="generator", pre_dispatch=4 * jobs, batch_size=batch_size)
        with parallel_config(backend=DASK, client=_client(str(self.scheduler))):
            return Parallel(n_jobs=-1, return_as="generator", batch_size=batch_size)


def _is_address(scheduler: object) -> bool:
    """Return whether this can be the address of a scheduler."""
    if not isinstance(scheduler, str):
        return False
    try:
        parts = urlsplit(scheduler)
        return parts.scheme in ("tcp", "tls") and bool(parts.hostname) and bool(parts.port)
    except ValueError:  # a port that is none
        return False


def _client(scheduler: str) -> Any:
    """Return Dask's client (which has no types) of a cluster that works: its scheduler answers, and a worker does.

    Raises:
        InputError: One of the two does not answer in time.
    """
    where = f"{PARAMS} parallel.scheduler"
    try:
        client = load_dotted("distributed:Client")(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except OSError as error:
        found, remedy = f"no answer from {scheduler} within {CONNECT_SECONDS:g} s", "Start the cluster, or correct it."
        raise InputError(where, found, "the address of a running Dask scheduler", remedy) from error
    try:
        client.submit(int, pure=False).result(timeout=WORKER_SECONDS)
    except TimeoutError as error:
        client.close()
        found = f"no worker at {scheduler} that answers within {WORKER_SECONDS:g} s"
        raise InputError(where, found, "a cluster with workers", "Start its workers: dask worker ADDRESS.") from error
    return client


LOCAL = Workers()
