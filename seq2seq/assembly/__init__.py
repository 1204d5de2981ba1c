"""Config to objects, run folder to model: the only floor that knows Hydra."""
