"""Measurements of how fast a translator answers, in bulk and line by line."""

import math
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from seq2seq.data.series import Series
from seq2seq.translation.translator import Translator


def benchmark_bulk(translator: Translator, texts: Sequence[str], *, repeats: int) -> dict[str, Any]:
    """Lines, words or frames, and target tokens (EOS among them) per second, and the seconds of every repeat.

    Rates are from the median over the repeats, after one to warm up.
    """
    translator(texts[: translator.batch_size])
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        translator(texts)
        seconds.append(time.perf_counter() - started)
    tokens = sum(len(hypothesis.ids) + hypothesis.finished for hypothesis in translator.hypotheses(texts))
    took = median(seconds)
    read = [text.values if isinstance(text, Series) else text.split() for text in texts]
    unit = "frames" if isinstance(texts[0], Series) else "words"
    return {
        "lines_per_second": round(len(texts) / took, 1),
        f"{unit}_per_second": round(sum(map(len, read)) / took, 1),
        "tokens_per_second": round(tokens / took, 1),
        "seconds": [round(value, 3) for value in seconds],
    }


def benchmark_lines(translator: Translator, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds from a line to its answer: median and 95th percentile, after a few to warm up."""
    milliseconds = []
    for text in [*texts[:10], *texts]:
        started = time.perf_counter()
        translator([text])
        milliseconds.append(1000 * (time.perf_counter() - started))
    measured = milliseconds[min(10, len(texts)) :]
    slow = sorted(measured)[math.ceil(0.95 * len(measured)) - 1]
    return {"median": round(median(measured), 2), "percentile_95": round(slow, 2)}
