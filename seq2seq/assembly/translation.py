"""A config to a stream of translations, without Lightning, datasets or torchmetrics."""

from omegaconf import DictConfig

from seq2seq.assembly.contract import check_options
from seq2seq.assembly.inference import build_translator, load_runs, read_options
from seq2seq.assembly.threads import set_threads
from seq2seq.decoding.streaming import Stream


def build_stream(config: DictConfig) -> Stream:
    """What translates lines as a config of `translate` describes."""
    options = read_options(config)
    check_options(Stream, options)
    translator = build_translator(options, load_runs(options))
    stream = Stream(
        translator,
        buffer=options["buffer"],
        input=options["input"],
        format=options["format"],
        n_best=options["n_best"],
    )
    set_threads(options["threads"], translator, lines=min(options["buffer"], options["batch_size"]))
    return stream
