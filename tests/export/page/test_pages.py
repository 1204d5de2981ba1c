"""A page is whole in itself, safe whatever is in it, and of use by keyboard, on a phone and to a screen reader."""

import json
import re
import subprocess
from base64 import b64encode
from hashlib import sha256
from html import escape, unescape
from importlib.resources import files

import pytest
import torch
from page_programs import NODE, needs_browser, needs_node

from seq2seq.export.page.assembly import assemble
from seq2seq.export.page.description import describe
from seq2seq.export.page.pieces import tables
from seq2seq.export.page.weight_bytes import store

NASTY = '</script><img src=x onerror="alert(1)">&{{weights}}'
PARTS = re.compile(r"<(script|style)(?: id=\"(?:runtime|view)\")?>([\s\S]*?)</\1>")


@pytest.fixture
def page(build_model, letters, page_of):
    torch.manual_seed(4)
    model = build_model(
        source_vocabulary_size=letters.source.size, target_vocabulary_size=letters.target.size, decoder="gnmt"
    ).eval()
    return page_of(model, letters, facts="A few facts.", example="abc")[0]


def digests(page: bytes) -> set[str]:
    """What a policy has to say of the scripts and the style that are in a page."""
    found = {text for _, text in PARTS.findall(page.decode())}
    return {f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}" for text in found}


def test_a_page_loads_nothing_and_runs_what_is_in_it_alone(page):
    text = page.decode()
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    assert policy.startswith("default-src 'none'; ")
    assert set(re.findall(r"sha256-[\w+/=]+", policy)) == digests(page)
    assert len(digests(page)) == 3  # of the style, the model's script and the view's
    assert "unsafe" not in policy
    places = set(re.findall(r"""(?:https?:)?//[\w.]+\w[^\s"'`]*""", re.sub(r'id="weights">[^<]*', "", text)))
    assert {place for place in places if place.startswith("http")} == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"<[^>]* (?:src|href)=(?!\"data:,\")", text)


def test_all_files_of_a_page_are_in_it(page):
    contents = {
        path.name: path.read_text(encoding="utf-8") for path in (files("seq2seq.export.page") / "contents").iterdir()
    }
    scripts = [name for name in contents if name.endswith(".js")]
    assert len(scripts) == len(contents) - 2 == 9
    for name in (*scripts, "page.css"):
        assert contents[name] in page.decode()
    assert all(len(contents[name].splitlines()) <= 250 for name in scripts)
    assert all("innerHTML" not in contents[name] and "insertAdjacent" not in contents[name] for name in scripts)


@needs_browser
def test_no_text_ends_what_it_stands_in(build_model, letters, in_browser):
    model = build_model(source_vocabulary_size=letters.source.size, target_vocabulary_size=letters.target.size).eval()
    limits = {"max_ratio": 1.0, "max_extra": 3, "max_source_tokens": 20}
    about = {**describe(model), **tables(letters), "limits": limits, "example": NASTY, "facts": NASTY}
    page = assemble(about, store(model, "float16"), NASTY)
    assert f"<title>{escape(NASTY)}</title>" in page.decode()
    document, console = in_browser(page, "root.dataset.nasty = String($('text').value === about.example);")
    assert console == []
    assert 'data-nasty="true"' in document
    assert "<img" not in document
    assert f'<p id="facts" class="note">{escape(NASTY, quote=False)}</p>' in document


@needs_node
@pytest.mark.parametrize(("place", "text"), [("#50%", "50%"), ("#a%20b", "a b"), ("#%zz%20", "%zz%20"), ("", "")])
def test_text_in_the_address_is_taken_as_it_stands_where_it_is_no_code(page, place, text):
    found = re.search(r"function textOf[\s\S]*?\n}\n", page.decode())[0]
    program = f"{found}process.stdout.write(textOf({json.dumps(place)}));"
    assert subprocess.run([NODE, "-e", program], capture_output=True, text=True, check=True).stdout == text


