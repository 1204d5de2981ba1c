"""Suggest a learning rate instead of training."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from seq2seq.commands.benchmarking.few_steps import conditions, load_data
from seq2seq.commands.building.module import build_module
from seq2seq.commands.building.trainer import choose_threads
from seq2seq.config.builder import build
from seq2seq.config.contract import check, plain, resolve
from seq2seq.config.task_name import check_task
from seq2seq.interpretation.plots import learning_rate_figure, write_picture
from seq2seq.runs.possible import checked
from seq2seq.training.lr_finder import find_learning_rate
from seq2seq.training.windows import endless_windows
from seq2seq.whole_file import check_writable

logger = logging.getLogger(__name__)


def find_lr(config: DictConfig) -> float:
    """Train a little with a rate that grows, print the override of the rate that suits, and draw the losses.

    Nothing is written but the picture, beside where the run would be.
    """
    options = plain(config)
    check({"lr_finder": options["lr_finder"]})
    found = build(options["lr_finder"], "lr_finder")
    picture = Path(f"{options['run_dir']}_lr.png")
    check_writable(picture)  # before minutes are spent
    resolved = resolve(config)
    check_task(resolved["task"])
    checked(resolved)
    resolved, data = load_data(resolved)
    where = conditions(resolved)
    module = build_module(resolved, data).to(where.device)
    choose_threads(resolved, module.model, where.device, where.precision)
    where.handling.convert_module(module)
    windows = endless_windows(data, resolved["trainer"]["accumulate_grad_batches"], where.device)
    curve = find_learning_rate(
        module.step,
        ([where.handling.convert_input(batch) for batch in window] for window in windows),
        found,
        autocast=where.handling.train_step_context,
        scaler=getattr(where.handling, "scaler", None),
    )
    rate = float(f"{curve.suggestion:.2g}")
    print(f"optimizer.lr={rate}")
    write_picture(learning_rate_figure(curve.rates, curve.losses, curve.smoothed, rate), picture)
    logger.info(
        "where the loss falls steepest by the logarithm of the rate, and at most a third of %.2g, from which it rises "
        "(%d steps: %s); schedule and warm-up multiply it",
        *(curve.rising, len(curve.rates), picture),
    )
    return rate
