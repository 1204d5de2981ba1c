"""The one exception that means: the user can mend this, here is how."""


class UserError(ValueError):
    """A mistake in input or config, told in one line: name, rule, value, what to do."""
