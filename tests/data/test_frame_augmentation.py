"""Series that training sees changed: what each change does, and that it is a function of seed, epoch and example."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from seq2seq.data.augmentation.changed_frames import ChangedFrames
from seq2seq.data.augmentation.frame_augmentation import FrameAugmentation, MaskOptions
from seq2seq.data.augmentation.frame_changes import noisy, shifted, smoothed, stretched, with_noise_power
from seq2seq.data.batch import PairSequences
from seq2seq.data.batching import BatchPlan, TokenBudget
from seq2seq.data.frame_sequences import FrameSequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.series import Series
from seq2seq.errors import UserError

OFF = MaskOptions(feature_masks=0, time_masks=0)
KINDS = {
    "stretch": {"stretch": 0.3},
    "shift": {"shift": 4},
    "smoothing": {"smoothing": 2.0},
    "noise": {"snr": [0.0, 10.0]},
    "power": {"snr": [0.0, 10.0], "power": True},
    "masks": {"options": MaskOptions(feature_width=3)},
}


def values(length: int = 40, features: int = 6, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(length, features)).astype(np.float32)


def augmentation(**options) -> FrameAugmentation:
    found = FrameAugmentation(**{"options": OFF, **options})
    found.learn(values(500, seed=9))
    return found


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


# ---- Laws of all


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_a_function_of_seed_epoch_and_example(kind):
    change = augmentation(**KINDS[kind])
    first = [change.changed(values(), 1, 0, example) for example in range(8)]
    again = [augmentation(**KINDS[kind]).changed(values(), 1, 0, example) for example in reversed(range(8))][::-1]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    for others in ([change.changed(values(), *key, place) for place in range(8)] for key in ((2, 0), (1, 1))):
        assert not all(np.array_equal(one, other) for one, other in zip(first, others, strict=True))
    assert not all(np.array_equal(first[0], other) for other in first)


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_out_is_finite_and_what_goes_in_stays(kind):
    change, before = augmentation(**KINDS[kind]), values()
    for example in range(20):
        found = change.changed(before, 1, 0, example)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
    np.testing.assert_array_equal(before, values())
    assert len(change.changed(values(1), 1, 0, 1)) >= 1


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"stretch", "shift"}))
def test_what_is_missing_stays_missing(kind):
    gaps = values()
    gaps[3:9, 1] = gaps[0, 2] = np.nan
    change = augmentation(**KINDS[kind])
    for example in range(20):
        np.testing.assert_array_equal(np.isnan(change.changed(gaps, 1, 0, example)), np.isnan(gaps))
    assert np.isnan(augmentation(**KINDS[kind]).changed(np.full_like(gaps, np.nan), 1, 0, 1)).all()


def test_one_change_alters_no_draws_of_another():
    """With noise too faint to be seen, masks are where they are without it."""
    alone = augmentation(options=MaskOptions(feature_width=3))
    both = augmentation(options=MaskOptions(feature_width=3), snr=[200.0, 200.0])
    for example in range(5):
        pair = (one.changed(values(), 1, 0, example) for one in (alone, both))
        np.testing.assert_allclose(*pair, atol=1e-6)


# ---- Each of them


@pytest.mark.parametrize("seed", range(10))
def test_a_stretched_line_is_a_line_between_the_same_ends(seed):
    line = np.linspace(0, 1, 50, dtype=np.float32)[:, None] * [1.0, -2.0]
    found = stretched(line.astype(np.float32), 0.3, random(seed))
    assert 35 <= len(found) <= 65
    expected = np.linspace(0, 1, len(found))[:, None] * [1.0, -2.0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len({len(stretched(line.astype(np.float32), 0.3, random(seed))) for seed in range(30)}) > 10


def test_a_shifted_series_has_the_same_end_and_its_first_frame_before_it():
    lengths, one = set(), values()
    for seed in range(50):
        found = shifted(one, 3, random(seed))
        lengths.add(by := len(found) - len(one))
        if by <= 0:
            np.testing.assert_array_equal(found, one[-by:])
        else:
            np.testing.assert_array_equal(found[by:], one)
            np.testing.assert_array_equal(found[:by], one[:1].repeat(by, 0))
    assert lengths == set(range(-3, 4))
    assert len(shifted(one[:1], 3, random(1))) >= 1


def test_smoothing_keeps_a_constant_and_lessens_noise():
    constant = np.full((30, 2), 3.0, np.float32)
    np.testing.assert_allclose(smoothed(constant, 2.0, random()), constant, rtol=1e-6)
    spread = [smoothed(values(200), 3.0, random(seed)).std() for seed in range(20)]
    assert min(spread) < 0.5 < max(spread) <= 1.01


def test_smoothing_is_the_mean_under_a_bell():
    one, draw = values(20, 1), random(4)
    width = random(4).uniform(0, 2.0)
    bell = np.exp(-0.5 * ((np.arange(20)[:, None] - np.arange(20)) / width) ** 2)
    reach = np.abs(np.arange(20)[:, None] - np.arange(20)) <= np.ceil(4 * width)
    expected = (bell * reach) @ one / (bell * reach).sum(1, keepdims=True)
    np.testing.assert_allclose(smoothed(one, 2.0, draw), expected, atol=1e-5)


@pytest.mark.parametrize("ratio", [-5.0, 0.0, 10.0, 20.0])
def test_noise_has_the_ratio_that_is_asked_for(ratio):
    signal = values(4000) * np.array([1, 100, 0.01, 5, 1, 0], np.float32) + 7
    noise = noisy(signal, ratio, random()) - signal
    found = 10 * np.log10(signal[:, :5].var(0) / noise[:, :5].astype(np.float64).var(0))
    np.testing.assert_allclose(found, ratio, atol=0.3)
    assert not noise[:, 5].any()  # a constant has no power


@pytest.mark.parametrize("ratio", [-5.0, 0.0, 10.0, 20.0])
def test_power_of_noise_is_added_to_power(ratio):
    signal = values(4000, 20)
    found = with_noise_power(signal, ratio, random())
    assert (found >= signal - 1e-6).all()
    power = np.exp(signal.astype(np.float64))
    noise = np.exp(found.astype(np.float64)) - power
    assert 10 * np.log10(power.mean() / noise.mean()) == pytest.approx(ratio, abs=0.2)


def test_masks_hide_spans_of_features_and_of_time_by_the_mean_of_train():
    change = augmentation(options=MaskOptions(feature_masks=1, feature_width=2, time_masks=1, time_share=0.25))
    mean, widths, spans = change.mean.astype(np.float32), set(), set()
    for example in range(200):
        one = values(40)
        hidden = change.changed(one, 1, 0, example) != one
        np.testing.assert_array_equal(
            change.changed(one, 1, 0, example)[hidden], np.broadcast_to(mean, one.shape)[hidden]
        )
        columns, rows = hidden.all(0), hidden.all(1)
        assert np.array_equal(hidden, columns | rows[:, None])
        widths.add(int(columns.sum()))
        spans.add(int(rows.sum()))
        for line in (columns, rows):
            assert np.abs(np.diff(line.astype(int))).sum() <= 2  # one span
    assert widths == {0, 1, 2}
    assert max(spans) == 10  # a quarter of 40, below time_width


# ---- In a data module


def pairs(**more) -> PairSequences:
    series = [Series(values(length, seed=length)) for length in (9, 4, 7)]
    targets = TokenSequences.from_ids([[5], [6], [7]])
    owners = torch.arange(3)
    return PairSequences(FrameSequences.from_series(series, 6), targets, **{"owners": owners, **more})


def epochs(max_length: int = 100, max_tokens: int = 1000, **options) -> ChangedFrames:
    plan = BatchPlan(torch.tensor([10, 5, 8]), torch.tensor([2, 2, 2]), TokenBudget(max_tokens, 10), seed=3)
    return ChangedFrames(FrameAugmentation(**{"options": OFF, **options}), pairs(), plan, max_length=max_length)


def rows(found: PairSequences) -> list[np.ndarray]:
    frames, lengths = found.source.padded(torch.arange(len(found)), end=True)
    return [own[:length].numpy() for own, length in zip(frames, lengths.tolist(), strict=True)]


def test_an_epoch_has_every_pair_once_with_its_series_changed():
    changed, plain = epochs(shift=2, snr=[5.0, 5.0]), pairs()
    found = changed.epoch(4, plain)
    assert found.target is plain.target
    for place, (now, before) in enumerate(zip(rows(found), rows(plain), strict=True)):
        np.testing.assert_array_equal(now, changed.augmentation.changed(before, 3, 4, place))
        assert now.shape != before.shape or not np.array_equal(now, before)
    chosen = replace(plain, source=plain.source.chosen(torch.tensor([2])), owners=torch.tensor([2]))
    chosen = replace(chosen, target=plain.target.chosen(torch.tensor([2])))
    np.testing.assert_array_equal(rows(changed.epoch(4, chosen))[0], rows(found)[2])


def test_what_would_be_too_long_stays_as_it_is():
    for limits in ({"max_length": 9}, {"max_tokens": 12}):
        changed = epochs(**limits, shift=6)
        for number in range(10):
            found = rows(changed.epoch(number, pairs()))
            assert max(map(len, found)) <= 9
            if len(found[0]) == 9:
                np.testing.assert_array_equal(found[0], rows(pairs())[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stretch": 1.0}, "stretch must be at least 0 and below 1, but is 1.0."),
        ({"shift": -1}, "shift must be at least 0 frames, but is -1."),
        ({"smoothing": -0.5}, "smoothing must be at least 0 frames, but is -0.5."),
        ({"snr": [3.0]}, "snr must be the lowest and the highest ratio in dB, or null for none, but is [3.0]."),
        (
            {"snr": [9.0, 3.0]},
            "snr must be the lowest and the highest ratio in dB, or null for none, but is [9.0, 3.0].",
        ),
        ({"shift": 1, "power": True}, "power must be false without snr, as it is of noise."),
        (
            {},
            "augmentation must change frames by stretch, shift, smoothing, snr or masks, but does by none: choose "
            "augmentation=none.",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_mistakes_are_told(options, message):
    with pytest.raises(UserError) as error:
        augmentation(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_masks": -1}, "time_masks must be at least 0, but is -1."),
        ({"feature_width": -1}, "feature_width must be at least 0, but is -1."),
        ({"time_share": 0.0}, "time_share must be above 0 and at most 1, but is 0.0."),
    ],
    ids=str,
)
def test_mistakes_in_masks_are_told(options, message):
    with pytest.raises(UserError) as error:
        MaskOptions(**options)
    assert str(error.value) == message


def test_masks_wider_than_the_frames_are_refused():
    with pytest.raises(UserError) as error:
        augmentation(options=MaskOptions(feature_width=7))
    assert str(error.value) == "feature_width must be at most the number of features, 6, but is 7."


def test_noise_on_a_feature_that_is_wholly_missing_warns_of_nothing():
    some = values(6, 3)
    some[:, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, none = noisy(some, 10.0, random()), noisy(np.full_like(some, np.nan), 10.0, random())
    np.testing.assert_array_equal(np.isnan(found), np.isnan(some))
    assert np.isnan(none).all()
