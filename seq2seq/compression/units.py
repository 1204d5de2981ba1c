"""Pruning of whole units, which leaves a smaller model of the same kind."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.compression.kept_sizes import with_kept_connections, with_kept_sizes
from seq2seq.compression.method import Described, Method, Reduced
from seq2seq.compression.unit_choice import ORDER, UnitChoice
from seq2seq.compression.wired_model import DECODER, EMBEDDING, ENCODER, FEATURES, WiredModel, wire
from seq2seq.compression.wiring import Gone, Wiring
from seq2seq.errors import UserError
from seq2seq.models.blank import blank
from seq2seq.models.seq2seq import Seq2Seq

_RTOL = 1e-6  # memories of cells are in float32 at least
_TRIES = 3  # sizes below the one asked for, where that would make parts of the model join otherwise
_SIZES = {
    ENCODER: ("encoder", "hidden_size"),
    DECODER: ("decoder", "hidden_size"),
    FEATURES: ("decoder", "feature_size"),
    EMBEDDING: ("embedding_size",),
}
_SHRINK = (ENCODER, FEATURES, EMBEDDING)  # options that are tried at smaller sizes


class UnitPruning(Method):
    """Removal of a `share` of the hidden units of every layer, and of `features` of readout and embeddings.

    The units of a layer whose norms are lowest go (Wen et al. 2018): of a unit's rows and columns in all weights that
    it belongs to, its gates', its bridge's, the readout's, those of whatever reads it. What is added together has its
    units in common. Of each layer a `multiple` of units is left, and fewer where parts would be joined otherwise by
    sizes that come to agree, or no longer do, and no option can say which. What is left computes exactly what the
    model would with zeros in their place; that is looked at. Raises UserError at shares that leave nothing or remove
    nothing.
    """

    def __init__(self, *, share: float = 0.5, features: float = 0.0, multiple: int = 4) -> None:
        if not 0 < share < 1:
            raise UserError(f"share must be above 0 and below 1, which would leave no unit, but is {share}.")
        if not 0 <= features < 1:
            raise UserError(f"features must be at least 0 and below 1, which would leave none, but is {features}.")
        if multiple < 1:
            raise UserError(f"multiple must be at least 1, but is {multiple}.")
        self.share, self.features, self.multiple = share, features, multiple

    def __call__(self, whole: Described) -> Reduced:
        wired, weights = wire(whole.model, whole.config, whole.build), whole.model.state_dict()
        norms = wired.wiring.norms(weights)
        for fewer in sorted(product(range(_TRIES), repeat=len(_SHRINK)), key=sum):
            choice = UnitChoice(wired, norms, partial(self._left, dict(zip(_SHRINK, fewer, strict=True))))
            gone, config = choice.gone, _smaller(whole, choice.sizes)
            if joins_alike(whole, config, wired.wiring, gone):
                break
        else:
            raise UserError(f"share={self.share} leaves layers that join otherwise: try another share, or connection.")
        pruned = wired.wiring.without(weights, gone)
        check_law(whole, config, wired.wiring.emptied(weights, gone), pruned)
        return Reduced(config, pruned, self._said(wired, gone, choice.sizes))

    def _said(self, wired: WiredModel, gone: Gone, sizes: Mapping[str, int]) -> str:
        if not bool(gone.any()):
            raise UserError(f"share={self.share} removes no unit in multiples of {self.multiple}: take a higher one.")
        before = {option: len(vector) for option, vector in wired.found()}
        shown = ", ".join(f"{option} {before[option]} -> {sizes[option]}" for option in ORDER if option in sizes)
        return f"removed {int(gone.sum())} of {wired.wiring.count} units: {shown}"

    def _left(self, fewer: Mapping[str, int], option: str, size: int) -> int:
        """The number of units that an option leaves of a size: some multiples fewer, but at least one."""
        name = "features" if option in (FEATURES, EMBEDDING) else "share"
        if (share := getattr(self, name)) == 0:
            return size
        multiples = round(size * (1 - share) / self.multiple)
        if multiples < 1:
            raise UserError(
                f"{name}={share} leaves none of the {size} units of {option} in multiples of {self.multiple}: take a "
                "lower one, or a lower multiple."
            )
        return min(max(multiples - fewer.get(option, 0), 1) * self.multiple, size)


def _with_sizes(config: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    """The node of a model with other sizes."""
    found = deepcopy(dict(config))
    for option, size in sizes.items():
        *parents, name = _SIZES[option]
        node = found
        for parent in parents:
            node = node[parent]
        node[name] = size
    return found


def _smaller(whole: Described, sizes: Mapping[str, int]) -> dict[str, Any]:
    """The node of a model with other sizes, whose equations are otherwise those of the whole one."""
    config = with_kept_sizes(_with_sizes(whole.config, sizes), whole.model)
    with blank("meta"):
        return with_kept_connections(config, whole.model, whole.built(config))


def joins_alike(whole: Described, config: Mapping[str, Any], wiring: Wiring, gone: Gone) -> bool:
    """Tell whether a smaller model has its parts joined as the whole one has: as sizes agree, there or here."""
    with blank("meta"):
        pruned = whole.built(config)
    return wire(pruned, config, whole.build).wiring.count == wiring.left(gone)


@torch.no_grad()
def check_law(
    whole: Described, config: Mapping[str, Any], emptied: Mapping[str, Tensor], pruned: Mapping[str, Tensor]
) -> None:
    """Check, on drawn sources, that a pruned model gives the scores of the whole one with its units at zero.

    Raises UserError, by the first part at fault, where shapes or scores are not those.
    """
    smaller, full = whole.built(config), deepcopy(whole.model)
    full.load_state_dict(dict(emptied))
    for name, weight in smaller.state_dict().items():
        if weight.shape != pruned[name].shape:
            raise UserError(_unfit(whole.model, name))
    smaller.load_state_dict(dict(pruned))
    if smaller.copying is not None and full.copying is not None:
        smaller.copying.spell(full.copying.target_ids)
    random = torch.Generator().manual_seed(0)
    source = full.encoder.input.drawn((3, 7), random)
    target = torch.randint(whole.vocabularies["target_vocabulary_size"], (3, 5), generator=random)
    one, other = (_scores(model, source, target) for model in (full, smaller))
    if not torch.allclose(one, other, rtol=_RTOL, atol=_RTOL * float(one[one.isfinite()].abs().max())):
        raise UserError(_unfit(whole.model, None))


def _scores(model: Seq2Seq, source: Tensor, target: Tensor) -> Tensor:
    model = model.double().eval()
    source = source.double() if source.is_floating_point() else source
    features = model(source, torch.tensor([7, 4, 1]), target).features
    return model.output.logits(features.flatten(0, 1))


def _unfit(model: Seq2Seq, name: str | None) -> str:
    """Name of what keeps units of a model from going: that cell or attention, or the part that has a weight."""
    parts: list[nn.Module] = [*model.encoder.stack.layers[0].directions.values()]  # type: ignore[operator]
    parts += [model.decoder.layers[0], model.decoder.attention]
    if name is not None:
        own = [part for part in parts if any(part is module for module in _above(model, name))]
        parts = own or [model.get_submodule(name.rpartition(".")[0])]
    kinds = " or ".join(dict.fromkeys(type(part).__name__ for part in parts))
    return f"method=units cannot take single units out of {kinds}: take method=magnitude."


def _above(model: nn.Module, name: str) -> Iterator[nn.Module]:
    """Modules that a weight is inside of."""
    path = name.split(".")[:-1]
    yield from (model.get_submodule(".".join(path[:length])) for length in range(1, len(path) + 1))
