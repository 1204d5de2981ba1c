"""Batches that grow while a model learns."""

from seq2seq.data.batching import TokenBudget
from seq2seq.errors import UserError, check_finite


class BatchGrowth:
    """Batches of `factor` times as many tokens and sentences after every `every` steps, up to `maximum` times as many.

    In place of a falling learning rate (Smith et al. 2018): noise of the gradient goes with rate over batch size. A
    size holds for whole epochs, by the step that they begin at. Raises UserError at a factor that is not above 1, fewer
    than one step, and a maximum below the factor.
    """

    def __init__(self, *, factor: float = 2.0, every: int = 1000, maximum: float = 8.0) -> None:
        check_finite(factor=factor, maximum=maximum)
        if not factor > 1:
            raise UserError(f"factor must be above 1, but is {factor}: for batches of one size, choose none.")
        if every < 1:
            raise UserError(f"every must be at least 1 step, but is {every}.")
        if maximum < factor:
            raise UserError(f"maximum must be at least factor={factor}, but is {maximum}: nothing would ever grow.")
        self.factor, self.every, self.maximum = factor, every, maximum

    def times(self, step: int) -> float:
        """The factor by which batches are larger in an epoch that begins at a step."""
        found = 1.0
        for _ in range(step // self.every):
            found *= self.factor
            if found >= self.maximum:
                return self.maximum
        return found

    def ended(self, step: int) -> bool:
        """Tell whether batches are as large as they will be."""
        return self.times(step) >= self.maximum

    def grown(self, budget: TokenBudget, step: int) -> TokenBudget:
        """The limits of a batch in an epoch that begins at a step."""
        return _multiplied(budget, self.times(step))

    def largest(self, budget: TokenBudget) -> TokenBudget:
        """The limits of a batch in the end."""
        return _multiplied(budget, self.maximum)


def _multiplied(budget: TokenBudget, times: float) -> TokenBudget:
    return TokenBudget(int(budget.max_tokens * times), int(budget.max_sentences * times))
