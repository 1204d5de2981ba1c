"""A loop of one's own in plain torch: strings are reversed.    python examples/training_loop.py"""

from functools import partial
from itertools import product

import torch

from seq2seq import nn
from seq2seq.data.batch import PairSequences
from seq2seq.data.examples import Example
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import TokenizerTrainer

examples = [Example("".join(word), ("".join(reversed(word)),)) for word in product("abcd", repeat=4)]
tokenizers = TokenizerTrainer(source="char", target="char", exact_size=False).train(examples)
pairs = PairSequences(
    TokenSequences.from_ids(tokenizers.source.encode([example.source for example in examples])),
    TokenSequences.from_ids(tokenizers.target.encode([example.targets[0] for example in examples])),
)

torch.manual_seed(1)
stack = nn.StackOptions(hidden_size=32, num_layers=1, cell=nn.GRUCell, dropout=0.0)
layers = nn.DecoderOptions(hidden_size=64, feature_size=32, cell=nn.GRUCell, attention=nn.GeneralAttention, dropout=0.0)
model = nn.Seq2Seq(
    source_vocabulary_size=tokenizers.source.size,
    target_vocabulary_size=tokenizers.target.size,
    options=nn.ModelOptions(embedding_size=32, dropout=0.0),
    encoder=partial(nn.Encoder, options=stack),
    bridge=nn.LastOutputBridge,
    decoder=partial(nn.LuongDecoder, options=layers),
    output=nn.TiedOutput,
)

optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(150):
    batch = pairs.batch(torch.randint(len(pairs), (64,)), step_tokens=1.0)
    features = model(batch.source, batch.source_lengths, batch.target_inputs).features
    loss = model.output.loss(batch.of_tokens(features), batch.of_tokens(batch.target_outputs)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

source = pairs.batch(torch.arange(len(pairs)), step_tokens=1.0)
found = nn.BeamSearch(beam_size=3)(model.eval(), source.source, source.source_lengths)
outputs = tokenizers.target.decode([best.ids for (best, *_) in found])
right = sum(output in example.targets for output, example in zip(outputs, examples, strict=True))
print(f"loss {loss:.2f}, right: {right / len(examples):.0%}")
