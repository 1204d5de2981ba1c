import pytest
import torch

from seq2seq.config.builder import call
from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.state import LSTMState, map_state
from seq2seq.masking import length_mask
from seq2seq.models.decoder import States

BATCH, SOURCE, TARGET, VOCABULARY, HIDDEN_SIZE = 3, 5, 6, 12, 8
LENGTHS = torch.tensor([3, 5, 1])
RECIPES = [("luong", 1), ("luong", 2), ("gnmt", 2), ("gnmt", 3), ("gnmt", 4), ("bahdanau", 1), ("bahdanau", 2)]


class SpyCell(LSTMCell):
    """Keeps what it was given to project."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.seen: list[torch.Tensor] = []

    def project(self, inputs):
        self.seen.append(inputs)
        return super().project(inputs)


@pytest.fixture
def build(attention_kind, decoder_kind):
    """A decoder of a kind, depth and attention; the memory has a size of its own wherever the attention allows that."""

    def _build(kind, num_layers, attention="general", *, cell=LSTMCell, dropout=0.0, **options):
        return call(
            decoder_kind(kind),
            embedding=Embedding(VOCABULARY, 5),
            memory_size=HIDDEN_SIZE if attention == "dot" else 6,
            hidden_size=HIDDEN_SIZE,
            feature_size=7,
            num_layers=num_layers,
            cell=cell,
            attention=attention_kind(attention),
            dropout=dropout,
            **options,
        ).eval()

    return _build


@pytest.fixture(params=RECIPES, ids=lambda recipe: f"{recipe[0]}-{recipe[1]}")
def decoder(request, build):
    return build(*request.param)


def memory(decoder, values=None):
    """What three sources leave."""
    size = decoder.readout.projection.in_features - HIDDEN_SIZE
    values = torch.randn(BATCH, SOURCE, size) if values is None else values
    return decoder.remember(values, length_mask(LENGTHS, SOURCE))


def first_states(decoder, *shape):
    """Of sentences, or of hypotheses side by side."""
    layers = tuple(LSTMState(*torch.randn(2, *(shape or (BATCH,)), HIDDEN_SIZE)) for _ in decoder.layers)
    return States(layers, ())


def changed_states(states, function):
    return States(tuple(map_state(function, state) for state in states.layers), ())


def targets():
    return torch.randint(4, VOCABULARY, (BATCH, TARGET))


@pytest.mark.parametrize("attention", ["dot", "general", "additive"])
@pytest.mark.parametrize(("kind", "num_layers"), RECIPES)
def test_unroll_equals_repeated_step(build, kind, num_layers, attention):
    decoder = build(kind, num_layers, attention)
    ids, remembered, states = targets(), memory(decoder), first_states(decoder)
    features, weights, *_ = decoder.unroll(ids, remembered, states)
    assert features.shape == (BATCH, TARGET, decoder.feature_size)
    states = states.of_one_hypothesis()
    for step in range(TARGET):
        stepped, looked, states = decoder.step(ids[:, step : step + 1], remembered, states)
        torch.testing.assert_close(stepped, features[:, step : step + 1])
        torch.testing.assert_close(looked, weights[:, step : step + 1])


def test_hypotheses_side_by_side_are_stepped_as_if_alone(decoder):
    beam = 4
    ids, remembered = torch.randint(4, VOCABULARY, (BATCH, beam)), memory(decoder)
    states = first_states(decoder, BATCH, beam)
    features, weights, after = decoder.step(ids, remembered, states)
    assert features.shape == (BATCH, beam, decoder.feature_size)
    for place in range(beam):
        own = changed_states(states, lambda part, place=place: part[:, place : place + 1])
        alone, looked, following = decoder.step(ids[:, place : place + 1], remembered, own)
        torch.testing.assert_close(alone, features[:, place : place + 1])
        torch.testing.assert_close(looked, weights[:, place : place + 1])
        for one, every in zip(following.layers, after.layers, strict=True):
            torch.testing.assert_close(one.hidden, every.hidden[:, place : place + 1])
            torch.testing.assert_close(one.cell, every.cell[:, place : place + 1])


@pytest.mark.parametrize(("kind", "num_layers"), RECIPES)
def test_unroll_has_the_gradients_of_repeated_step(build, kind, num_layers):
    decoder = build(kind, num_layers, "additive").double()
    values = torch.randn(BATCH, SOURCE, 6, dtype=torch.float64, requires_grad=True)
    states = changed_states(first_states(decoder), torch.Tensor.double)
    ids, readings = targets(), torch.randn(BATCH, TARGET, 7, dtype=torch.float64)
    features, *_ = decoder.unroll(ids, memory(decoder, values), states)
    remembered, stepwise, states = memory(decoder, values), [], states.of_one_hypothesis()
    for step in range(TARGET):
        stepped, _, states = decoder.step(ids[:, step : step + 1], remembered, states)
        stepwise.append(stepped)
    wanted = [values, *decoder.parameters()]
    unrolled = torch.autograd.grad((features * readings).sum(), wanted)
    repeated = torch.autograd.grad((torch.cat(stepwise, 1) * readings).sum(), wanted)
    torch.testing.assert_close(unrolled, repeated)


def test_a_future_target_token_changes_no_earlier_feature(decoder):
    ids, remembered, states = targets(), memory(decoder), first_states(decoder)
    before, *_ = decoder.unroll(ids, remembered, states)
    for step in range(TARGET):
        changed = ids.clone()
        changed[:, step] = 3
        after, *_ = decoder.unroll(changed, remembered, states)
        torch.testing.assert_close(after[:, :step], before[:, :step])
        assert (after - before)[:, step:].abs().amax(-1).gt(1e-6).all(), step


def test_every_source_token_within_the_length_counts_and_padding_does_not(decoder):
    values, ids, states = torch.randn(BATCH, SOURCE, 6), targets(), first_states(decoder)
    before, *_ = decoder.unroll(ids, memory(decoder, values), states)
    mask = length_mask(LENGTHS, SOURCE)
    for position in range(SOURCE):
        changed = values.clone()
        changed[:, position] += torch.randn(6)
        after, *_ = decoder.unroll(ids, memory(decoder, changed), states)
        moved = (after - before).abs().amax((1, 2))
        assert torch.equal(moved > 1e-6, mask[:, position]), position
        torch.testing.assert_close(after[~mask[:, position]], before[~mask[:, position]])


def test_sentences_do_not_see_each_other(decoder):
    ids, remembered, states = targets(), memory(decoder), first_states(decoder)
    features, weights, *_ = decoder.unroll(ids, remembered, states)
    for row in range(BATCH):
        alone = type(remembered)(*(part[row : row + 1] for part in remembered))
        own = changed_states(states, lambda part, row=row: part[row : row + 1])
        same, looked, *_ = decoder.unroll(ids[row : row + 1], alone, own)
        torch.testing.assert_close(same[0], features[row])
        torch.testing.assert_close(looked[0], weights[row])


def test_every_first_state_counts(decoder):
    ids, remembered, states = targets(), memory(decoder), first_states(decoder)
    before, *_ = decoder.unroll(ids, remembered, states)
    for depth, state in enumerate(states.layers):
        for part in state._fields:
            changed = list(states.layers)
            changed[depth] = state._replace(**{part: getattr(state, part) + 1})
            after, *_ = decoder.unroll(ids, remembered, states._replace(layers=tuple(changed)))
            assert (after - before)[:, 0].abs().amax(-1).gt(1e-6).all(), (depth, part)


def test_every_parameter_learns(decoder):
    # Padding's row of the embedding is the one thing that gets no gradient: one step on every token.
    ids = torch.arange(VOCABULARY).view(BATCH, -1)
    values = torch.randn(BATCH, SOURCE, 6)
    features, *_ = decoder.unroll(ids, memory(decoder, values), first_states(decoder))
    (features * torch.randn_like(features)).sum().backward()
    for name, weight in decoder.named_parameters():
        assert weight.grad.ne(0).any(), name


@pytest.mark.parametrize(("kind", "num_layers"), RECIPES)
def test_features_and_states_are_dropped_only_in_training(build, kind, num_layers):
    decoder = build(kind, num_layers, dropout=0.5)
    ids, remembered, states = targets(), memory(decoder), first_states(decoder)
    first, second = (decoder.unroll(ids, remembered, states)[0] for _ in range(2))
    assert torch.equal(first, second)
    decoder.train()
    first, second = (decoder.unroll(ids, remembered, states)[0] for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("kind", "num_layers"), RECIPES)
def test_dropout_is_locked_over_time_in_training(build, kind, num_layers):
    decoder = build(kind, num_layers, cell=SpyCell, dropout=0.5).train()
    read = []
    decoder.readout.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    features, *_ = decoder.unroll(targets(), memory(decoder), first_states(decoder))
    assert locked(features)
    if kind != "gnmt" or num_layers < 3:  # above that, residual sums of several masks
        assert locked(read[0])


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_bahdanau_locks_the_dropout_between_layers(build, num_layers):
    decoder = build("bahdanau", num_layers, cell=SpyCell, dropout=0.5).train()
    decoder.unroll(targets(), memory(decoder), first_states(decoder))
    for cell in decoder.cells[1:]:
        assert len(cell.seen) == TARGET
        assert locked(torch.stack(cell.seen, 1))


def locked(values) -> bool:
    """Whether something is zero, and the same things are at every step."""
    gone = values.eq(0)
    return bool(gone.any()) and torch.equal(gone, gone[:, :1].expand_as(gone))


def test_gnmt_adds_residuals_from_the_third_layer_on(build):
    decoder = build("gnmt", 4)
    read = []
    decoder.readout.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    ids, remembered, states = targets(), memory(decoder), first_states(decoder)
    decoder.unroll(ids, remembered, states)
    hidden, _ = decoder.bottom.unroll(decoder.embedding(ids), states.layers[0])
    context, _ = decoder.attention(hidden, remembered)
    layers = []
    for cell, state in zip(decoder.upper, states.layers[1:], strict=True):
        below = sum(layers[1:], layers[0]) if layers else hidden
        layers.append(cell.unroll(torch.cat([below, context], -1), state)[0])
    torch.testing.assert_close(read[0], sum(layers))


@pytest.mark.parametrize("connection", ["none", "residual", "highway", "dense"])
@pytest.mark.parametrize("kind", ["luong", "bahdanau"])
def test_connected_layers_unroll_as_they_step(build, kind, connection):
    decoder = build(kind, 3, connection=connection)
    ids, remembered, states = targets(), memory(decoder), first_states(decoder)
    features, *_ = decoder.unroll(ids, remembered, states)
    states = states.of_one_hypothesis()
    for step in range(TARGET):
        stepped, _, states = decoder.step(ids[:, step : step + 1], remembered, states)
        torch.testing.assert_close(stepped, features[:, step : step + 1])
    features.pow(2).sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.connections.parameters())


@pytest.mark.parametrize("kind", ["luong", "bahdanau"])
def test_residual_layers_add_what_they_read_where_sizes_agree(build, kind):
    plain, residual = build(kind, 3), build(kind, 3, connection="residual")
    residual.load_state_dict(plain.state_dict())
    read = []
    for decoder in (plain, residual):
        decoder.readout.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0][:, 0]))
    ids, remembered, states = targets(), memory(plain), first_states(plain)
    plain.unroll(ids, remembered, states)
    residual.unroll(ids, remembered, states)
    context, _, _ = plain.attention.step(states.layers[-1].hidden.unsqueeze(1), remembered, ())
    projected = plain.cells.bottom.project(plain.embedding(ids)[:, 0])
    if kind == "bahdanau":
        projected = projected + plain.feed(context[:, 0])
    bottom = plain.cells.bottom(projected, states.layers[0])[0].hidden
    hidden = bottom
    for cell, state in zip(plain.layers[1:], states.layers[1:], strict=True):
        hidden = hidden + cell.step(hidden, state).hidden
    torch.testing.assert_close(read[1], hidden)
    assert not torch.allclose(read[0], hidden)


def test_dense_layers_read_all_below(build):
    luong, bahdanau = (build(kind, 3, connection="dense") for kind in ("luong", "bahdanau"))
    assert [cell.input_size for cell in luong.layers] == [5, 5 + HIDDEN_SIZE, 5 + 2 * HIDDEN_SIZE]
    assert [cell.input_size for cell in bahdanau.layers] == [5, HIDDEN_SIZE, 2 * HIDDEN_SIZE]


def test_luong_without_recurrence_on_the_context_needs_no_loop(build):
    assert build("luong", 2).whole_target
    assert build("gnmt", 2).whole_target
    assert not build("bahdanau", 2).whole_target


def test_gnmt_with_one_layer_is_told(build):
    with pytest.raises(UserError) as error:
        build("gnmt", 1)
    assert str(error.value) == "num_layers of a gnmt decoder must be at least 2, but is 1."


@pytest.mark.parametrize("kind", ["luong", "bahdanau"])
def test_no_layers_are_told(build, kind):
    with pytest.raises(UserError) as error:
        build(kind, 0)
    assert str(error.value) == "num_layers must be at least 1, but is 0."
