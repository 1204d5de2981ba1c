"""Launchers of sweeps compose where their plugin is installed."""

import pytest

LAUNCHERS = {"workers": "hydra_joblib_launcher", "cluster": "hydra_submitit_launcher"}


@pytest.mark.parametrize(("name", "plugin"), LAUNCHERS.items())
def test_launchers_compose(config_of, name, plugin):
    pytest.importorskip(f"hydra_plugins.{plugin}")
    launcher = config_of("train", f"hydra/launcher={name}", return_hydra_config=True).hydra.launcher
    assert plugin in launcher["_target_"]
    assert (launcher["n_jobs"] if name == "workers" else launcher["cpus_per_task"]) == 2
