import io

import pytest
import torch

from seq2seq.interpretation.plots import attention_figure

SOURCE, TARGET = ["k", "a", "t", "</s>"], ["K", "AE", "</s>"]


@pytest.fixture
def weights() -> torch.Tensor:
    return torch.rand(3, 4).softmax(-1)


def labels(ticks) -> list[str]:
    return [label.get_text() for label in ticks]


def test_pieces_are_the_tick_labels_each_at_its_row_or_column(weights):
    axes = attention_figure(weights, SOURCE, TARGET).axes[0]
    assert labels(axes.get_xticklabels()) == SOURCE
    assert labels(axes.get_yticklabels()) == TARGET
    assert axes.get_xticks().tolist() == [0, 1, 2, 3]
    assert axes.get_yticks().tolist() == [0, 1, 2]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("source", "target")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_weights_are_the_image(weights, dtype):
    image = attention_figure(weights.to(dtype), SOURCE, TARGET).axes[0].images[0]
    torch.testing.assert_close(torch.tensor(image.get_array().data), weights.to(dtype).float())
    assert image.get_clim() == (0, 1)


def test_long_pieces_are_turned(weights):
    turned, upright = (
        attention_figure(weights, source, TARGET).axes[0].get_xticklabels()[0].get_rotation()
        for source in (SOURCE, ["k", "a", "t", "s"])
    )
    assert (turned, upright) == (90, 0)


def test_figures_can_be_written(weights):
    page = io.BytesIO()
    attention_figure(weights, SOURCE, TARGET).savefig(page, format="png")
    assert page.getvalue().startswith(b"\x89PNG")
