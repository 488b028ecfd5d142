"""Who reads images: the block `parallel` of params.yaml, and a cluster of two workers."""

from __future__ import annotations

import pytest
from joblib import delayed

from pipelines.workers import LOCAL, Workers


def square(number: int) -> int:
    """What the workers do here."""
    return number**2


@pytest.mark.parametrize(
    ("backend", "scheduler", "message"),
    [
        ("ray", None, "backend 'ray', expected loky or dask"),
        ("dask", None, "scheduler None with backend dask, expected the address"),
        ("loky", "tcp://host:8786", "scheduler 'tcp://host:8786' with backend loky, expected null"),
    ],
)
def test_a_block_that_names_no_workers_is_refused(backend: str, scheduler: str | None, message: str) -> None:
    """An unknown backend, a cluster without address, an address that would be ignored."""
    with pytest.raises(ValueError, match=message):
        Workers(backend, scheduler)


def test_results_come_in_order_from_processes_of_this_machine() -> None:
    """A generator, in the order of the tasks."""
    assert list(LOCAL.parallel(2)(delayed(square)(number) for number in range(20))) == [n**2 for n in range(20)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_results_come_in_order_from_a_cluster_of_two() -> None:
    """The same from two Dask workers, found by the address of their scheduler."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster:
        workers = Workers("dask", cluster.scheduler_address)

        assert list(workers.parallel(1)(delayed(square)(number) for number in range(20))) == [n**2 for n in range(20)]
