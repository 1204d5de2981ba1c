import pytest

from seq2seq.runs.choice_table import ScoredChoice, table_head, table_row
from seq2seq.runs.leaderboard import Row, leaderboard

ROWS = [
    Row(0, {}, [9.0, 11.0], "complete", 120.0),
    Row(1, {"lr": 0.00123456, "cell": "gru", "tied": True}, [8.0, 8.5], "complete", 60.0),
    Row(2, {"lr": 0.1}, [], "pruned", None),
    Row(3, {"lr": 0.1}, [], "fail", None),
]


def test_the_best_comes_first_with_its_interval():
    assert list(leaderboard(ROWS, "wer", higher=False, seeds=2)) == [
        "| | trial | dev wer, %, mean and 95 % of 2 seeds | minutes | settings |",
        "|---|---|---|---|---|",
        "| 1 | 1 | 8.25 \u00b1 3.18 | 1.0 | lr=0.00123 cell=gru tied=true |",
        "| 2 | 0 | 10.00 \u00b1 12.71 | 2.0 | as they are |",
        "",
        "2 trials of 2 seeds; 1 stopped early, 1 failed.",
    ]
    assert "| 1 | 0 |" in list(leaderboard(ROWS, "bleu", higher=True, seeds=2))[2]


@pytest.mark.parametrize(("metric", "named"), [("mae", "dev mae"), ("loss", "dev loss"), ("bleu", "dev bleu, %")])
def test_a_score_that_is_no_percentage_is_not_named_one(metric, named):
    assert next(leaderboard(ROWS, metric, higher=False, seeds=1)) == f"| | trial | {named} | minutes | settings |"
    assert table_head(f"dev/{metric}", 1)[0].endswith(f"| steps | {named.replace(' ', '/', 1)} |")


def test_a_bar_in_a_value_does_not_end_its_cell():
    lines = list(
        leaderboard([Row(0, {"tokenizer.protect": "%s|%d"}, [1.0], "complete", 6.0)], "wer", higher=False, seeds=1)
    )
    assert lines[2] == "| 1 | 0 | 1.00 | 0.1 | tokenizer.protect=%s\\|%d |"
    choice = ScoredChoice("tokenizer.protect=%s|%d", (1, 2), 3, [1.0], [1.0], 4)
    assert table_row(choice, choice).startswith("| tokenizer.protect=%s\\|%d | 1, 2 |")
