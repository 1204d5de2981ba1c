"""Translate stdin to stdout, line by line and greedily, by the graphs beside this file: python example.py < in > out"""

import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import sentencepiece

FOLDER = Path(__file__).parent
ABOUT = json.loads((FOLDER / "export.json").read_text(encoding="utf-8"))
BOS, EOS = ABOUT["symbols"]["BOS"], ABOUT["symbols"]["EOS"]
SPACE, STAND_IN = "\u2581", "\U0010fffd"  # SentencePiece's sign for a space, and what stands for the sign in texts
START, STEP = (
    onnxruntime.InferenceSession(FOLDER / ABOUT["graphs"][name], providers=["CPUExecutionProvider"])
    for name in ("start", "step")
)
SOURCE, TARGET = (
    sentencepiece.SentencePieceProcessor(model_file=str(FOLDER / ABOUT["tokenizers"][side]))
    for side in ("source", "target")
)


def formed(text: str) -> str:
    """The text in the form of Unicode that the model was trained on, without white space at its ends."""
    form = ABOUT["form"].upper()
    return re.sub(r"^[\s\ufeff]+|[\s\ufeff]+\Z", "", text if form == "NONE" else unicodedata.normalize(form, text))


def run(graph: onnxruntime.InferenceSession, tensors: dict[str, Any]) -> dict[str, Any]:
    """Tensors that a graph puts out, by name; of those given, it takes what it knows."""
    given = {value.name: tensors[value.name] for value in graph.get_inputs()}
    return dict(zip([value.name for value in graph.get_outputs()], graph.run(None, given), strict=True))


def translate(text: str) -> str:
    """The text of the most likely token at every step."""
    source = [*SOURCE.encode(text.replace(SPACE, STAND_IN)), EOS]
    tensors = run(START, {"source": np.array([source]), "lengths": np.array([len(source)])})
    ids: list[int] = []
    most = int(len(source) * ABOUT["limits"]["max_ratio"]) + ABOUT["limits"]["max_extra"]
    while len(ids) < most:
        found = run(STEP, {**tensors, "ids": np.array([[ids[-1] if ids else BOS]])})  # one sentence, one hypothesis
        if (best := int(found["logits"].argmax())) == EOS:
            break
        ids.append(best)
        tensors.update({name: found[f"next_{name}"] for name in ABOUT["states"]})
    return formed(TARGET.decode(ids).replace(STAND_IN, SPACE))


if __name__ == "__main__":
    for line in sys.stdin:
        line = formed(line)
        print(translate(line) if line else "", flush=True)
