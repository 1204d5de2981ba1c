import json

import pytest

from seq2seq.commands.interpreting.alarms import AlarmMark, read_alarms
from seq2seq.errors import UserError

GOOD = {"line": 1533, "signal": "nll", "detector": "page_hinkley", "value": 4.3333, "mean": 0.642, "since": 1469}


def test_alarms_come_in_the_order_of_their_lines(tmp_path):
    path = tmp_path / "alarms.jsonl"
    other = GOOD | {"line": 2, "signal": "entropy", "value": -1}
    path.write_text(f"{json.dumps(GOOD)}\n\n{json.dumps(other)}\n")
    expected = [AlarmMark(2, "entropy -1, page_hinkley, line 2"), AlarmMark(1533, "nll 4.33, page_hinkley, line 1,533")]
    assert read_alarms(path) == expected


@pytest.mark.parametrize(
    "change", [{"line": 0}, {"line": "3"}, {"line": True}, {"signal": None}, {"detector": 4}, {"value": "high"}]
)
def test_what_is_no_alarm_is_told_with_its_line(tmp_path, change):
    path, text = tmp_path / "alarms.jsonl", json.dumps({key: (GOOD | change)[key] for key in list(GOOD)[:4]})
    path.write_text(f"{json.dumps(GOOD)}\n{text}\n")
    with pytest.raises(UserError) as error:
        read_alarms(path)
    said = "must be a JSON object with line, from 1 on, signal, detector and value, but is"
    assert str(error.value) == f"{path}, line 2 {said} {text[:80]!r}."


def test_text_is_no_alarm_and_a_file_must_be_there(tmp_path):
    (tmp_path / "text").write_text("[1]\n")
    with pytest.raises(UserError, match=r"text, line 1 must be a JSON object with line"):
        read_alarms(tmp_path / "text")
    with pytest.raises(UserError, match=r"^alarms=.*nowhere does not exist: give the path of a file"):
        read_alarms(tmp_path / "nowhere")
