"""A data frame in, a column out.    python examples/data_frame.py"""

import pandas

import seq2seq

HOURS = ["twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
MINUTES = {
    0: "",
    5: "five past",
    10: "ten past",
    15: "quarter past",
    20: "twenty past",
    30: "half past",
    45: "quarter to",
}


def spoken(hour: int, minute: int) -> str:
    """The time of day as it is said, such as quarter to five."""
    said = HOURS[(hour + (minute == 45)) % 12]
    return f"{MINUTES[minute]} {said}".strip()


rows = [(f"{hour:02}:{minute:02}", spoken(hour, minute)) for hour in range(24) for minute in MINUTES]
frame = pandas.DataFrame(rows, columns=["source", "target"])
small = {"embedding_size": 64, "encoder": {"hidden_size": 64}}
run = seq2seq.train(frame, tokenizer={"source": "char", "target": "word"}, model=small, budget={"max_steps": 400})

times = pandas.DataFrame({"time": ["16:45", "07:30", "23:10"]})
times["spoken"] = run.translate(times["time"])
times["log_probability"] = [best.hypothesis.score for (best,) in run.translate(times["time"], n_best=1)]
print(times)
