"""Options of Lightning's trainer that training sets itself, and those of ours that say what they would."""

from seq2seq.config.invocation import choice_of, is_called, spelled

# None: there is nothing to choose.
_INSTEAD = {
    "max_epochs": "budget.max_steps",
    "max_steps": "budget.max_steps",
    "min_epochs": "budget.max_steps",
    "min_steps": "budget.max_steps",
    "max_time": "budget.max_minutes",
    "fast_dev_run": "budget.max_steps",
    "precision": "precision",
    "callbacks": "callbacks",
    "logger": "logger",
    "default_root_dir": "run_dir",
    "enable_progress_bar": "callbacks.progress",
    "check_val_every_n_epoch": "trainer.val_check_interval",
    "num_sanity_val_steps": "trainer.val_check_interval",
    "enable_checkpointing": "trainer.val_check_interval",
    "limit_test_batches": "data.test",
    "limit_predict_batches": None,
    "enable_model_summary": None,
    "enable_autolog_hparams": None,
    "model_registry": None,
    "barebones": None,
    "sync_batchnorm": None,
    "inference_mode": None,
    "use_distributed_sampler": None,
    "reload_dataloaders_every_n_epochs": None,
}


def refusal(option: str) -> str | None:
    """The sentence that refuses an option which training sets itself, or is for a run that goes on; None for others."""
    if option == "data.changed":
        return (
            f"{choice_of(option, 'accept')} is for a run that goes on with other data: give it with "
            f"{'resume=True' if is_called() else 'resume=true'}, or leave it out."
        )
    group, _, name = option.partition(".")
    if group != "trainer" or name not in _INSTEAD:
        return None
    rather = _INSTEAD[name]
    return f"{spelled(option)} is set by the script: {f'use {spelled(rather)} instead' if rather else 'leave it out'}."


def without_reserved(trainer: dict[str, object]) -> dict[str, object]:
    """Options of a trainer without those that never had an effect."""
    return {name: value for name, value in trainer.items() if name not in _INSTEAD}
