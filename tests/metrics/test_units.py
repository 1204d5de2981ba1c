"""Scores are named with the unit that they have."""

import re
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import get_object

import seq2seq
from seq2seq.config.buildable import TABLE
from seq2seq.metrics.units import with_unit
from seq2seq.runs.perplexity import TextPerplexity

METRICS = sorted(name for name in TABLE if name.startswith("seq2seq.metrics."))
PACKAGE = Path(seq2seq.__file__).parent


@pytest.mark.parametrize("name", METRICS)
def test_all_scores_are_percent_but_those_of_forecasts(name):
    metric = get_object(name)()
    for score in metric.scores(np.zeros((1, len(metric.totals)))):
        in_percent = not name.endswith("ForecastErrors")
        assert with_unit(f"dev {score}", score) == with_unit(f"dev {score}", f"dev/{score}")
        assert with_unit(f"dev {score}", score) == f"dev {score}" + ", %" * in_percent


def test_what_is_told_of_a_language_model_is_no_percent():
    for score in TextPerplexity(1.0, 1, 1, 1, 1, 1.0).scores:
        assert with_unit(score, score) == score


def test_several_scores_are_percent_where_all_are():
    assert with_unit("scores", "wer", "per") == "scores, %"
    assert with_unit("scores", "mae", "rmse") == with_unit("scores", "wer", "mae") == "scores"


def test_no_other_place_says_that_a_score_is_percent():
    said = re.compile(r"(.*)(?:, %|\(%\))[\"':)|]")
    found = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for text in said.findall(path.read_text(encoding="utf-8"))
        if "right answers" not in text  # to what a horizon asks, which no metric scores
    }
    assert found == {"units.py"}
