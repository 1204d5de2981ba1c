"""The score of given targets."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.stepper import Memory, States, Stepper, WholeTargetStepper
from seq2seq.shapes import Lengths, Source, TargetIds
from seq2seq.symbols import BOS


@torch.inference_mode()
def score_targets(
    stepper: Stepper, source: Source, lengths: Lengths, target: TargetIds, target_lengths: Int[Tensor, " batch"]
) -> list[Hypothesis]:
    """The targets as finished hypotheses, scored as a search would find them; each ends with EOS."""
    memory, states = stepper.start(source, lengths)
    if isinstance(stepper, WholeTargetStepper) and stepper.whole_target:
        gained = stepper.token_scores(target, memory, states)
    else:
        gained = _step_by_step(stepper, target, memory, states)
    rows = zip(target.tolist(), gained.tolist(), target_lengths.tolist(), strict=True)
    return [
        Hypothesis(ids[: length - 1], sum(scores[:length]), True, sum(scores[:length]), scores[:length])
        for ids, scores, length in rows
    ]


def _step_by_step(
    stepper: Stepper[Memory, States], target: TargetIds, memory: Memory, states: States
) -> Float[Tensor, "batch target"]:
    previous, gained = torch.full_like(target[:, :1], BOS), []
    for ids in target.split(1, 1):
        logits, _, states = stepper.step(previous, memory, states)
        logits = logits.float().squeeze(1)
        gained.append(logits.gather(1, ids).squeeze(1) - logits.logsumexp(-1))
        previous = ids
    return torch.stack(gained, 1)