@needs_browser
def test_it_opens_from_a_file_and_shows_what_it_found(page, in_browser):
    document, console = in_browser(
        page, "root.dataset.loaded = performance.getEntriesByType('resource').length;", place="#cab"
    )
    assert console == []
    for told in (
        'data-errors="0"',
        'data-ready="true"',
        'data-loaded="0"',
        "A few facts.",
        'lang="en"',
        'aria-live="polite"',
    ):
        assert told in document
    assert re.search(r"Score -?\d+\.\d{3} nats\. \d+ steps of \d+\.\d ms\.", document)
    rows = re.search(r'<table id="attention-table">([\s\S]*?)</table>', document)[1]
    assert re.findall(r'<th scope="col">([^<]*)</th>', rows) == ["", "c", "a", "b", "end"]
    assert re.search(r'<svg class="picture"[^>]*role="img" aria-label="[^"]+ looked most at [^"]+\."', document)
    assert document.count("<polyline") == 4  # a line for each gate


@needs_browser
def test_it_follows_what_is_typed_and_chosen(page, in_browser):
    script = """
      const fire = (id, value, kind) => {
        $(id).value = value;
        $(id).dispatchEvent(new Event(kind, { bubbles: true }));
      };
      const after = (id, value, kind, look) => new Promise((done) => {
        fire(id, value, kind);
        setTimeout(() => done(look()), 400);
      });
      const state = () => told.found.source.join("") + "/" + told.found.found.length + "/" + $("others-section").hidden;
      (async () => {
        const seen = [];
        seen.push(await after("text", "fade", "input", state));
        seen.push(await after("search", "greedy", "input", state));
        seen.push(await after("search", "beam", "input", state));
        seen.push(await after("width", "2", "input", state));
        const mean = $("gates-table").textContent;
        seen.push(await after("unit", "3", "input", () => $("unit").getAttribute("aria-valuetext")));
        seen.push(String($("gates-table").textContent !== mean));
        seen.push(await after("layer", "encoder 2, backward", "change", () => $("gates-table").rows.length));
        const empty = () => $("answer").textContent + "|" + $("attention-section").hidden;
        seen.push(await after("text", "  ", "input", empty));
        $("text").value = "abcdefghij".repeat(30);
        translate();
        seen.push(await after("text", "ab", "input", state)); // which overtakes what is under way
        root.dataset.seen = seen.join("; ");
      })();
    """
    document, console = in_browser(page, script)
    assert console == []
    assert 'data-errors="0"' in document
    wanted = "fade</s>/5/false; fade</s>/1/true; fade</s>/5/false; fade</s>/2/false; "
    wanted += "3 of 8; true; 6; |true; ab</s>/2/false"
    assert unescape(re.search(r'data-seen="([^"]*)"', document)[1]) == wanted


@needs_browser
@pytest.mark.parametrize("width", [320, 400, 1200])
def test_it_fits_and_all_controls_have_names(page, in_browser, width):
    script = """
      const named = (one) => one.labels?.length || one.ariaLabel || one.hasAttribute("aria-labelledby");
      const controls = [...document.querySelectorAll("input, select, output, [tabindex]")];
      root.dataset.nameless = controls.filter((one) => !named(one)).map((one) => one.id).join(" ");
      root.dataset.controls = controls.length;
      root.dataset.width = innerWidth;
      root.dataset.beyond = root.scrollWidth - innerWidth;
      root.dataset.small = controls.filter((one) => one.matches("input, select") && one.offsetHeight < 24).length;
      parent.postMessage(JSON.stringify(root.dataset), "*");
    """
    document, console = in_browser(page, script, place="#abcdefghijklm", width=width)
    assert console == []
    told = json.loads(unescape(re.search(r"\{[^{}]*\}", document.partition("</iframe>")[2])[0]))
    assert (told["nameless"], told["small"], told["errors"]) == ("", "0", "0")
    assert int(told["controls"]) >= 10
    assert int(told["width"]) == width
    assert int(told["beyond"]) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_differ_enough_to_be_read(scheme):
    """Contrast of text is at least 4.5, of lines and edges of controls 3 (WCAG 2.2)."""
    style = (files("seq2seq.export.page") / "contents" / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{([^}]*)\}", style)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[0] if scheme == "light" else blocks[1]))

    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(one: str, other: str) -> float:
        low, high = sorted((light(colours[one]), light(colours[other])))
        return (high + 0.05) / (low + 0.05)

    for ground in ("page", "card"):
        for text in ("ink", "soft", "accent"):
            assert contrast(text, ground) >= 4.5, (text, ground)
        for edge in ("edge", "gate-1", "gate-2", "gate-3", "gate-4", "high"):
            assert contrast(edge, ground) >= 3, (edge, ground)
