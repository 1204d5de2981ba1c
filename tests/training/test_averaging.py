"""The moving average of the weights, by hand."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.training.averaging import EqualAverage, TriggeredAverage, WeightAverage, new_average


@pytest.fixture
def model() -> nn.Linear:
    return nn.Linear(1, 1, bias=False)


def set_weight(model: nn.Linear, value: float) -> None:
    with torch.no_grad():
        model.weight.fill_(value)


def averaged(model: nn.Linear, decay: float, *values: float) -> WeightAverage:
    """The average after the weight took these values."""
    average = WeightAverage(model, decay)
    for value in values:
        set_weight(model, value)
        average.update()
    return average


def test_three_updates_by_hand(model):
    # d = 1/10, 2/11, 3/12: 8 stays 8; 2/11 * 8 + 9/11 * 19 = 17; 1/4 * 17 + 3/4 * 5 = 8.
    for count, expected in enumerate([8.0, 17.0, 8.0], 1):
        average = averaged(model, 0.9, *[8.0, 19.0, 5.0][:count])
        assert_close(average.weights["weight"], torch.tensor([[expected]]))
        assert average.updates == count


def test_the_decay_is_a_ceiling(model):
    # d = 0.1 at every update, since (1 + n) / (10 + n) is never below it.
    average = averaged(model, 0.1, 10.0, 20.0, 5.0)
    assert_close(average.weights["weight"], torch.tensor([[0.1 * 19.0 + 0.9 * 5.0]]))


def test_decay_zero_is_the_weights_themselves(model):
    average = averaged(model, 0.0, 3.0, 7.0, 11.5)
    assert average.weights["weight"].item() == 11.5
    assert average.state_dict()["weight"].item() == 11.5


def test_updating_leaves_the_model_alone(model):
    averaged(model, 0.9, 8.0, 19.0)
    assert model.weight.item() == 19.0


def test_applied_copies_and_copies_back(model):
    average, parameter = averaged(model, 0.9, 8.0, 19.0), model.weight
    with average.applied():
        assert model.weight.item() == pytest.approx(17.0)
        assert model.weight is parameter
    assert model.weight.item() == 19.0
    assert average.weights["weight"].item() == pytest.approx(17.0)


def test_applied_swaps_back_after_an_exception(model):
    average = averaged(model, 0.9, 8.0, 19.0)
    with pytest.raises(KeyboardInterrupt), average.applied():
        raise KeyboardInterrupt
    assert model.weight.item() == 19.0
    assert average.weights["weight"].item() == pytest.approx(17.0)


def test_before_the_first_update_the_average_is_the_model(model):
    set_weight(model, 4.0)
    average = WeightAverage(model, 0.9)
    with average.applied():
        assert model.weight.item() == 4.0
    assert average.state_dict()["weight"].item() == 4.0


def test_the_state_dict_is_a_copy(model):
    average = averaged(model, 0.9, 8.0, 19.0)
    state = average.state_dict()
    set_weight(model, 5.0)
    average.update()
    assert state["weight"].item() == pytest.approx(17.0)
    assert average.state_dict()["weight"].item() == pytest.approx(8.0)


def test_a_restored_average_goes_on_as_the_first_would_have(model):
    first = averaged(model, 0.9, 8.0, 19.0)
    second = WeightAverage(model, 0.9)
    second.load_state_dict(first.state_dict(), first.updates)
    set_weight(model, 5.0)
    first.update()
    second.update()
    assert second.updates == first.updates == 3
    assert torch.equal(second.weights["weight"], first.weights["weight"])


def test_loading_copies(model):
    average = WeightAverage(model, 0.9)
    state = {"weight": torch.tensor([[2.0]])}
    average.load_state_dict(state, 5)
    set_weight(model, 9.0)
    average.update()
    assert state["weight"].item() == 2.0


def test_the_average_follows_its_model_to_another_device(model):
    average = WeightAverage(model, 0.9)
    average.load_state_dict({"weight": torch.tensor([[2.0]])}, 5)
    average.to(model.to("meta").weight.device)
    average.update()
    assert average.weights["weight"].is_meta


def test_tied_weights_are_averaged_once_and_stay_tied(build_model):
    model = build_model(share_embeddings=True, source_vocabulary_size=12, target_vocabulary_size=12)
    average = WeightAverage(model, 0.9)
    average.update()
    with torch.no_grad():
        model.output.weight.add_(1)
    average.update()
    state = average.state_dict()
    names = ("encoder.input.embedding.table.weight", "decoder.embedding.table.weight", "output.weight")
    assert set(names) < set(state)
    for name in names:
        assert_close(state[name], model.output.weight.detach() - 2 / 11)
    model.load_state_dict(state)
    assert model.output.weight is model.encoder.input.embedding.table.weight
    assert set(state) == set(model.state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_an_average_does_not_stand_still_in_half_precision(model, dtype):
    """In bfloat16 itself it would stay at 1.0, and in float16 too."""
    set_weight(model, 1.0)
    average = WeightAverage(model.to(dtype), 0.999)
    average.load_state_dict(model.state_dict(), 10_000)
    set_weight(model, 1.25)
    for _ in range(5000):
        average.update()
    expected = torch.tensor([[1.25 - 0.25 * 0.999**5000]])
    assert_close(average.weights["weight"].float(), expected, rtol=0, atol=1e-4)
    assert average.weights["weight"].dtype == (dtype if dtype == torch.float64 else torch.float32)
    with average.applied():
        assert model.weight.dtype == dtype
        assert_close(model.weight.float(), expected, rtol=0, atol=1e-2)
    assert model.weight.item() == 1.25


def test_a_restored_average_of_half_precision_goes_on_as_the_first_would_have(model):
    model.bfloat16()
    first = averaged(model, 0.9, 8.0, 19.0, 3.0, 4.0)
    second = WeightAverage(model, 0.9)
    second.load_state_dict(first.state_dict(), first.updates)
    assert torch.equal(second.weights["weight"], first.weights["weight"])
    assert first.weights["weight"] != first.weights["weight"].bfloat16()


def test_weights_stay_where_they_are_in_memory(model):
    """So that what a device has laid out for them stays true."""
    average = averaged(model, 0.9, 8.0, 19.0)
    place = model.weight.data_ptr()
    with average.applied():
        assert model.weight.data_ptr() == place
    assert model.weight.data_ptr() == place


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_outside_its_range_is_refused(model, decay):
    with pytest.raises(UserError) as error:
        WeightAverage(model, decay)
    assert str(error.value) == f"decay must be at least 0 and below 1, but is {decay}."


# ---- Equal averages


def test_the_mean_begins_at_its_start_and_is_equal(model):
    """Of the weights 4, 8, 19, 6 after steps begun at 0, 1/2, 5/8 and 3/4: first the weights, then 8, 27/2, 11."""
    average, found = EqualAverage(model, 0.5), []
    for value, spent in zip((4.0, 8.0, 19.0, 6.0), (0.0, 0.5, 0.625, 0.75), strict=True):
        set_weight(model, value)
        average.update(None, spent)
        found.append(average.weights["weight"].item())
    assert found == pytest.approx([4.0, 8.0, 13.5, 11.0])
    assert average.updates == 3


def test_a_step_left_out_is_not_in_the_mean(model):
    average = EqualAverage(model, 0.0)
    for value, finite in ((8.0, True), (float("nan"), False), (4.0, True)):
        if finite:
            set_weight(model, value)
        average.update(torch.tensor(finite), 0.5)
    assert average.weights["weight"].item() == 6.0
    assert average.updates == 2


def test_the_mean_of_many_weights_is_exact_to_float32(model):
    average = EqualAverage(model.bfloat16(), 0.0)
    for step in range(4001):
        set_weight(model, float(step % 2))
        average.update(None, 0.5)
    assert average.weights["weight"].item() == pytest.approx(2000 / 4001, rel=1e-5)
    assert average.weights["weight"].dtype == torch.float32


def test_a_restored_mean_goes_on_as_the_first_would_have(model):
    first, second = EqualAverage(model, 0.5), EqualAverage(model, 0.5)
    for value, spent in ((4.0, 0.4), (8.0, 0.5), (19.0, 0.6)):
        set_weight(model, value)
        first.update(None, spent)
        if spent < 0.6:
            second.load_state_dict(first.state_dict(), first.updates)
    second.update(None, 0.6)
    assert second.updates == first.updates == 2
    assert torch.equal(second.weights["weight"], first.weights["weight"])


def triggers(average: TriggeredAverage, *losses: float) -> list[bool]:
    found = []
    for loss in losses:
        average.note({"dev/loss": loss})
        found.append(average.counts(0.0))
    return found


def test_averaging_is_triggered_by_a_score_worse_than_the_best_but_for_the_last_ones(model):
    """With a patience of 2: 4.5 is not worse than min(9, 5), but 5.5 is worse than min(9, 5, 4, 4.5) without two."""
    average = TriggeredAverage(model, "dev/loss", "min", 2)
    assert triggers(average, 9.0, 5.0, 4.0, 4.5, 5.5, 1.0) == [False, False, False, False, True, True]
    assert triggers(TriggeredAverage(model, "dev/loss", "max", 1), 1.0, 2.0, 3.0, 1.5) == [False, False, False, True]


def test_the_triggered_mean_is_of_the_weights_from_then_on(model):
    average = TriggeredAverage(model, "dev/loss", "min", 1)
    for value, loss in ((3.0, 1.0), (5.0, 1.0), (7.0, 2.0), (8.0, None), (4.0, None)):
        set_weight(model, value)
        average.update()
        if loss is not None:
            average.note({"dev/loss": loss})
    assert average.weights["weight"].item() == 6.0
    assert average.updates == 2


def test_a_trigger_goes_on_where_it_was(model):
    first, second = (TriggeredAverage(model, "dev/loss", "min", 1) for _ in range(2))
    triggers(first, 1.0, 1.0)
    second.restore(first.progress())
    assert triggers(second, 2.0) == triggers(first, 2.0) == [True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "mean"}, "kind must be ema, swa or triggered, but is 'mean'."),
        (
            {"kind": "swa", "start": 1.0},
            "start must be at least 0 and below 1, but is 1.0: it is a share of the budget.",
        ),
        ({"kind": "triggered", "patience": 0}, "patience must be at least 1, but is 0."),
        ({"kind": "triggered", "mode": "up"}, "mode must be max or min, but is 'up'."),
        ({"decay": 1.0}, "decay must be at least 0 and below 1, but is 1.0."),
    ],
)
def test_an_average_that_cannot_be_is_refused(model, options, message):
    with pytest.raises(UserError) as error:
        new_average(model, **options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 0.5}, "start needs kind=swa, but that is ema: leave start out."),
        ({"kind": "swa", "patience": 3}, "patience needs kind=triggered, but that is swa: leave patience out."),
    ],
)
def test_options_of_another_kind_are_refused(options, message):
    with pytest.raises(UserError) as error:
        new_average(torch.nn.Linear(1, 1), **options)
    assert str(error.value) == message
