"""Signs before a key, and null for a group, mean what they say, or are refused with what to write."""

import pytest

from seq2seq.commands.train import train
from seq2seq.config.arguments import readable_arguments
from seq2seq.config.signs import needs_plus, refuse_signs, with_null_groups, with_own_defaults
from seq2seq.errors import UserError


@pytest.fixture
def given(monkeypatch):
    """Arguments as a script is given them."""

    def give(script: str, *arguments: str) -> list[str]:
        monkeypatch.setattr("sys.argv", [f"scripts/{script}.py", *arguments])
        return list(arguments)

    return give


@pytest.mark.parametrize(
    ("script", "argument", "expected"),
    [
        ("train", "logger=null", ["logger=none"]),
        ("train", "callbacks=null", ["callbacks=none"]),
        ("train", "gradients=", ["gradients=none"]),
        ("translate", "rerank=null", ["rerank=none"]),
        ("evaluate", "metrics=null", []),
        ("evaluate", "data=null", []),
        ("train", "callbacks.samples=null", ["callbacks.samples=null"]),
        ("train", "model=gnmt", ["model=gnmt"]),
    ],
)
def test_null_for_a_group_is_its_option_none(given, script, argument, expected):
    assert with_null_groups(given(script, argument)) == expected


@pytest.mark.parametrize(
    ("script", "argument", "said"),
    [
        (
            "train",
            "metrics=null",
            "what the script needs: choose one of metrics=auto, characters, ",
        ),
        (
            "train",
            "model=null",
            "what the script needs: choose one of model=auto, bahdanau, gnmt, language_model, luong, ",
        ),
        (
            "train",
            "model=",
            "what the script needs: choose one of model=auto, bahdanau, gnmt, language_model, luong, ",
        ),
        (
            "compare",
            "optimizer=null",
            "what the script needs: choose one of optimizer=adafactor, adam, adamw, muon, sgd.",
        ),
        ("score", "decoding=null", "The option 'decoding' does not exist"),
        ("interpret", "decoding=null", "choose one of decoding=beam, diverse_beam, greedy, sampling."),
    ],
)
def test_null_for_a_group_that_is_needed_is_refused(given, script, argument, said):
    with pytest.raises(UserError) as error:
        with_null_groups(given(script, argument))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("+seed=3", "+seed=3 adds an option that is there: drop the +, as in seed=3"),
        ("+model=gnmt", "+model=gnmt adds an option that is there: drop the +, as in model=gnmt"),
        ("+trainer.devices=3", "+trainer.devices=3 adds an option that is there: drop the +, as in trainer.devices=3"),
        ("~seed", "~seed leaves out an option that is needed: give seed=VALUE, or leave ~seed out for its default."),
        ("~averaging.decay", "~averaging.decay leaves out an option that is needed: give averaging.decay=VALUE, or "),
        ("~logger", "~logger leaves out a whole group: write logger=none."),
        (
            "~optimizer",
            "~optimizer leaves out what the script needs: choose one of optimizer=adafactor, adam, ",
        ),
        ("++model=gnmt", "++model=gnmt adds an option that is there: drop the +, as in model=gnmt"),
        ("++model/cell=gru", "++model/cell=gru adds an option that is there: drop the +, as in model/cell=gru"),
        ("~optimizer.lrr", "The option 'optimizer.lrr' does not exist: did you mean 'optimizer.lr'?"),
    ],
)
def test_signs_that_cannot_be_meant_are_refused(given, argument, message):
    with pytest.raises(UserError) as error:
        refuse_signs(given("train", argument))
    assert str(error.value).startswith(message)


def test_a_row_of_a_table_can_be_left_out(given):
    given("benchmark", "mode=peers", "~recorded.joeynmt")
    assert readable_arguments(["mode=peers", "~recorded.joeynmt"]) == ["mode=peers", "~recorded.joeynmt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["+callbacks.early_stopping.patience=3"],
            "'callbacks.early_stopping.patience' needs callbacks=early_stopping.",
        ),
        (["callbacks=none", "+callbacks.samples.count=3"], "'callbacks.samples.count' needs callbacks=default."),
        (["+callbacks.mine.size=3"], "'callbacks.mine.size' does not exist: "),
        (["+metrics.mine.size=3"], "'metrics.mine.size' does not exist: "),
        (["gradients=none", "+gradients.max_norm=1"], "'gradients.max_norm' needs gradients=gate or gradients=norm."),
        (["+curriculum.steps=4"], "'curriculum.steps' needs curriculum=competence or curriculum=length."),
    ],
)
def test_an_option_of_a_part_that_is_not_there_is_not_added(given, arguments, message):
    with pytest.raises(UserError) as error:
        readable_arguments(given("train", *arguments))
    assert str(error.value).startswith(f"The option {message}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["+callbacks.mine._target_=own.Callback", "+callbacks.mine.size=3"],
        ["callbacks=none", "+callbacks.mine={_target_:own.Callback}", "+callbacks.mine.size=3"],
        ["callbacks=early_stopping", "+callbacks.early_stopping.strict=true"],
        ["+trainer.profiler=simple"],
    ],
)
def test_an_option_of_a_part_that_is_there_or_comes_is_added(given, arguments):
    assert readable_arguments(given("train", *arguments)) == arguments


@pytest.mark.parametrize("argument", ["++seed=3", "+trainer.profiler=simple", "~callbacks.samples", "~optimizer.lr"])
def test_signs_that_mean_something_stay(given, argument):
    refuse_signs(given("train", argument))


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("~budget.max_steps", "budget.max_steps=null"),
        ("~model.dropout", "model.dropout=0.3"),
        ("~optimizer.lr", "optimizer.lr=0.001"),
        ("~model.embedding_size", "~model.embedding_size"),
        ("~callbacks.samples", "~callbacks.samples"),
        ("seed=3", "seed=3"),
    ],
)
def test_an_option_that_is_left_out_has_the_value_of_its_class(given, argument, expected):
    assert with_own_defaults(given("train", argument)) == [expected]


def test_an_option_that_has_to_be_added_says_so(given):
    given("train")
    assert needs_plus("trainer.profiler") == (
        "trainer.profiler is an option of pytorch_lightning.Trainer that the config leaves at its default: write "
        "+trainer.profiler=..."
    )
    assert needs_plus("trainer.profler") is None
    assert needs_plus("sed") is None
    assert needs_plus("trainer.max_epochs") is None  # which is never an option
    assert needs_plus("trainer.gradient_clip_val") is None


def test_training_without_callbacks(tiny_config, tmp_path, capsys):
    train(tiny_config("callbacks=none", "budget.max_steps=1"), tmp_path, resume=False)
    assert (tmp_path / "metrics.json").exists()
    assert capsys.readouterr().err == ""
