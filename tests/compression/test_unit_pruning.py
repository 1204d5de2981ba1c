"""Units are removed with all that belongs to them, or refused by name."""

import pytest
import torch

from seq2seq.compression import units
from seq2seq.compression.method import Described
from seq2seq.compression.unit_choice import UnitChoice
from seq2seq.compression.units import UnitPruning
from seq2seq.compression.wired_model import WiredModel, wire
from seq2seq.compression.wiring import Wiring, fixed
from seq2seq.config.builder import build
from seq2seq.config.places import CONF
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq

VOCABULARIES = {"source_vocabulary_size": 11, "target_vocabulary_size": 13}
SIZES = ["model.embedding_size=12", "model.encoder.hidden_size=8", "model.decoder.hidden_size=16"]
SIZES += ["model.decoder.feature_size=10", "model/ngrams=none", "model.encoder.num_layers=2", "model.dropout=0.0"]
GENERAL = "model/attention=general"
CELLS = sorted(path.stem for path in (CONF / "model/cell").glob("*.yaml"))
OF_CELLS = {
    "lstm_low_rank": ["model.cell.rank=3"],
    "lstm_factorized": ["model.cell.rank=3"],
    "lstm_grouped": ["model.cell.groups=2"],
    "sru": ["model.embedding_size=14"],  # no multiple of sizes, before and after, which parts would be added of
}
REFUSED = {"lstm_grouped": "GroupedLSTMCell"}
FORWARD = ["model.encoder.direction=forward", "model.encoder.hidden_size=16"]
MODELS = {
    "gnmt": ["model=gnmt"],
    "gnmt of four layers": ["model=gnmt", "model.decoder.num_layers=4"],
    "luong": ["model=luong", "model.decoder.num_layers=2"],
    "bahdanau": ["model=bahdanau", "model.decoder.num_layers=2"],
    "bahdanau of dot attention": ["model=bahdanau", "model/attention=dot", "model.decoder.num_layers=2"],
    "gru, fed": ["model=bahdanau", "model/cell=gru", GENERAL],
    "mogrifier, fed": ["model=bahdanau", "model/cell=mogrifier", GENERAL],
    "dense": ["model=luong", "model.decoder.num_layers=3", "model.decoder.connection=dense", GENERAL],
    "highway": ["model=gnmt", "model.encoder.num_layers=3", "model.encoder.connection=highway", GENERAL],
    "dense encoder": ["model=gnmt", "model.encoder.num_layers=3", "model.encoder.connection=dense", GENERAL],
    "embeddings as wide as layers": ["model=gnmt", "model.embedding_size=16", GENERAL],
    "embeddings that would be": ["model=gnmt", "model.embedding_size=8", GENERAL],
    "features as wide as embeddings": ["model=gnmt", "model.decoder.feature_size=12"],
    "n-grams": ["model=gnmt", "model/ngrams=bigrams"],
    "halvings": ["model=gnmt", "model.encoder.halvings=1"],
    "blocks": ["model=gnmt", "model.encoder.block_size=2", "model.encoder.lookahead=1"],
    "full output": ["model=gnmt", "model/output=full"],
    "adaptive output": ["model=gnmt", "model/output=adaptive"],
    "scaled attention": ["model=luong", "model/attention=scaled_dot"],
    "scaled general attention": ["model=gnmt", GENERAL, "model.attention.scaled=true"],
    "scaled local attention": ["model=bahdanau", "model/attention=local", "model.attention.scaled=true"],
    "copying": ["model=gnmt", "model/copying=pointer"],
    "copying, fed": ["model=bahdanau", "model/copying=pointer", "model/output=full"],
    "transducer": ["model=transducer", "model.decoder.num_layers=2"],
    "tied transducer": ["model=transducer", "model/output=tied", "model.decoder.connection=highway"],
    "zero bridge": ["model=gnmt", "model/bridge=zero"],
    "frames": ["model=gnmt", "model/input=frames", GENERAL],
    "states handed on": ["model=luong", "model/attention=none", "model/bridge=state", "model.decoder.num_layers=2"]
    + FORWARD,
}


@pytest.fixture
def described(plain_config_of):
    """A model of overrides, with all weights drawn."""

    def describe(*overrides: str) -> Described:
        config = plain_config_of("train", *SIZES, *overrides)["model"]
        model = build(config, "model")(**VOCABULARIES).eval()
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.4)
        return Described(model, config, VOCABULARIES, build)

    return describe


def built(whole, reduced) -> Seq2Seq:
    model = whole.built(reduced.config)
    model.load_state_dict(reduced.weights)
    return model


