import base64
import glob
import html
import json
import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.interpretation.attribution import gradient_times_input, integrated_gradients, occlusion
from seq2seq.interpretation.gates import saturation, time_constants
from seq2seq.interpretation.report import InterpretedPair, contents, report
from seq2seq.interpretation.trace import trace
from seq2seq.interpretation.training_curves import CurvePoint, TrainingCurves

NASTY = "</script><b onload=alert(1)>&amp;\u2028$"
SOURCE, TARGET = torch.tensor([[5, 6, 7, 3]]), torch.tensor([[2, 4, 5, 3]])
METHODS = (integrated_gradients, occlusion, gradient_times_input)


@pytest.fixture
def reading(build_model) -> InterpretedPair:
    model = build_model(decoder="gnmt").eval()
    return InterpretedPair(
        text=NASTY,
        output="ÄÖ 北京",
        run="runs/1",
        forced=False,
        source=["n", NASTY, "ß", "</s>"],
        target=["ÄÖ", "北京", "</s>"],
        trace=trace(model, SOURCE, torch.tensor([4]), TARGET),
        attributions=[method(model, SOURCE, TARGET) for method in METHODS],
        probe=[0.0, 1.0, 0.0, 2.0],
    )


def inlined(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_holds_its_contents(reading):
    assert inlined(report(reading, units=3)) == contents(reading, units=3)


def test_activations_that_are_not_finite_are_told(reading):
    cell = reading.trace.cells["decoder 1"]
    cells = reading.trace.cells | {"decoder 1": replace(cell, hidden=cell.hidden * float("nan"))}
    with pytest.raises(UserError) as error:
        report(replace(reading, trace=replace(reading.trace, cells=cells)))
    assert str(error.value) == (
        "Activations of decoder 1 are not finite: train the run again with a lower learning rate or "
        "gradients clipped to less."
    )


@pytest.fixture
def impossible(reading) -> InterpretedPair:
    """A reading whose second token has no probability, and so no shares; the other two have both."""
    scores = reading.trace.log_probabilities.clone()
    scores[:, 1] = -torch.inf
    gone = torch.tensor([False, True, False])
    attributions = [
        replace(
            own,
            shares=own.shares.masked_fill(gone.unsqueeze(1), torch.nan),
            delta=None if own.delta is None else own.delta.masked_fill(gone, torch.nan),
        )
        for own in reading.attributions
    ]
    return replace(reading, trace=replace(reading.trace, log_probabilities=scores), attributions=attributions)


def test_what_has_no_probability_is_no_number(reading, impossible):
    whole, found = (inlined(report(one, units=3)) for one in (reading, impossible))
    assert found["scores"] == [whole["scores"][0], None, whole["scores"][2]]
    for before, own in zip(whole["attributions"], found["attributions"], strict=True):
        assert own["shares"] == [before["shares"][0], [None] * 4, before["shares"][2]]
    delta = reading.attributions[0].delta[[0, 2]].abs().max()
    assert found["attributions"][0]["delta"] == pytest.approx(float(delta))


def test_where_no_token_has_a_probability_there_is_no_delta(reading):
    integrated = reading.attributions[0]
    nowhere = replace(integrated, shares=integrated.shares * torch.nan, delta=integrated.delta * torch.nan)
    found = inlined(report(replace(reading, attributions=[nowhere])))
    assert found["attributions"][0]["delta"] is None


def test_a_section_on_attention_is_there_only_where_there_is_attention(reading):
    """What a model without attention is said to look at is every position alike, which says nothing."""
    assert "Where it looked" in report(reading)
    page = report(replace(reading, attends=False))
    assert "Where it looked" not in page
    assert "What each token rests on" in page
    found = inlined(page)
    assert [found[name] for name in ("attention", "entropy", "coverage")] == [None, None, None]


def test_text_cannot_leave_its_place(reading):
    page = report(reading)
    assert NASTY not in page
    assert page.count("</script>") == 2  # of the data and of the page's own script
    assert page.count("<b") == page.count("<body>") == 1
    assert page.count(html.escape(NASTY)) == 2  # the title of the document and that on the page
    assert inlined(page)["source"][1] == NASTY


def test_what_stands_for_a_part_in_the_template_is_text_elsewhere(reading):
    page = report(replace(reading, text="{{script}}"))
    assert page.count('<span class="text">{{script}}</span>') == 1


def test_the_page_asks_for_nothing_from_outside(reading):
    page = report(replace(reading, text="n"))
    addresses = set(re.findall(r"https?://[^\s\"')]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, which nothing fetches
    assert "default-src 'none'" in page
    assert not re.search(r"<link|<img|@import|src=|url\(", page)
    point = CurvePoint(10, 2.0, 2.5, 1.0, 1e-3, 0.1, 0.2, "a gate", 0, 0)
    page = report(replace(reading, text="n", training=TrainingCurves((point,))))
    assert re.findall(r"src=.{22}", page) == ['src="data:image/png;base64']


def unpacked(packed: dict) -> np.ndarray:
    steps = np.frombuffer(base64.b64decode(packed["bytes"]), dtype=np.int8).reshape(-1, packed["units"])
    return steps / 127 * packed["scale"]


def test_contents_are_those_of_the_trace(reading):
    found = contents(reading, units=3)
    traced = reading.trace
    np.testing.assert_allclose(found["attention"], traced.weights[0], atol=1e-4)
    np.testing.assert_allclose(found["scores"], traced.log_probabilities[0], atol=1e-4)
    assert [cell["name"] for cell in found["cells"]] == list(traced.cells)
    for shown, cell in zip(found["cells"], traced.cells.values(), strict=True):
        assert shown["pieces"] == (reading.target if cell.side == "target" else reading.source)
        assert list(shown["maps"]) == [*cell.gates, "hidden state", "cell state"]
        for name, values in {**cell.gates, "hidden state": cell.hidden, "cell state": cell.cell}.items():
            values = values[0].numpy()
            np.testing.assert_allclose(unpacked(shown["maps"][name]), values, atol=abs(values).max() / 254 + 1e-6)
        np.testing.assert_allclose(shown["constants"], time_constants(cell), atol=1e-4)
        assert {name: tuple(shares) for name, shares in shown["saturation"].items()} == {
            name: pytest.approx(shares, abs=1e-4) for name, shares in saturation(cell).items()
        }
    for shown, own in zip(found["attributions"], reading.attributions, strict=True):
        np.testing.assert_allclose(shown["shares"], own.shares, atol=1e-4)


def test_units_follow_their_signal_most_closely(reading):
    signals = {signal["name"]: signal["units"] for signal in contents(reading, units=3)["signals"]}
    assert list(signals) == ["position", "remaining length", "probe"]
    for name, units in signals.items():
        assert len(units) == 3
        strengths = [abs(unit["correlation"]) for unit in units]
        assert strengths == sorted(strengths, reverse=True)
        for unit in units:
            cell = reading.trace.cells[unit["cell"]]
            np.testing.assert_allclose(unit["values"], cell.memory[0, :, unit["number"]], atol=1e-4)
            assert np.corrcoef(unit["values"], unit["signal"])[0, 1] == pytest.approx(unit["correlation"], abs=5e-3)
            assert name == "probe" or unit["correlation"] > 0
    assert all(unit["signal"] == [0, 1, 0, 2] for unit in signals["probe"])
    assert all(unit["cell"].startswith("encoder") for unit in signals["probe"])


def test_a_reading_without_a_probe_has_no_such_signal(reading):
    signals = contents(replace(reading, probe=None), units=3)["signals"]
    assert [signal["name"] for signal in signals] == ["position", "remaining length"]


def test_a_probe_of_another_length_is_refused(reading):
    with pytest.raises(UserError) as caught:
        report(replace(reading, probe=[1.0, 2.0]))
    assert str(caught.value) == "probe must have 4 numbers, one per source token and one for its end, but has 2."


def test_layers_with_steps_of_their_own_are_numbered(build_model, reading):
    model = build_model(encoder_layers=3, halvings=1)
    found = contents(replace(reading, trace=trace(model, SOURCE, torch.tensor([4]), TARGET)), units=50)
    assert [cell["pieces"] for cell in found["cells"]][3:5] == [reading.source, ["1", "2"]]
    assert {unit["cell"] for unit in found["signals"][2]["units"]} <= {cell["name"] for cell in found["cells"][:4]}


def test_parts_of_the_page_are_installed_with_the_package():
    root = Path(__file__).parents[2]
    patterns = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    package = root / "seq2seq" / "interpretation"
    shipped = {path for pattern in patterns["seq2seq.interpretation"] for path in glob.glob(str(package / pattern))}
    assert {Path(path).name for path in shipped} == {
        "report.html",
        "report.css",
        "report.js",
        "attention.html",
        "units.html",
        "training.html",
        "stream.html",
    }


# In a browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH: apt-get install chromium")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=5000"
)


def opened(page: str, folder: Path, script: str = "") -> tuple[str, list[str]]:
    """The document after its scripts and one of ours ran, and what scripts wrote to the console."""
    file = folder / "report.html"
    file.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    command = [BROWSER, *QUIET.split(), f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    environment = os.environ | {"HOME": str(folder)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    return result.stdout, [line for line in result.stderr.splitlines() if ":CONSOLE" in line]


@in_browser
def test_the_page_draws_itself_without_a_mistake(reading, tmp_path):
    page, console = opened(report(reading, units=3), tmp_path)
    assert console == []
    assert 'data-errors="0"' in page
    assert 'data-ready="true"' in page
    for piece in ("n", "ß", "ÄÖ", "北京", html.escape(NASTY, quote=False)):
        assert f">{piece}</text>" in page
        assert piece in reading.target or f">{piece}</span>" in page  # below a gate's panel
    for piece in reading.target:
        assert f"<b>{html.escape(piece)}</b>" in page
    assert "<b onload" not in page
    assert page.count("<canvas") == 4  # a panel per gate
    units = contents(reading, units=3)["signals"][0]["units"]
    assert page.count("<circle") == sum(len(unit["values"]) for unit in units)
    assert f"Score: log-probability {float(reading.trace.log_probabilities.sum()):.3f} over 3 tokens" in page
    for name in reading.trace.cells:
        assert f'<th scope="row">{name}</th>' in page


@in_browser
def test_what_has_no_probability_is_told_to_have_none(impossible, tmp_path):
    page, console = opened(report(impossible, units=3), tmp_path)
    assert console == []
    assert 'data-errors="0"' in page
    assert "Score: none, as 1 of 3 tokens has no probability." in page
    assert page.count("<small>no probability</small>") == 1
    drawn = page[page.index("<main>") : page.index("</main>")]  # scripts hold the words, too
    assert drawn.count("no share, as a probability is 0") == len(impossible.source)


@in_browser
def test_the_page_of_a_model_without_attention_draws_itself(reading, tmp_path):
    page, console = opened(report(replace(reading, attends=False), units=3), tmp_path)
    assert console == []
    assert 'data-errors="0"' in page
    assert 'data-ready="true"' in page
    assert "coverage" not in page[page.index("<main>") : page.index("</main>")]


@in_browser
def test_what_can_be_scrolled_fades_where_some_of_it_is_hidden(reading, tmp_path):
    script = """
      const box = $("attention");
      const seen = [];
      const look = (width, left) => {
        box.style.width = width;
        box.scrollLeft = left;
        fade(box);
        seen.push([...box.classList].filter((name) => name.startsWith("more")).sort().join("+") || "whole");
      };
      look("4000px", 0);
      look("60px", 0);
      look("60px", 20);
      look("60px", 9999);
      root.dataset.seen = seen.join(" ");
    """
    page, console = opened(report(reading, units=3), tmp_path, script)
    assert console == []
    assert 'data-seen="whole more-right more-left+more-right more-left"' in page


@in_browser
def test_every_choice_can_be_drawn(reading, tmp_path):
    script = """
      let drawn = 0;
      for (const layer of [...$("layer").options]) {
        for (const id of ["method", "signal", "direction", "gate", "order"]) {
          for (const option of [...$(id).options]) {
            $("layer").value = layer.value;
            $("layer").dispatchEvent(new Event("change"));
            $(id).value = option.value;
            $(id).dispatchEvent(new Event("change"));
            drawn += 1;
          }
        }
      }
      const box = $("gates").querySelector("canvas").getBoundingClientRect();
      const place = { clientX: box.left + 1, clientY: box.top + 1, bubbles: true };
      $("gates").querySelector("canvas").dispatchEvent(new PointerEvent("pointermove", place));
      root.dataset.drawn = drawn;
    """
    page, console = opened(report(reading, units=3), tmp_path, script)
    assert console == []
    assert 'data-errors="0"' in page
    choices = len(METHODS) + 3 + 7 + 3  # methods, signals, maps of gates and states, orders
    assert f'data-drawn="{2 * (choices + 2) + 2 * (choices + 1)}"' in page  # an encoder layer has two directions
    tip = re.search(r'<div id="tip"[^>]*>(.*?)</div>', page, re.DOTALL)[1]
    assert re.fullmatch(r"ÄÖ \(step 1\)\nunit \d\n[\w ]+ [-+−]?\d\.\d\d", tip)


@in_browser
def test_a_mistake_in_the_page_would_show(reading, tmp_path):
    page, console = opened(report(reading), tmp_path, "missing();")
    assert 'data-errors="1"' in page
    assert len(console) == 1
