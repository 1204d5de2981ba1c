"""Encoder, bridge, decoder and output, and what they share."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.copying import Pointer, PointerOutput
from seq2seq.layers.dropout import WordDropout
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.frame_embedding import Embedder, FrameEmbedding
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.output.frames import refuse_frame_output, writes_frames
from seq2seq.layers.output.output import Output
from seq2seq.layers.recurrent.recomputing import recompute
from seq2seq.layers.recurrent.stack import Encoded
from seq2seq.masking import length_mask, token_shares
from seq2seq.models.bridge import Bridge, join_sides
from seq2seq.models.decoder import Decoder, States, Unrolled
from seq2seq.models.encoder import Encoder
from seq2seq.models.model_options import ModelOptions
from seq2seq.models.waiting import revealed
from seq2seq.shapes import (
    AttentionWeights,
    BeamIds,
    BeamWeights,
    BeamWritten,
    Features,
    Lengths,
    Logits,
    Outputs,
    SoftIds,
    Source,
    SourceMask,
    TargetIds,
    TimeVectors,
    Values,
    Written,
)
from seq2seq.symbols import BOS

_ROWS = 2048  # of scores of the whole vocabulary in memory at once, when targets are scored


class ModelOutputs(NamedTuple):
    """Outputs of a model for sources and whole targets: all that an objective may look at, the batch first."""

    features: Features
    weights: AttentionWeights  # of source tokens
    encoder_outputs: Values  # one for `reduction` tokens of the encoder
    decoder_outputs: Outputs  # of the top layer
    undropped: Outputs  # of the top cell of the decoder, before dropout and what joins it


class Seq2Seq(nn.Module):
    """An attention encoder-decoder, usable as a `Stepper`.

    The parts are factories: this class supplies the sizes, its caller made the choices. With `checkpointing`, recurrent
    layers keep no insides for gradients, but compute them anew, one layer after the other (Chen et al. 2016).
    """

    edits: ClassVar[bool] = False  # whether target ids are edits of the source rather than pieces of a text
    tags: ClassVar[bool] = False  # whether it writes one label, or frame, for each position of the source
    sourceless: ClassVar[bool] = False  # whether it reads no source, as a language model

    def __init__(
        self,
        *,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        options: ModelOptions,
        encoder: Callable[..., Encoder],
        bridge: Callable[..., Bridge],
        decoder: Callable[..., Decoder],
        output: Callable[..., Output],
        copying: Callable[..., Pointer] | None = None,
    ) -> None:
        super().__init__()
        self._refuse(options, copies=copying is not None)
        if self.edits:
            refuse_frame_output(output, "a transducer")
        self.target_words = WordDropout(options.target_word_dropout, "target_word_dropout")
        new_table = options.frame_table if writes_frames(output) else options.table
        target: Embedder = new_table(target_vocabulary_size)
        self.encoder = encoder(side=options.source_side(source_vocabulary_size, target))
        self.decoder = decoder(embedding=target, memory_size=self.encoder.output_size)
        self.bridge = bridge(input_size=self.encoder.output_size, layouts=self.decoder.layouts)
        self.output = self._own_output(output(feature_size=self.decoder.feature_size, embedding=target))
        self.copying = None if copying is None else self._new_pointer(copying, target)
        if options.checkpointing:
            recompute(self)
        join_sides(self.bridge, self.encoder, self.decoder, copies=copying is not None)

    def _refuse(self, options: ModelOptions, *, copies: bool) -> None:
        """Raise UserError at options that a kind of model cannot have; this one can have all."""

    def _own_output(self, output: Output) -> Output:
        """The output as a kind of model needs it; here, as it is."""
        return output

    def _new_pointer(self, copying: Callable[..., Pointer], target: Embedder) -> Pointer:
        """A new pointer, to which output and embeddings are made to listen."""
        if isinstance(target, FrameEmbedding):
            raise UserError("copying must be none with an output of frames, which are no pieces of a source.")
        if not isinstance(self.encoder.input, TokenInput):
            raise UserError("copying must be none with frames, which are no pieces of a target.")
        source = self.encoder.input.embedding
        source.beyond = target.beyond = True
        size, memory_size = target.vocabulary_size, self.encoder.output_size
        self.output = PointerOutput(self.output, feature_size=self.decoder.feature_size, vocabulary_size=size)
        return copying(
            source_vocabulary_size=source.vocabulary_size,
            target_vocabulary_size=size,
            state_size=self.decoder.readout.projection.in_features - memory_size,
            memory_size=memory_size,
            input_size=target.size,
        )

    def encode(self, source: Source, lengths: Lengths) -> tuple[Memory, States]:
        """Memory and first decoder states, `batch ...`."""
        return self._read(source, lengths, source)[:2]

    def _read(self, words: Source, lengths: Lengths, source: Source) -> tuple[Memory, States, Encoded]:
        """Memory, first decoder states and what the encoder gave for words, in the place of a source."""
        waiting = self.decoder.waiting if self.training else None
        waited = None if waiting is None else waiting.draw(lengths)
        encoded = self.encoder(words, lengths, None if waited is None else waited.minimum(lengths))
        memory, states = self.remember(encoded, length_mask(lengths, source.shape[1]), source)
        return (memory if waited is None else memory._replace(waited=(waited,))), states, encoded

    def remember(self, encoded: Encoded, tokens: SourceMask, source: Source) -> tuple[Memory, States]:
        """Memory and first decoder states, from what the encoder gave, where the source has tokens, and which."""
        values = encoded.values
        memory = self.decoder.remember(values, length_mask(encoded.lengths, values.shape[1]))
        states = States(self.bridge(encoded.last), self.decoder.attention.start(memory))
        if self.encoder.reduction > 1:
            memory = memory._replace(shares=(token_shares(tokens, self.encoder.reduction, values.dtype),))
        if self.copying is not None:
            memory = memory._replace(copies=tuple(self.copying.reach(source, tokens)))
        return memory, states

    def start(self, source: Source, lengths: Lengths) -> tuple[Memory, States]:
        """Memory, and the states of one empty hypothesis of each sentence, `batch 1 ...`."""
        memory, states = self.encode(source, lengths)
        return memory, states.of_one_hypothesis()

    def step(self, ids: BeamIds, memory: Memory, states: States) -> tuple[Logits, BeamWeights, States]:
        """Scores of the token after each of `ids`, `batch beam vocabulary`, weights of the source, and next states."""
        features, weights, states = self.features(ids, memory, states)
        return self.output.logits(features.flatten(0, 1)).unflatten(0, ids.shape), weights, states

    def features(self, ids: BeamWritten, memory: Memory, states: States) -> tuple[Features, BeamWeights, States]:
        """Features of each next token as the output reads them, weights of the source, and next states."""
        features, weights, states = self.decoder.step(ids, memory, states)
        of_tokens = self._of_tokens(weights, memory)
        if self.copying is not None:
            inputs = self._embedded(ids)
            features = self.copying(features, weights, of_tokens, memory, states.layers[-1].hidden, inputs)
        return features, of_tokens, states

    def unroll(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        """Features as the output reads them, weights of the source and outputs, of whole targets."""
        for waited in memory.waited:
            assert self.decoder.waiting is not None  # as there is a memory that waits
            steps = (ids.ids if isinstance(ids, SoftIds) else ids).shape[1]
            memory = revealed(memory, waited, steps, self.decoder.waiting.pace)
        found = self.decoder.unroll(ids, memory, states)
        of_tokens = self._of_tokens(found.weights, memory)
        if self.copying is None:
            return found._replace(weights=of_tokens)
        inputs = self._embedded(ids)
        features = self.copying(found.features, found.weights, of_tokens, memory, found.undropped, inputs)
        return found._replace(features=features, weights=of_tokens)

    def _embedded(self, ids: Written | BeamWritten) -> TimeVectors:
        """Vectors of tokens, as a pointer reads them."""
        embedding = self.decoder.embedding
        assert isinstance(embedding, Embedding)  # others are refused
        return embedding.undropped(ids)

    @property
    def attends(self) -> bool:
        """Tell whether weights say where in a source the model looked."""
        return self.sourceless or self.decoder.attention.attends

    @property
    def says_unknown(self) -> bool:
        """Tell whether UNK may be said."""
        return not self.tags

    @property
    def copies(self) -> bool:
        """Tell whether it can say pieces of the source that its vocabulary lacks."""
        return self.copying is not None

    @property
    def whole_target(self) -> bool:
        """Tell whether the decoder runs over whole targets rather than step by step."""
        return self.decoder.whole_target

    def token_scores(self, target: TargetIds, memory: Memory, states: States) -> Float[Tensor, "batch target"]:
        """Log-probabilities of the tokens of whole targets, from the memory and states that `start` gave."""
        inputs = torch.cat([torch.full_like(target[:, :1], BOS), target[:, :-1]], 1)
        features = self.unroll(inputs, memory, states.of_sentences()).features
        rows = zip(features.flatten(0, 1).split(_ROWS), target.flatten().split(_ROWS), strict=True)
        return torch.cat([self.output.target_scores(*each) for each in rows]).unflatten(0, target.shape)

    def forward(self, source: Source, lengths: Lengths, target: Written) -> ModelOutputs:
        """Features, weights and outputs of what follows each target token, whole targets at once."""
        words, target = self.encoder.input.dropped(source), self.target_words(target)  # what is dropped can be copied
        memory, states, encoded = self._read(words, lengths, source)
        unrolled = self.unroll(target, memory, states)
        return ModelOutputs(*unrolled[:2], encoded.values, *unrolled[2:4])

    def _of_tokens(self, weights: AttentionWeights, memory: Memory) -> Float[Tensor, "batch target token"]:
        """The weights of source tokens, from those of the memory's positions."""
        for shares in memory.shares:
            weights = weights.repeat_interleave(self.encoder.reduction, -1)[..., : shares.shape[1]]
            weights = weights * shares.unsqueeze(1)
        return weights
