"""Training in several processes, each with its share of every batch."""

from typing import Any

import torch
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy, Strategy
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

from seq2seq.errors import UserError
from seq2seq.ranks import STARTERS, ranks

_SUMS = ("float32", "bfloat16")
_COMMANDS = {
    "torchrun": "torchrun --nproc-per-node=2 scripts/train.py trainer=torchrun",
    "srun": "srun --ntasks-per-node=2 python scripts/train.py trainer=slurm",
    "itself": "python scripts/train.py trainer=ddp trainer.devices=2",
}


class Processes(DDPStrategy):
    """Processes that this one, torchrun or srun starts; `auto` takes them as they come.

    Gradients are summed over them in float32, or rounded to bfloat16 before, at half the bytes
    (torch's bf16_compress_hook). Raises UserError at another value, and where somebody else has started this process.
    """

    def __init__(
        self, *, started_by: str = "auto", sum_in: str = "float32", broadcast_buffers: bool = False, **more: Any
    ) -> None:
        for name, value, known in (("started_by", started_by, ("auto", *STARTERS)), ("sum_in", sum_in, _SUMS)):
            if value not in known:
                raise UserError(f"{name} must be one of {', '.join(known)}, but is {value!r}.")
        found = ranks()
        alone = found.count == 1 and found.started_by == "itself"
        if started_by not in ("auto", found.started_by):
            by = "nobody has started several processes" if alone else f"{found.started_by} has started this one"
            raise UserError(f"started_by={started_by} needs its command, but {by}: {_COMMANDS[started_by]}.")
        environment = {
            "itself": LightningEnvironment,
            "torchrun": TorchElasticEnvironment,
            "srun": lambda: SLURMEnvironment(auto_requeue=False),
        }[found.started_by]()
        hook: dict[str, Any] = {"ddp_comm_hook": bf16_compress_hook} if sum_in == "bfloat16" else {}
        super().__init__(cluster_environment=environment, broadcast_buffers=broadcast_buffers, **hook, **more)
        self.sum_in = sum_in

    def check(self) -> None:
        """Check that the devices can do what is asked of them. Raises UserError if not."""
        if self.sum_in == "bfloat16" and self.root_device.type == "cpu":
            raise UserError(
                "sum_in=bfloat16 needs GPUs, as torch rounds gradients on their way there alone: leave it at float32."
            )


def agreed_share(spent: float, device: torch.device) -> float:
    """The share of the first process, so that clocks that differ cannot part learning rates."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return spent
    shared = torch.tensor(spent, dtype=torch.double, device=device)
    torch.distributed.broadcast(shared, src=0)
    return shared.item()


def sums_by_weight(strategy: Strategy) -> bool:
    """Tell whether gradients are summed over processes weight by weight as each has one, however it was come by.

    So they are where there is one process, and where DDP neither looks at graphs nor expects the same one again.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return True
    looks = ("find_unused_parameters", "static_graph")
    return isinstance(strategy, DDPStrategy) and not any(strategy._ddp_kwargs.get(name) for name in looks)


def end_processes() -> None:
    """Part from the other processes of a training that has ended."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
