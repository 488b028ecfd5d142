"""Who reads images: the block `parallel` of params.yaml, and a cluster of two workers."""

from __future__ import annotations

from typing import Any

import pytest
from joblib import delayed

from pipelines.workers import LOCAL, Workers
from validation.errors import InputError


@pytest.mark.parametrize(
    ("backend", "scheduler", "message"),
    [
        ("ray", None, "backend 'ray', expected loky or dask"),
        ("dask", None, "scheduler None with backend dask, expected the address"),
        ("dask", "", "scheduler '' with backend dask, expected the address"),
        ("dask", 8786, "scheduler 8786 with backend dask, expected the address"),
        ("dask", "host:8786", "scheduler 'host:8786' with backend dask, expected the address"),
        ("dask", "tcp://host", "expected the address of the cluster's scheduler, tcp://host:8786"),
        ("dask", "tcp://host:port", "scheduler 'tcp://host:port'"),
        ("dask", "tcp://[::1", "scheduler 'tcp://\\[::1'"),
        ("loky", "", "scheduler '' with backend loky, expected null"),
        ("loky", "tcp://host:8786", "scheduler 'tcp://host:8786' with backend loky, expected null"),
    ],
)
def test_a_block_that_names_no_workers_is_refused(backend: str, scheduler: Any, message: str) -> None:
    """An unknown backend, a cluster without address, what is no address, an address that would be ignored."""
    with pytest.raises(ValueError, match=message):
        Workers(backend, scheduler)


@pytest.mark.parametrize("scheduler", ["tcp://10.0.0.1:8786", "tls://host.example:8786", "tcp://[::1]:8786"])
def test_an_address_is_taken(scheduler: str) -> None:
    """By number or name; nobody is asked yet."""
    assert Workers("dask", scheduler).scheduler == scheduler


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_cluster_without_workers_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that nobody works for would hold up the run for ever."""
    from distributed import LocalCluster

    monkeypatch.setattr("pipelines.workers.WORKER_SECONDS", 0.2)
    with LocalCluster(n_workers=0, dashboard_address=":0", processes=False, protocol="tcp") as cluster:
        address = cluster.scheduler_address
        with pytest.raises(InputError, match=f"found no worker at {address} that answers within 0.2 s"):
            Workers("dask", address).parallel(1)


def test_results_come_in_order_from_processes_of_this_machine() -> None:
    """A generator, in the order of the tasks."""
    assert list(LOCAL.parallel(2)(delayed(pow)(number, 2) for number in range(20))) == [n**2 for n in range(20)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_results_come_in_order_from_a_cluster_of_two() -> None:
    """The same from two Dask workers, found by the address of their scheduler."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", processes=True) as cluster:
        workers = Workers("dask", cluster.scheduler_address)

        assert list(workers.parallel(1)(delayed(pow)(number, 2) for number in range(20))) == [n**2 for n in range(20)]
