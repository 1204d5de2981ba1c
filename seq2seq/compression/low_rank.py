"""LSTMs whose matrices become products of two of lower rank."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from seq2seq.compression.method import Described, Method, Reduced
from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.models.sizes import parameter_count

_LSTM, _LOW_RANK = (f"{kind.__module__}.{kind.__qualname__}" for kind in (LSTMCell, LowRankLSTMCell))
_SIDES = ("encoder", "decoder")
_ENERGY = 0.7
_MATRICES = {"input": "weight_ih_l0", "recurrent": "weight_hh_l0"}


class LowRankFactors(Method):
    """LSTMs of lower rank: W = A B, U = C D, by the greatest singular values (Prabhavalkar et al. 2016).

    The cell is `lstm_low_rank`, of one rank for the encoder and one for the decoder: the least by which every matrix of
    theirs keeps its share `energy` of the sum of squared singular values, 0.7 unless told, or `rank`. A side without
    cells stays as it is. At full rank the model is the same up to rounding. Raises UserError out of range, at both an
    energy and a rank, where a side has other cells than the LSTM or none has any, at a rank that is above the full one
    of a cell, and where factors would be larger than matrices.
    """

    def __init__(self, *, energy: float | None = None, rank: int | None = None) -> None:
        if energy is not None and not 0 < energy <= 1:
            raise UserError(f"energy must be above 0 and at most 1, or null for {_ENERGY}, but is {energy}.")
        if rank is not None and rank < 1:
            raise UserError(f"rank must be at least 1, or null for the one that energy needs, but is {rank}.")
        if energy is not None and rank is not None:
            raise UserError(f"energy must be null beside rank={rank}, but is {energy}: leave one of them out.")
        self.energy, self.rank = _ENERGY if energy is None else energy, rank

    def __call__(self, whole: Described) -> Reduced:
        if whole.model.sourceless:
            raise UserError("method=low_rank knows no language models: give the run of a model with a source.")
        ranks = {side: self._rank(whole, side) for side in _SIDES if whole.config.get(side, {}).get("cell")}
        if not ranks:
            raise UserError("method=low_rank needs LSTMs, but the model has no cells: give the run of one that has.")
        config, weights = factorised(whole, ranks)
        before, after = parameter_count(whole.model), parameter_count(whole.built(config))
        shown = ", ".join(f"{rank} in the {side}" for side, rank in ranks.items())
        if after >= before:
            given = f"energy={self.energy}" if self.rank is None else f"rank={self.rank}"
            raise UserError(
                f"{given} needs ranks of {shown}, whose factors make {after:,} parameters of {before:,}: take a lower "
                "one."
            )
        return Reduced(config, weights, f"ranks of {shown}: {before:,} parameters -> {after:,}")

    def _rank(self, whole: Described, side: str) -> int:
        """The rank of a side's cells. Raises UserError where they are no LSTMs."""
        if (target := whole.config[side]["cell"]["_target_"]) != _LSTM:
            kind = target.rpartition(".")[2]
            raise UserError(f"method=low_rank needs the LSTM in the {side}, but its cell is {kind}.")
        cells = [_matrices(cell).values() for cell in _lstms(whole, side).values()]
        rank = self.rank or max(rank_by_energy(weight, self.energy) for own in cells for weight in own)
        if rank > (full := min(max(min(weight.shape) for weight in own) for own in cells)):
            given = f"rank={rank}" if self.rank else f"energy={self.energy}, which takes {rank},"
            raise UserError(f"{given} is above {full}, full rank of a cell in the {side}: take a lower one.")
        return rank


def rank_by_energy(weight: Tensor, energy: float) -> int:
    """The least rank whose closest matrix has a share of the weight's squared singular values; 1 of a matrix of zeros.

    >>> import torch
    >>> from seq2seq.compression.low_rank import rank_by_energy
    >>> [rank_by_energy(torch.tensor([2.0, 1.0, 0.0]).diag(), share) for share in (0.8, 0.81, 1.0)]
    [1, 2, 2]
    """
    squares = torch.linalg.svdvals(weight.detach().double()).square()
    wanted = energy * squares.sum() * (1 - 1e-12)
    return int((squares.cumsum(0) < wanted).sum().clamp_max(len(squares) - 1)) + 1


def factorised(whole: Described, ranks: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config of a model whose LSTMs have such ranks by side, and its weights, closest to those of the model."""
    config = {**whole.config, **{side: _with_rank(whole.config[side], rank) for side, rank in ranks.items()}}
    weights = dict(whole.model.state_dict())
    for side, rank in ranks.items():
        for path, cell in _lstms(whole, side).items():
            weights = {name: weight for name, weight in weights.items() if not name.startswith(f"{path}.kernel.")}
            weights |= {f"{path}.{name}": weight for name, weight in _factors(cell, rank)}
    return config, weights


def _with_rank(node: Mapping[str, Any], rank: int) -> dict[str, Any]:
    return {**node, "cell": {**node["cell"], "_target_": _LOW_RANK, "rank": rank}}


def _lstms(whole: Described, side: str) -> dict[str, LSTMCell]:
    """The LSTMs of a side by their paths in the model."""
    modules = getattr(whole.model, side).named_modules(prefix=side)
    return {path: module for path, module in modules if type(module) is LSTMCell}


def _matrices(cell: LSTMCell) -> dict[str, Tensor]:
    return {kind: getattr(cell.kernel, name) for kind, name in _MATRICES.items()}


@torch.no_grad()
def _factors(cell: LSTMCell, rank: int) -> Iterator[tuple[str, Tensor]]:
    """Weights of a cell of low rank by name; its gates are in the LSTM's order, with one bias for both."""
    for kind, weight in _matrices(cell).items():
        left, values, right = torch.linalg.svd(weight.double(), full_matrices=False)
        roots = values[:rank].sqrt()
        yield f"{kind}_weight", (left[:, :rank] * roots).to(weight)
        yield f"{kind}_factor", (roots.unsqueeze(1) * right[:rank]).to(weight)
    yield "bias", cell.bias.clone()
