"""Options with braces are printed so that a shell leaves them whole."""

import re

import pytest
from printed_commands import PAGES, ROOT

CONF = ROOT / "conf"
EXPANDED = re.compile(r"""(?<![\w"'./+])\+*[a-z_.]+=\{[^}\s]*,[^}\s]*\}""")  # an option's value in braces, unquoted


@pytest.mark.parametrize("path", [*PAGES, *sorted(CONF.rglob("*.yaml"))], ids=lambda path: path.stem)
def test_no_option_has_braces_that_a_shell_expands(path):
    assert EXPANDED.findall(path.read_text(encoding="utf-8")) == []


def test_braces_that_a_shell_expands_are_those_with_a_comma_and_no_quotes():
    assert EXPANDED.findall("`space={a:[1,2]}`") == ["space={a:[1,2]}"]
    assert EXPANDED.findall("`\"space={a:[1,2]}\"` 'space={a:[1,2]}' space={a:1} ++a='{b:1,c:2}' {en,de}") == []
