"""Data of one's own: whatever Python can read.    python examples/own_data.py"""

from collections.abc import Iterator

import seq2seq

UNITS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
""".split()  # noqa: SIM905
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905


def in_words(number: int) -> str:
    """The English words of a number below 1000."""
    if number < 20:
        return UNITS[number]
    if number < 100:
        rest = f" {UNITS[number % 10]}" if number % 10 else ""
        return TENS[number // 10 - 2] + rest
    rest = f" {in_words(number % 100)}" if number % 100 else ""
    return f"{UNITS[number // 100]} hundred{rest}"


def lessons() -> Iterator[tuple[str, str]]:
    """Numbers in digits and in words; a target may be a list, where several are right."""
    for number in range(1000):
        if number % 7:
            yield str(number), in_words(number)


small = {"embedding_size": 64, "encoder": {"hidden_size": 64}}
run = seq2seq.train(lessons(), model=small, tokenizer={"source": "char", "target": "word"}, budget={"max_steps": 300})
for number in ("7", "343", "994"):  # never seen
    print(number, "->", run.translate(number))
print(run.evaluate({str(number): in_words(number) for number in range(0, 1000, 7)}).scores)
