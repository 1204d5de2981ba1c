"""Train, run and understand LSTM encoder-decoder models with attention."""

__version__ = "0.2.0"