@torch.no_grad()
def scores(model: Seq2Seq, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Scores of every token by single steps, in float64."""
    model = model.double().eval()
    memory, states = model.start(source, torch.tensor([6, 3]))
    found = []
    for ids in target.split(1, 1):
        logits, _, states = model.step(ids, memory, states)
        found.append(logits)
    return torch.cat(found, 1)


def assert_units_at_zero_are_units_removed(whole: Described, **options) -> units.Reduced:
    """The law, by another path than the method looks at itself."""
    found = {}
    original = Wiring.emptied

    def kept(self, weights, gone):
        found["emptied"] = original(self, weights, gone)
        return found["emptied"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wiring, "emptied", kept)
        reduced = UnitPruning(**{"multiple": 2} | options)(whole)
    source, target = whole.model.encoder.input.drawn((2, 6), torch.Generator()), torch.randint(3, 13, (2, 4))
    source = source.double() if source.is_floating_point() else source
    pruned = scores(built(whole, reduced), source, target)
    whole.model.load_state_dict(found["emptied"])
    emptied = scores(whole.model, source, target)
    limited = emptied.isfinite()
    assert limited.sum() > limited.numel() / 2
    torch.testing.assert_close(pruned[limited], emptied[limited], rtol=1e-5, atol=1e-5)
    assert emptied[limited].std() > 1e-3
    return reduced


@pytest.mark.parametrize("cell", CELLS)
def test_units_of_every_cell_can_go_or_are_refused_by_name(described, cell):
    whole = described("model=gnmt", GENERAL, f"model/cell={cell}", *OF_CELLS.get(cell, []))
    if cell in REFUSED:
        with pytest.raises(UserError) as error:
            UnitPruning(multiple=2)(whole)
        assert str(error.value) == (
            f"method=units cannot take single units out of {REFUSED[cell]}: take method=magnitude."
        )
        return
    assert_units_at_zero_are_units_removed(whole)


@pytest.mark.parametrize("name", MODELS)
def test_units_of_every_way_to_join_parts_can_go(described, name):
    reduced = assert_units_at_zero_are_units_removed(described(*MODELS[name]), features=0.25)
    assert reduced.config["decoder"]["hidden_size"] < 16
    assert reduced.config["encoder"]["hidden_size"] < (16 if "direction=forward" in str(MODELS[name]) else 8)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["model=luong", "model/attention=multi_head"], "LSTMCell or MultiHeadAttention"),
    ],
)
def test_parts_that_know_how_wide_they_are_are_refused(described, overrides, name):
    with pytest.raises(UserError, match=f"^method=units cannot take single units out of {name}: take method=magn"):
        UnitPruning(multiple=2)(described(*overrides))


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["model=gnmt", "model/input=frames", "model/output=huber"], "HuberOutput"),
    ],
)
def test_models_that_are_not_known_are_refused(described, overrides, name):
    with pytest.raises(UserError) as error:
        UnitPruning()(described(*overrides))
    assert str(error.value) == f"method=units knows nothing of the units of {name}: take method=magnitude."


def test_the_law_is_looked_at(described, monkeypatch):
    """Wiring that takes another layer's rows for a cell's own makes another model, which is not written."""
    whole = described("model=luong", GENERAL)
    before = Wiring.without

    def wrong(self, weights, gone):
        found = before(self, weights, gone)
        return found | {"bridge.projection.weight": found["bridge.projection.weight"].flip(0)}

    monkeypatch.setattr(Wiring, "without", wrong)
    with pytest.raises(UserError, match="^method=units cannot take single units out of"):
        UnitPruning(multiple=2)(whole)


def test_the_units_of_lowest_norm_go_with_their_rows_of_all_gates(described):
    """Of the bottom decoder layer, which nothing is tied to, by hand."""
    whole = described("model=gnmt", GENERAL)
    weights = whole.model.state_dict()
    named = "decoder.bottom.kernel."
    rows = [
        weights[named + name].view(4, 16, -1) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    ]
    columns = [weights[named + "weight_hh_l0"], weights["decoder.upper.0.kernel.weight_ih_l0"][:, :16]]
    bridge = [
        weights["bridge.projection.weight"][:32].view(2, 16, -1),
        weights["bridge.projection.bias"][:32].view(2, 16, 1),
    ]
    squares = sum(part.square().sum((0, 2)) for part in rows + bridge)
    squares += sum(part.square().sum(0) for part in columns) + weights[
        "decoder.attention.projection.weight"
    ].square().sum(1)
    stays = squares.argsort()[8:].sort().values
    reduced = UnitPruning(multiple=2)(whole)
    assert reduced.config["decoder"]["hidden_size"] == 8
    kept = reduced.weights[named + "bias_ih_l0"].view(4, 8)
    assert torch.equal(kept, weights[named + "bias_ih_l0"].view(4, 16)[:, stays])


def test_layers_that_are_added_lose_the_same_units(described):
    whole = described("model=gnmt", "model.decoder.num_layers=4", GENERAL)
    wired = wire(whole.model, whole.config, build)
    _, *upper = [wired.wiring.found(vector) for vector in wired.vectors["decoder"]]
    assert all(torch.equal(vector, upper[0]) for vector in upper)
    forward, backward, *above = [wired.wiring.found(vector) for vector in wired.vectors["encoder"]]
    assert torch.equal(above[0], forward)
    assert torch.equal(above[1], backward)
    assert not torch.isin(forward, backward).any()


def test_layers_do_not_come_to_be_joined_by_their_sizes(described):
    """8 embedding values and 2 * 4 of the encoder would be added to each other: the config says that they are not."""
    whole = described("model=gnmt", "model.embedding_size=8", GENERAL)
    reduced = assert_units_at_zero_are_units_removed(whole, multiple=1)
    assert (
        reduced.config["encoder"] | {"hidden_size": 4, "connection": ["none", "residual"]} == reduced.config["encoder"]
    )
    assert reduced.said.endswith("encoder 8 -> 4, decoder 16 -> 8, features 10 -> 10, embedding 8 -> 8")


def test_connections_of_decoders_are_kept_too(described):
    """Of 8 embedding values and 8 of 16 units, beside two layers that are added to each other."""
    sizes = ["model.embedding_size=8", "model.decoder.num_layers=2", "model.decoder.connection=residual"]
    reduced = assert_units_at_zero_are_units_removed(described("model=luong", *sizes, GENERAL))
    assert reduced.config["decoder"]["hidden_size"] == 8
    assert reduced.config["decoder"]["connection"] == ["none", "residual"]


def test_a_pruned_model_is_pruned_again(described):
    """Scales and means are those of the first of them."""
    whole = described("model=gnmt", "model/attention=scaled_dot", "model/cell=lstm_layer_norm")
    for _ in range(2):
        reduced = assert_units_at_zero_are_units_removed(whole, share=0.3, multiple=1)
        whole = Described(built(whole, reduced), reduced.config, VOCABULARIES, build)
    assert reduced.config["decoder"]["attention"]["scale_size"] == 16
    assert [reduced.config[side]["cell"]["norm_size"] for side in ("encoder", "decoder")] == [8, 16]
    assert reduced.config["decoder"]["hidden_size"] == 8


def test_where_a_cell_joins_by_its_sizes_fewer_units_are_left(described):
    """An SRU adds what it reads where it is as wide: the encoder's 8 values of 2 * 4 units."""
    whole = described("model=gnmt", "model/cell=sru", "model.embedding_size=8", GENERAL)
    reduced = UnitPruning(multiple=1)(whole)
    assert reduced.config["encoder"]["hidden_size"] < 8


def test_what_is_tied_to_what_cannot_go_stays():
    wiring = Wiring(torch.nn.Linear(2, 2))
    vector, other = wiring.units(3), wiring.units(3)
    wiring.tie(vector, other)
    wiring.tie(other[:1], fixed(1))
    assert wiring.found(vector).tolist() == [-1, 1, 2]
    assert wiring.count == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 1.0}, "share must be above 0 and below 1, which would leave no unit, but is 1.0."),
        ({"share": 0.0}, "share must be above 0 and below 1, which would leave no unit, but is 0.0."),
        ({"features": 1.0}, "features must be at least 0 and below 1, which would leave none, but is 1.0."),
        ({"multiple": 0}, "multiple must be at least 1, but is 0."),
        (
            {"share": 0.9},
            "share=0.9 leaves none of the 8 units of encoder in multiples of 4: take a lower one, or a lower multiple.",
        ),
        ({"share": 0.1}, "share=0.1 removes no unit in multiples of 4: take a higher one."),
    ],
)
def test_a_mistake_is_one_line(described, options, message):
    with pytest.raises(UserError) as error:
        UnitPruning(**options)(described("model=gnmt"))
    assert str(error.value) == message


