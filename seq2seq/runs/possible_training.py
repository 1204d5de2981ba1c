"""Mistakes in objectives, teachers, augmentations and segmentations that are known before there are data."""

from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.data.augmentation.augmentation import Augmentation
from seq2seq.data.augmentation.frame_augmentation import FrameAugmentation
from seq2seq.data.batch_growth import BatchGrowth
from seq2seq.data.curriculum import Curriculum
from seq2seq.errors import UserError
from seq2seq.metrics.risk import Risk
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.model_kinds import AUTO, reads_frames
from seq2seq.runs.teachers import check_teachers
from seq2seq.training.objectives.distillation import Distillation, parts_of
from seq2seq.training.objectives.late import LateObjective
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.sampled import SampledObjective


def check_objective(config: dict[str, Any], *, metrics: Any) -> None:
    """Build the objective, and refuse what would come too early, or judge by what there is not."""
    objective = build(config["objective"], "objective")
    if not isinstance(objective, Objective):
        raise UserError("objective must be built by a class of Objective, but is not.")
    if isinstance(objective, LateObjective) and objective.start == 0 and config["init"] is None:
        raise UserError(
            "objective.start must be above 0 where training starts from nothing, as a model that knows nothing learns "
            "nothing from what it says: give init=RUN, or leave start at a share of the budget."
        )
    if objective.needs_alignments and not config["data"].get("alignments"):
        raise UserError(
            "objective needs alignments of the training pairs, but data.alignments is not given: use data=parallel "
            "with data.alignments=FILE, or choose another objective."
        )
    if objective.needs_alignments and config.get("augmentation") is not None:
        raise UserError("augmentation makes pairs without alignments, which objective needs: leave one of them out.")
    if objective.needs_alignments and config.get("distill") is not None:
        raise UserError("distill keeps pairs without alignments, which objective needs: leave one of them out.")
    for part in parts_of(objective):
        if isinstance(part, LateObjective) and part is not objective:
            raise UserError(
                f"objective must be {type(part).__name__} itself, with {type(objective).__name__} as its base: the "
                "other way round it would never begin."
            )
        if isinstance(part, SampledObjective) and isinstance(metrics, dict):
            with told_at("objective", type(part)):
                Risk(build_scores(config), [], part.risk)
        if isinstance(part, Distillation):
            check_teachers(part.teachers, "objective.teachers")
            _refuse_changed_pairs(config, part.top)


def _refuse_changed_pairs(config: dict[str, Any], top: int | None) -> None:
    """Raise UserError where what teachers have said of pairs would be of others than are learnt from."""
    if top is None:
        return
    for name in ("augmentation", "segmentation", "scheduled_sampling", "truncation", "carry"):
        if config.get(name) is not None:
            raise UserError(f"objective.top must be null with {name}, which changes what teachers have read.")


def check_distill(node: dict[str, Any] | None) -> None:
    """Refuse teachers and sources that are not there."""
    if node is not None:
        wanted = build(node, "distill")
        check_teachers(wanted.teachers, "distill.teachers")
        wanted.check()


def check_augmentation(config: dict[str, Any]) -> None:
    """Build the augmentation, and refuse a tag that no tokenizer would know."""
    augmentation = build(config.get("augmentation"), "augmentation")
    if isinstance(augmentation, FrameAugmentation) and not reads_frames(config):
        raise UserError("augmentation must be one of text where sources are text, but changes frames.")
    if augmentation is not None and config["init"] is None:  # whose tokenizers may know more
        check_tag(augmentation, config)


def check_pacing(config: dict[str, Any]) -> None:
    """Build the curriculum and the growth of batches, and refuse those that training would be too short for."""
    for name, option, kind in (("curriculum", "steps", Curriculum), ("batch_growth", "every", BatchGrowth)):
        if (part := build(config.get(name), name)) is None:
            continue
        if not isinstance(part, kind):
            raise UserError(f"{name} must be built by a class of {kind.__name__}, but is not.")
        steps, limit = getattr(part, option), config["budget"].get("max_steps")
        if isinstance(limit, int) and steps >= limit:
            raise UserError(
                f"{name}.{option} must be below budget.max_steps={limit}, but is {steps}: lower it, or train for more."
            )


def check_segmentation(config: dict[str, Any], asked: dict[str, Any]) -> None:
    """Build the segmentation, and refuse tokenizers that cut a text in one way, where they were asked for."""
    if segmentation := build(config.get("segmentation"), "segmentation"):
        if config["data"].get("alignments"):
            raise UserError("segmentation must be none with data.alignments, whose links are of the likeliest pieces.")
        if config["model"].get("copying"):
            raise UserError(
                "segmentation must be none with model/copying, which finds pieces of the target in the source as both "
                "are cut in the likeliest way."
            )
        if AUTO not in (kinds := kinds_of(asked)):
            with told_at("segmentation", type(segmentation)):
                segmentation.strengths(kinds)


def kinds_of(config: dict[str, Any]) -> list[str]:
    """The kinds of the tokenizers of both sides."""
    if "run" in config["tokenizer"]:
        raise UserError("segmentation must be none with tokenizer=run, as kinds are those of that run.")
    return [config["tokenizer"][side] for side in ("source", "target")]


def check_tag(augmentation: Any, config: dict[str, Any]) -> None:
    """Check that a tag is one of the tokenizer's symbols. Raises UserError if not, and at what is no augmentation."""
    if isinstance(augmentation, FrameAugmentation):
        return
    if not isinstance(augmentation, Augmentation):
        raise UserError("augmentation must be built by a class of Augmentation, but is not.")
    tag = getattr(augmentation, "tag", None)
    if tag is not None and tag not in config["tokenizer"].get("symbols", ()):
        raise UserError(
            f"augmentation.tag must be one of tokenizer.symbols, but {tag!r} is none: add "
            f"\"tokenizer.symbols=['{tag}']\", or set it to null."
        )
