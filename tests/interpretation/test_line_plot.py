"""The picture of a line shows where each piece looked."""

from io import BytesIO

import numpy as np
import pytest
import torch

from seq2seq.interpretation.line_plot import attention_over_line, tinted

LINE = torch.rand(40, 8)  # columns of eight pixels
WEIGHTS = torch.zeros(3, 40)
WEIGHTS[0, :10], WEIGHTS[1, 10:30], WEIGHTS[2, 39] = 0.1, 0.05, 1.0


def columns(figure, number):
    """How light each column is at most, of the copy of a piece: its paper."""
    return figure.axes[number].images[0].get_array().max(0)


def test_columns_are_tinted_where_a_piece_looked():
    line = LINE.clone()
    line[:, 0] = 0.0  # paper in every column
    line[0, 1] = 1.0
    figure = attention_over_line(WEIGHTS, line, ["a", "$b$", "</s>"])
    assert len(figure.axes) == 4
    assert (columns(figure, 0) == 1).all()
    for number, weights in enumerate(WEIGHTS, 1):
        looked = columns(figure, number).min(-1) < 1
        np.testing.assert_array_equal(looked, weights.numpy() > 0)
    assert [axes.get_yticklabels()[0].get_text() for axes in figure.axes] == ["line", "a", "$b$", "</s>"]


def test_more_attention_is_a_stronger_tint_and_ink_stays_black():
    pixels = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    found = tinted(pixels, np.array([0.0, 0.4, 1.0]))
    assert found[0, 0].tolist() == [1.0, 1.0, 1.0]
    assert found[0].sum(-1).tolist() == sorted(found[0].sum(-1).tolist(), reverse=True)
    assert not found[1].any()


@pytest.mark.parametrize("line", [torch.full((5, 4), 3.0), torch.full((5, 4), torch.nan)], ids=["even", "missing"])
def test_lines_without_ink_are_drawn_too(line):
    if line.isnan().all():
        line[0, 0] = 0.0
    data = BytesIO()
    attention_over_line(torch.full((1, 5), 0.2), line, ["x"], title="empty").savefig(data, format="png")
    assert data.getvalue().startswith(b"\x89PNG")


def test_of_many_pieces_the_first_are_drawn():
    figure = attention_over_line(torch.full((80, 40), 1 / 40), LINE, [str(number) for number in range(80)])
    assert len(figure.axes) == 61