def choice(vectors, sizes) -> UnitChoice:
    """A choice among six units, of norms that rise, in vectors by option."""
    wired = WiredModel(Wiring(torch.nn.Linear(2, 2)))
    wired.wiring.units(6)
    for option, places in vectors:
        wired.note(option, torch.tensor(places))
    return UnitChoice(wired, torch.arange(6.0), lambda option, size: sizes[option])


def test_what_a_shorter_vector_decides_on_longer_ones_take():
    chosen = choice([("encoder", [0, 1, 2, 3, 4, 5]), ("decoder", [5, 4, 3])], {"encoder": 3, "decoder": 1})
    assert chosen.gone.tolist() == [True, False, False, True, True, False]
    assert chosen.sizes == {"encoder": 3, "decoder": 1}


def test_a_vector_of_units_that_are_decided_on_gives_its_option_its_size():
    chosen = choice(
        [("features", [0, 1, -1]), ("embedding", [1, 0]), ("embedding", [2, 3])], {"features": 2, "embedding": 1}
    )
    assert chosen.gone.tolist() == [True, False, True, False, False, False]
    assert chosen.sizes == {"embedding": 1, "features": 2}


def test_an_option_that_has_lost_more_to_another_than_it_would_itself_is_refused():
    with pytest.raises(UserError, match="^share leaves 3 of 3 units of encoder, which has units in common with parts "):
        choice([("decoder", [0, 1]), ("encoder", [0, 1, 2])], {"decoder": 1, "encoder": 3})
