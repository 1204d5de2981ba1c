"""The name of a task that was given none, for `${task_of:${data}}` in conf/."""

import re
from pathlib import PurePath
from typing import Any

from omegaconf import OmegaConf

from seq2seq.errors import UserError


def task_of(data: Any) -> str:
    """The name of the task: that of the file to train on, of the data on the hub, or of what else reads the data."""
    plain = OmegaConf.to_container(data) if OmegaConf.is_config(data) else data
    if not isinstance(plain, dict):
        return "task"
    file = str(plain.get("train") or "").replace("{side}", "")
    stem = PurePath(file).name.partition(".")[0] if PurePath(file).suffix else ""
    module = str(plain.get("_target_", "")).split(".")[-2:][0]
    names = (stem, plain.get("name"), plain.get("task"), module)
    clean = (re.sub(r"[^\w.-]+", "_", str(name or "")).strip("._") for name in names)
    return next((name for name in clean if name), "task")


def check_task(task: Any) -> None:
    """Raise UserError at the name of a task that can name no folder."""
    if not isinstance(task, str) or task.strip() in ("", ".", "..") or "/" in task or "\\" in task:
        raise UserError(
            f"task must be a text that can name a folder, without /, but is {task!r}: give another, or leave task out."
        )


OmegaConf.register_new_resolver("task_of", task_of, replace=True)
