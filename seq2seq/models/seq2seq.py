"""Encoder, bridge, decoder and output, and what they share."""

from collections.abc import Callable

from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output import Output
from seq2seq.layers.recurrent.cells import LSTMState
from seq2seq.masking import length_mask
from seq2seq.models.bridge import Bridge
from seq2seq.models.decoder import Decoder, States
from seq2seq.models.encoder import Encoder
from seq2seq.shapes import AttentionWeights, BeamIds, BeamWeights, Features, Lengths, Logits, SourceIds, TargetIds


class Seq2Seq(nn.Module):
    """An attention encoder-decoder, usable as a `Stepper`.

    The parts are factories: this class supplies the sizes, its caller made the choices.
    """

    def __init__(
        self,
        *,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        embedding_size: int,
        encoder: Callable[..., Encoder],
        bridge: Callable[..., Bridge],
        decoder: Callable[..., Decoder],
        output: Callable[..., Output],
        share_embeddings: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        target = Embedding(target_vocabulary_size, embedding_size, dropout=dropout)
        if share_embeddings and source_vocabulary_size != target_vocabulary_size:
            raise UserError(
                "model.share_embeddings needs one vocabulary for both sides, but they hold "
                f"{source_vocabulary_size} and {target_vocabulary_size} tokens: set tokenizer.joint=true."
            )
        source = target if share_embeddings else Embedding(source_vocabulary_size, embedding_size, dropout=dropout)
        self.encoder = encoder(embedding=source)
        self.decoder = decoder(embedding=target, memory_size=self.encoder.output_size)
        self.bridge = bridge(
            input_size=self.encoder.output_size,
            hidden_size=self.decoder.hidden_size,
            num_layers=self.decoder.num_layers,
        )
        self.output = output(feature_size=self.decoder.feature_size, embedding=target)

    def encode(self, source: SourceIds, lengths: Lengths) -> tuple[Memory, States]:
        """Memory and first decoder states, `batch hidden`."""
        values, last = self.encoder(source, lengths)
        memory = self.decoder.remember(values, length_mask(lengths, source.shape[1]))
        return memory, self.bridge(last)

    def start(self, source: SourceIds, lengths: Lengths) -> tuple[Memory, States]:
        """Memory, and the states of one empty hypothesis of each sentence, `batch 1 hidden`."""
        memory, states = self.encode(source, lengths)
        return memory, tuple(LSTMState(hidden.unsqueeze(1), cell.unsqueeze(1)) for hidden, cell in states)

    def step(self, ids: BeamIds, memory: Memory, states: States) -> tuple[Logits, BeamWeights, States]:
        """Scores of the token after each of `ids`, in every hypothesis."""
        features, weights, states = self.decoder.step(ids, memory, states)
        logits = self.output.logits(features.flatten(0, 1))
        return logits.unflatten(0, ids.shape), weights, states

    def forward(self, source: SourceIds, lengths: Lengths, target: TargetIds) -> tuple[Features, AttentionWeights]:
        """Features of the token after each target token, whole targets at once."""
        memory, states = self.encode(source, lengths)
        return self.decoder.unroll(target, memory, states)


def multiply_accumulates(model: Seq2Seq, source_length: Tensor, target_length: Tensor) -> Tensor:
    """Multiply-accumulates of one forward pass per sentence of the given lengths.

    Every weight matrix is used once per token of its side: 8 H (I + H) for a bidirectional layer,
    4 H (I + H) for another, C F for the readout, V F for the output; attention adds 2 S C per target token.
    """

    def matrices(module: nn.Module, *without: nn.Module) -> int:
        left_out = {id(weight) for part in without for weight in part.parameters()}
        return sum(w.numel() for w in module.parameters() if w.dim() == 2 and id(w) not in left_out)

    encoder, decoder = model.encoder, model.decoder
    per_source = matrices(encoder.stack)
    per_target = matrices(decoder, decoder.embedding) + matrices(model.output)
    attention = 2 * encoder.output_size * source_length * target_length
    return per_source * source_length + per_target * target_length + attention + matrices(model.bridge)
