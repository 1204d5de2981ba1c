"""A table of what a run logs, which goes on where the run does."""

import csv
import io
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import csv_logs
from pytorch_lightning.loggers.logger import rank_zero_experiment

from seq2seq.errors import UserError
from seq2seq.whole_file import write_whole


class _Writer(csv_logs.ExperimentWriter):
    """A writer that adds to the file that is there; Lightning's deletes it."""

    def _check_log_dir_exists(self) -> None:
        self.metrics_keys, rows = _read(Path(self.metrics_file_path))
        self.written = len(rows)

    def save(self) -> None:
        self.written += len(self.metrics)
        super().save()


class CSVLogger(csv_logs.CSVLogger):
    """Writes a row for all that is logged at once to `name/metrics.csv`, at the latest with a checkpoint.

    A run that goes on keeps the rows up to its checkpoint; those after it are written anew as they are trained again.
    """

    def __init__(
        self, *, save_dir: str, name: str = "metrics", version: str = "", flush_logs_every_n_steps: int = 100
    ) -> None:
        if flush_logs_every_n_steps < 1:
            raise UserError(f"flush_logs_every_n_steps must be at least 1, but is {flush_logs_every_n_steps}.")
        super().__init__(save_dir, name, version, flush_logs_every_n_steps=flush_logs_every_n_steps)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer of the table; in processes but the first, one that writes nothing."""
        if self._experiment is None:
            self._experiment = _Writer(log_dir=self.log_dir)
        return self._experiment

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        self.save()

    def rows_on_disk(self) -> int:
        """The number of rows, which are all written first."""
        self.save()
        return self.experiment.written if isinstance(self.experiment, _Writer) else 0

    def go_on_from(self, step: int, rows_then: int | None = None) -> None:
        """Remove the rows after a checkpoint of that many steps. Raises UserError if the table cannot be read.

        Of earlier checkpoints, which do not know how many rows there were, those are kept up to the last of a step
        before: that of a validation which the checkpoint was saved at.
        """
        path = Path(self.log_dir) / _Writer.NAME_METRICS_FILE
        header, rows = _read(path)
        kept = max((number for number, row in enumerate(rows, 1) if _step(path, number, row) < step), default=0)
        kept = kept if rows_then is None else rows_then
        if kept >= len(rows):
            return
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, fieldnames=header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[:kept])
        write_whole(path, table.getvalue().encode())


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and rows of a table; none where there is no file. Raises UserError where it is no table."""
    if not path.is_file():
        return [], []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            return list(reader.fieldnames or []), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} must be a table in UTF-8, but {error}: move the file away.") from None


def _step(path: Path, number: int, row: dict[str, str]) -> int:
    try:
        return int(row["step"])
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}, row {number} must have a whole number as its step, but has {row.get('step')!r}: mend the row, or "
            "move the file away."
        ) from None
