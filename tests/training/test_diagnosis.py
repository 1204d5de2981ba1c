"""What a line of a diverged run names."""

from contextlib import nullcontext

import torch

from seq2seq.interpretation.trace import named_cells
from seq2seq.symbols import PAD
from seq2seq.training.diagnosis import where_not_finite


def diagnosed(model, batch, *, poisoned: tuple[str, ...]) -> str:
    """The line, where the gradients of these gates of the decoder are no numbers."""
    view = named_cells(model)["decoder 1"].gates
    for name in poisoned:
        rows = view[name].rows

        def poison(gradient, rows=rows):
            gradient = gradient.clone()
            gradient[rows] = float("nan")
            return gradient

        view[name].input_parameter.register_hook(poison)
    return where_not_finite(
        model,
        [batch],
        lambda batch: model(batch.source, batch.source_lengths, batch.target_inputs).features.sum(),
        nullcontext,
    )


def test_a_gate_is_named_beside_its_parameter(build_model, new_batch):
    model, batch = build_model(), new_batch([[4, 5]], [[6, 7]])
    found = diagnosed(model, batch, poisoned=("forget",))
    assert found.startswith("gradients of decoder.")
    assert found.endswith("; gates decoder 1 forget")


def test_gates_are_not_named_where_all_are_finite(build_model, new_batch):
    assert diagnosed(build_model(), new_batch([[4, 5]], [[6, 7]]), poisoned=()) == "none when run again"


def test_gates_are_not_named_where_none_is_finite(build_model, new_batch):
    model, batch = build_model(), new_batch([[4, 5]], [[6, 7]])
    assert "gates" not in where_not_finite(
        model,
        [batch],
        lambda batch: model(batch.source, batch.source_lengths, batch.target_inputs).features.sum() * float("nan"),
        nullcontext,
    )


def test_activations_are_of_targets_that_begin(build_model, new_batch):
    """Others go on from a window before, or are silent."""
    model, batch = build_model(), new_batch([[4, 5]] * 3, [[6, 7]] * 3)
    batch.target_inputs[1:, 0], batch.target_outputs[2] = 5, PAD
    with torch.no_grad():
        next(model.decoder.parameters()).fill_(float("nan"))
    assert "activations of decoder 1" in diagnosed(model, batch, poisoned=())
    batch.target_inputs[0, 0] = 5
    assert "activations" not in diagnosed(model, batch, poisoned=())
