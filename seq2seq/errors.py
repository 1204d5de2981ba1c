"""Exceptions that mean: the user can mend this, here is how."""


class UserError(ValueError):
    """A mistake in input or config, told in one line: name, rule, value, what to do."""

    exit_code = 2  # of a script that ends with it


class DivergedError(UserError):
    """Training whose numbers are no longer finite, told in one line: where, and what to do."""

    exit_code = 3
