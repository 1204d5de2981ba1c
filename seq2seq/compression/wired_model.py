"""Wiring of a whole model: whose units are whose."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from seq2seq.compression.kept_sizes import of_any_size
from seq2seq.compression.method import Build
from seq2seq.compression.wired_parts import Make, WiredCell, place_part, wire_cell
from seq2seq.compression.wiring import Units, Wiring, fixed, joined
from seq2seq.errors import UserError
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.layers.copying import PointerOutput
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.output.barred import BarredOutput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.connections import DenseConnection, HighwayConnection, ResidualConnection
from seq2seq.models.bridge import LastOutputBridge, StateBridge
from seq2seq.models.decoder import Decoder, GNMTDecoder, LuongDecoder
from seq2seq.models.encoder import Encoder
from seq2seq.models.input_feeding import BahdanauDecoder
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.transducer import Transducer, TransducerDecoder

ENCODER, DECODER, FEATURES, EMBEDDING = "encoder", "decoder", "features", "embedding"


@dataclass
class WiredModel:
    """The wiring of a model, and its vectors by the option that says how long all of those are."""

    wiring: Wiring
    vectors: dict[str, list[Units]] = field(default_factory=dict)

    def note(self, option: str, vector: Units) -> Units:
        """Take down a vector that is as long as an option says."""
        self.vectors.setdefault(option, []).append(vector)
        return vector

    def found(self) -> Iterator[tuple[str, Units]]:
        """Vectors by their option, each by the units that its own are one with."""
        for option, vectors in self.vectors.items():
            yield from ((option, self.wiring.found(vector)) for vector in vectors)


def wire(model: Seq2Seq, config: Mapping[str, Any], build: Build) -> WiredModel:
    """The wiring of a model that the node of a config describes. Raises UserError at a kind that is not known."""
    frames = model.output.frames
    if type(model) not in (Seq2Seq, Transducer) or frames:
        name = type(model.output if frames else model).__name__
        raise UserError(f"method=units knows nothing of the units of {name}: take method=magnitude.")
    wired = WiredModel(Wiring(model))
    written = _wire_embedding(wired, model.decoder.embedding)
    cell, own = build(of_any_size(config["encoder"]["cell"]), "model.encoder.cell"), config["decoder"]
    made = [name for name in ("cell", "attention") if name in own]
    factories = {name: build(of_any_size(own[name]), f"model.decoder.{name}") for name in made}
    values, last, states = _wire_encoder(wired, model.encoder, cell)
    cells, hidden = _wire_decoder(wired, model.decoder, factories, written, values)
    _wire_bridge(wired, model, last, states, cells)
    features = wired.note(FEATURES, wired.wiring.units(model.decoder.feature_size))
    _place_linear(wired.wiring, model.decoder.readout.projection, features, joined([hidden, values]))
    if model.copying is not None:
        _place_linear(wired.wiring, model.copying.switch, fixed(1), joined([values, hidden, written]))
    _wire_output(wired, model, features, written)
    return wired


def _wire_embedding(wired: WiredModel, embedding: nn.Module) -> Units:
    if not isinstance(embedding, Embedding):
        return fixed(int(embedding.size))  # type: ignore[arg-type]
    vector = wired.note(EMBEDDING, wired.wiring.units(embedding.size))
    wired.wiring.place(embedding.table.weight, fixed(embedding.rows), vector)
    return vector


def _wire_input(wired: WiredModel, encoder: Encoder) -> Units:
    """The vector that the lowest layer reads; of a front end, and of frames, nothing can go."""
    if not isinstance(encoder.input, TokenInput):
        for vector in wired.vectors.get(EMBEDDING, [])[:1]:  # as wide as a target's, by one option
            wired.note(EMBEDDING, fixed(len(vector)))
        return fixed(encoder.stack.input_size)
    vector = _wire_embedding(wired, encoder.input.embedding)
    for table in encoder.input.ngrams.tables if encoder.input.ngrams else ():
        assert isinstance(table, nn.Embedding)
        wired.wiring.place(table.weight, fixed(table.num_embeddings), vector)
    if encoder.input.front_end is None:
        return vector
    wired.wiring.tie(vector, fixed(len(vector)))
    return fixed(encoder.stack.input_size)


def _wire_encoder(wired: WiredModel, encoder: Encoder, make: Make) -> tuple[Units, Units, Units]:
    """The vectors of a value, of the top layer's last output, and of all layers' states."""
    if encoder.stack.gap_size:
        raise UserError("method=units knows nothing of cells that read gaps: take method=magnitude.")
    inputs, outputs, states = _wire_input(wired, encoder), fixed(0), []
    stack = encoder.stack
    for steps, layer, connection in zip(stack.steps, stack.layers, stack.connections, strict=True):
        inputs = inputs.repeat(steps)
        cells = [wire_cell(wired.wiring, cell, make, inputs) for cell in layer.directions.values()]  # type: ignore[operator]
        outputs = joined([wired.note(ENCODER, cell.hidden) for cell in cells])
        states += [cell.state for cell in cells]
        inputs = _wire_connection(wired.wiring, connection, inputs, outputs)
    return inputs, outputs, joined(states)


def _wire_connection(wiring: Wiring, connection: nn.Module, inputs: Units, outputs: Units) -> Units:
    """The vector that a connection hands on."""
    if isinstance(connection, DenseConnection):
        return joined([inputs, outputs])
    if isinstance(connection, HighwayConnection):
        place_part(wiring, connection.gate.gate, nn.Linear, inputs, outputs)
        place_part(wiring, connection.gate.bypass, _bypass, inputs, outputs)
    adds = isinstance(connection, ResidualConnection) or (
        isinstance(connection, HighwayConnection) and isinstance(connection.gate.bypass, nn.Identity)
    )
    if adds and len(inputs) == len(outputs):
        wiring.tie(inputs, outputs)
    return outputs


def _bypass(input_size: int, output_size: int) -> nn.Module:
    return nn.Linear(input_size, output_size, bias=False)


def _wire_decoder(
    wired: WiredModel, decoder: Decoder, factories: Mapping[str, Any], written: Units, values: Units
) -> tuple[list[WiredCell], Units]:
    """The cells, bottom first, and the vector that the readout reads."""
    make = factories["cell"]
    if isinstance(decoder, GNMTDecoder):
        cells, query, hidden = _wire_gnmt(wired, decoder, make, written, values)
    elif isinstance(decoder, LuongDecoder | BahdanauDecoder | TransducerDecoder):
        reads = joined([written, values]) if isinstance(decoder, TransducerDecoder) else written
        cells, hidden = _wire_cells(wired, decoder, make, reads)
        query = hidden if isinstance(decoder, LuongDecoder) else cells[-1].hidden
    else:
        raise UserError(f"method=units knows nothing of the units of {type(decoder).__name__}: take method=magnitude.")
    if isinstance(decoder, BahdanauDecoder):
        wired.wiring.place(decoder.feed.weight, cells[0].projected, values)
    if isinstance(decoder.attention, DotAttention):
        wired.wiring.tie(query, values)

    def attend(query_size: int, memory_size: int) -> nn.Module:
        found: nn.Module = factories["attention"](query_size=query_size, memory_size=memory_size)
        return found

    if "attention" in factories:
        place_part(wired.wiring, decoder.attention, attend, query, values)
    return cells, hidden


def _wire_gnmt(
    wired: WiredModel, decoder: GNMTDecoder, make: Make, written: Units, values: Units
) -> tuple[list[WiredCell], Units, Units]:
    cells = [wire_cell(wired.wiring, decoder.bottom, make, written)]
    hidden = query = wired.note(DECODER, cells[0].hidden)
    for depth, cell in enumerate(decoder.upper):
        cells.append(wire_cell(wired.wiring, cell, make, joined([hidden, values])))
        wired.note(DECODER, cells[-1].hidden)
        if depth > 0:
            wired.wiring.tie(hidden, cells[-1].hidden)
        hidden = cells[-1].hidden
    return cells, query, hidden


def _wire_cells(
    wired: WiredModel, decoder: LuongDecoder | BahdanauDecoder | TransducerDecoder, make: Make, hidden: Units
) -> tuple[list[WiredCell], Units]:
    cells = []
    for cell, connection in zip(decoder.cells, decoder.connections, strict=True):
        cells.append(wire_cell(wired.wiring, cell, make, hidden))
        hidden = _wire_connection(wired.wiring, connection, hidden, wired.note(DECODER, cells[-1].hidden))
    return cells, hidden


def _wire_bridge(wired: WiredModel, model: Seq2Seq, last: Units, states: Units, cells: list[WiredCell]) -> None:
    """Place a bridge from the encoder's last outputs, or hand on its states."""
    if isinstance(model.bridge, StateBridge):
        wired.wiring.tie(states, joined([cell.state for cell in cells]))
    elif isinstance(model.bridge, LastOutputBridge):
        _place_linear(wired.wiring, model.bridge.projection, joined([cell.free for cell in cells]), last)


def _wire_output(wired: WiredModel, model: Seq2Seq, features: Units, written: Units) -> None:
    """Place an output's weights; of kinds that are not known, features cannot go."""
    output = model.output
    if isinstance(output, PointerOutput | BarredOutput):
        output = output.words if isinstance(output, PointerOutput) else output.scored
    if isinstance(output, TiedOutput) and isinstance(output.projection, nn.Linear):
        _place_linear(wired.wiring, output.projection, written, features)
    elif isinstance(output, TiedOutput):
        wired.wiring.tie(features, written)
    elif isinstance(output, FullOutput):
        _place_linear(wired.wiring, output.projection, fixed(output.projection.out_features), features)
    else:
        for vector in (features, written):
            wired.wiring.tie(vector, fixed(len(vector)))


def _place_linear(wiring: Wiring, linear: nn.Linear, rows: Units, columns: Units) -> None:
    wiring.place(linear.weight, rows, columns)
    if linear.bias is not None:
        wiring.place(linear.bias, rows)
