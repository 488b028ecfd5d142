"""One process or several: who this process is under torchrun, and what the processes tell one another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


def _default_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


@dataclass(frozen=True)
class Worker:
    """This process among `world` of them.

    Batch normalisation uses each process's own share of a batch (its running figures are taken from the first process),
    so that training on two processes is reproducible but does not give the weights of training on one.

    Attributes:
        rank: Number of this process, from 0; process 0 writes files and reports progress.
        world: Number of processes.
        device: Where this process computes.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=_default_device)

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def share(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return this process's part of a batch."""
        return rows[self.rank :: self.world]

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network to train: gradients are averaged over the processes."""
        if self.world == 1:
            return network
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices)

    def total(self, value: Tensor) -> float:
        """Return the sum of a scalar over the processes."""
        if self.world > 1:
            distributed.all_reduce(value)
        return float(value)

    def adopt(self, *tensors: Tensor) -> None:
        """Overwrite tensors in place by those of the first process."""
        if self.world > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, src=0)


@contextmanager
def joined() -> Iterator[Worker]:
    """Join the processes that torchrun started (NCCL on GPUs, Gloo on CPUs); outside torchrun, be the only one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Worker()
        return
    device = _default_device()
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Worker(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()
