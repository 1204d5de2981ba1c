"""Parts that training asks for, as a config describes them: batches, module, trainer, loggers."""
