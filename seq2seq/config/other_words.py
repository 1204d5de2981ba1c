"""Words that people know from elsewhere for what is an option here."""

# Each with the options of scripts that it may mean.
MEANT = {
    **dict.fromkeys(("file", "path", "train", "train_file", "train_data", "training", "pairs"), ("data.train", "file")),
    **dict.fromkeys(("dev_file", "valid", "valid_file", "val", "validation", "eval"), ("data.dev",)),
    **dict.fromkeys(("validation_split", "val_split", "val_size", "dev_split"), ("data.dev_size",)),
    **dict.fromkeys(("src", "src_lang", "source_lang", "input_column"), ("data.source",)),
    **dict.fromkeys(("tgt", "trg", "tgt_lang", "target_lang", "label_column"), ("data.target",)),
    **dict.fromkeys(("sep", "separator", "quoting"), ("data.delimiter",)),
    **dict.fromkeys(("epochs", "num_epochs", "n_epochs", "max_epochs", "max_epoch"), ("budget.max_steps",)),
    **dict.fromkeys(("num_steps", "n_steps", "iterations", "train_steps", "max_update"), ("budget.max_steps",)),
    **dict.fromkeys(("learning_rate", "lrate", "step_size"), ("optimizer.lr",)),
    **dict.fromkeys(("optim", "optimiser"), ("optimizer",)),
    **dict.fromkeys(("weight_decay", "wd", "l2"), ("optimizer.weight_decay",)),
    **dict.fromkeys(("scheduler", "lr_scheduler", "lr_schedule"), ("schedule",)),
    **dict.fromkeys(("clip", "clip_norm", "grad_clip", "clip_grad", "max_grad_norm"), ("gradients.max_norm",)),
    **dict.fromkeys(("gradient_clip", "gradient_clip_val", "clip_grad_norm"), ("gradients.max_norm",)),
    **dict.fromkeys(("teacher_forcing", "teacher_forcing_ratio", "forcing"), ("scheduled_sampling",)),
    **dict.fromkeys(("fp16", "bf16", "amp", "half", "mixed_precision", "dtype"), ("precision",)),
    **dict.fromkeys(("batch", "batch_size", "batchsize", "bs"), ("batch_size", "batches.max_tokens")),
    **dict.fromkeys(("update_freq", "accum_count", "accumulation", "accum_grad"), ("trainer.accumulate_grad_batches",)),
    **dict.fromkeys(("gradient_accumulation_steps", "accumulate"), ("trainer.accumulate_grad_batches",)),
    **dict.fromkeys(("eval_every", "eval_steps", "valid_freq", "val_freq"), ("trainer.val_check_interval",)),
    **dict.fromkeys(("valid_steps", "validate_every", "val_every", "eval_freq"), ("trainer.val_check_interval",)),
    **dict.fromkeys(("save_every", "save_steps", "save_freq", "checkpoint_every", "keep_checkpoint"), ("saving.keep",)),
    **dict.fromkeys(
        ("log_every", "logging_steps", "log_interval", "report_every"), ("callbacks.progress.every_seconds",)
    ),
    **dict.fromkeys(("disp_freq", "display_freq", "print_every"), ("callbacks.progress.every_seconds",)),
    "patience": ("callbacks.early_stopping.patience",),
    **dict.fromkeys(("wandb", "tensorboard", "log_dir"), ("logger",)),
    **dict.fromkeys(("resume_from", "resume_from_checkpoint", "continue"), ("resume",)),
    **dict.fromkeys(("pretrained", "pretrained_model", "finetune", "fine_tune", "warm_start"), ("init",)),
    **dict.fromkeys(("out", "out_dir", "output", "output_dir", "save_dir", "model_dir"), ("run_dir",)),
    **dict.fromkeys(("model", "checkpoint", "ckpt", "model_path", "run_dir"), ("run",)),
    **dict.fromkeys(("gpu", "gpus", "cuda", "device"), ("device", "trainer.accelerator")),
    **dict.fromkeys(("num_gpus", "n_gpus", "world_size", "nproc", "num_processes"), ("trainer.devices",)),
    **dict.fromkeys(("beam", "beams", "num_beams", "beam_size"), ("decoding.beam_size",)),
    **dict.fromkeys(("max_length", "max_len", "max_decode_len"), ("batches.max_length", "decoding.length.maximum")),
    **dict.fromkeys(("max_new_tokens", "max_output_length", "max_target_length"), ("decoding.length.maximum",)),
    **dict.fromkeys(("min_length", "min_len", "min_new_tokens"), ("decoding.length.minimum",)),
    **dict.fromkeys(
        ("max_source_length", "max_src_len", "max_input_length"), ("batches.max_length", "max_source_tokens")
    ),
    **dict.fromkeys(("length_penalty", "lenpen", "length_normalization"), ("decoding.ranking",)),
    **dict.fromkeys(("sampling", "do_sample", "sample"), ("decoding",)),
    **dict.fromkeys(("temperature", "temp"), ("decoding.temperature",)),
    **dict.fromkeys(("top_k", "topk"), ("decoding.top_k",)),
    **dict.fromkeys(("top_p", "topp", "nucleus"), ("decoding.top_p",)),
    **dict.fromkeys(("nbest", "num_return_sequences", "num_hypotheses"), ("n_best",)),
    **dict.fromkeys(("num_samples", "n_samples"), ("decoding.samples",)),
    **dict.fromkeys(("replace_unk", "unk_replace"), ("replace_unknown",)),
    **dict.fromkeys(("rnn", "rnn_type", "cell", "cell_type"), ("model/cell",)),
    **dict.fromkeys(("attn", "attention_type", "attention_mechanism"), ("model/attention",)),
    **dict.fromkeys(
        ("layers", "n_layers", "num_layers", "encoder_layers", "enc_layers"), ("model.encoder.num_layers",)
    ),
    **dict.fromkeys(("decoder_layers", "dec_layers"), ("model.decoder.num_layers",)),
    **dict.fromkeys(("hidden", "hidden_size", "hidden_dim", "units", "rnn_size"), ("model.encoder.hidden_size",)),
    **dict.fromkeys(("emb_size", "embedding", "embedding_dim", "emb_dim"), ("model.embedding_size",)),
    **dict.fromkeys(("vocab", "vocab_size", "vocabulary_size"), ("tokenizer.source_size",)),
    **dict.fromkeys(("metric", "scores"), ("metrics",)),
}
_READ_HERE = "data are read and batched in the process that trains"
_SHUFFLED = "train comes in another order in each epoch, by the seed; evaluation answers in the order of the data"
# What elsewhere has to be asked for, and is as it should be here.
_NEEDLESS = {
    **dict.fromkeys(("num_workers", "workers", "dataloader_num_workers", "pin_memory", "prefetch_factor"), _READ_HERE),
    **dict.fromkeys(("shuffle", "shuffle_data", "shuffle_train", "no_shuffle"), _SHUFFLED),
}


def needless(name: str) -> str:
    """The end of a sentence on a word that no option is needed for, with the reason; empty for all others."""
    found = _NEEDLESS.get(name.rpartition(".")[2].casefold())
    return f", and none is needed: {found}." if found else ""
