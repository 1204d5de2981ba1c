"""Integers mixed until they look random."""

from torch import Tensor


def mixed(numbers: Tensor) -> Tensor:
    """The int64 numbers, turned into others that look random (the finaliser of SplitMix64, Steele et al. 2014)."""
    numbers = numbers + _signed(0x9E3779B97F4A7C15)
    numbers = (numbers ^ _shifted(numbers, 30)) * _signed(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ _shifted(numbers, 27)) * _signed(0x94D049BB133111EB)
    return numbers ^ _shifted(numbers, 31)


def _shifted(numbers: Tensor, by: int) -> Tensor:
    return (numbers >> by) & ((1 << (64 - by)) - 1)  # torch shifts the sign in


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
