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

SPACE, STAND_IN = "\u2581", "\U0010fffd"  # SentencePiece's sign for a space, and what stands for the sign in texts


class Model:
    """An export: two graphs and two tokenizers."""

    def __init__(self, folder: Path) -> None:
        self.about = json.loads((folder / "export.json").read_text(encoding="utf-8"))
        graphs, models = self.about["graphs"], self.about["tokenizers"]
        self.graphs = {name: onnxruntime.InferenceSession(folder / graphs[name]) for name in ("start", "step")}
        self.source, self.target = (
            sentencepiece.SentencePieceProcessor(model_file=str(folder / models[side])) for side in ("source", "target")
        )

    def formed(self, text: str) -> str:
        """The text in the form of Unicode that the model was trained on, without white space at its ends."""
        form = self.about["form"].upper()
        return re.sub(r"^[\s\ufeff]+|[\s\ufeff]+\Z", "", text if form == "NONE" else unicodedata.normalize(form, text))

    def encoded(self, text: str) -> list[int]:
        """Ids of a text: of words, and of characters, those that are unknown are one each."""
        found = []
        for piece in self.source.encode(text, out_type=str):  # of those that are unknown neighbours are one
            index = self.source.piece_to_id(piece)
            count = {"word": piece.count(SPACE), "char": len(piece)}.get(self.about["kind"], 1)
            found += [index] if index > self.about["symbols"]["EOS"] else [self.about["symbols"]["UNK"]] * count
        return found

    def run(self, name: str, tensors: dict[str, Any]) -> dict[str, Any]:
        """Tensors that a graph puts out, by name; of those given, it takes what it knows."""
        graph = self.graphs[name]
        given = {value.name: tensors[value.name] for value in graph.get_inputs()}
        return dict(zip([value.name for value in graph.get_outputs()], graph.run(None, given), strict=True))

    def translate(self, text: str) -> str:
        """The text of the most likely token at every step."""
        symbols, limits, ids = self.about["symbols"], self.about["limits"], [self.about["symbols"]["BOS"]]
        source = [*self.encoded(self.formed(text).replace(SPACE, STAND_IN)), symbols["EOS"]]
        tensors = self.run("start", {"source": np.array([source]), "lengths": np.array([len(source)])})
        for _ in range(int(len(source) * limits["max_ratio"]) + limits["max_extra"]):
            found = self.run("step", {**tensors, "ids": np.array([ids[-1:]])})  # of one sentence, one hypothesis
            tensors.update({state: found[f"next_{state}"] for state in self.about["states"]})
            ids.append(int(found["logits"].argmax()))
            if ids[-1] == symbols["EOS"]:
                break
        said = [number for number in ids[1:] if number != symbols["EOS"]]
        return self.formed(self.target.decode(said).replace(STAND_IN, SPACE))


if __name__ == "__main__":
    model = Model(Path(__file__).parent)
    for line in sys.stdin:
        print(model.translate(line) if line.strip() else "", flush=True)
