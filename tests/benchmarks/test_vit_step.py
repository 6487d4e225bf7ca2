"""The benchmark of the transformer's step: operations against a count by hand, and a tiny run on the CPU."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlrtma_dist.nn.vit import VisionTransformerConfig

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "vit_step.py"


def load():
    spec = importlib.util.spec_from_file_location("vit_step", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["vit_step"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("limit", [0, 11, 12, 13, 36, 200, 1000])
def test_the_largest_tile_is_the_last_multiple_of_a_window_that_fits(monkeypatch, limit):
    module, config = load(), VisionTransformerConfig(patch=3, window=4)
    monkeypatch.setattr(module, "fits", lambda config, shape, place: shape[0] <= limit)
    assert module.largest_tile(config, None) == limit // 12 * 12


def test_operations_are_those_of_the_layers_counted_by_hand():
    module = load()
    size, patch, window, width, inner, channels_in, channels_out = 24, 3, 4, 16, 8, 5, 2
    config = VisionTransformerConfig(channels_in, channels_out, patch, window, width, 2, 1, inner, recompute=True)
    points, tokens = size**2, (size // patch) ** 2
    embedding = tokens * width * channels_in * patch**2
    attention = tokens * (3 + 1) * width**2 + 2 * tokens * window**2 * width
    pointwise = tokens * 2 * 2 * width**2
    decoder = 9 * (tokens * width * inner + points * (inner + channels_in) * inner + points * inner * channels_out)
    # An addition and a multiplication are two; backward costs twice forward, but the inputs need no gradient.
    expected = 2 * (2 * embedding + 3 * (attention + pointwise + decoder))
    assert module.operations(config, (size, size)) == expected


def test_what_fails_is_named_and_the_share_is_that_of_what_works(monkeypatch, capsys):
    module = load()
    times = {(): 4.0, ("fused attention",): 2.0, ("channels last",): 3.0, ("fused attention", "channels last"): 2.5}

    def step_time(config, shape, switches, place):
        if switches == ("compile",):
            raise RuntimeError("no kernel")
        return times[switches]

    monkeypatch.setattr(module, "step_time", step_time)
    monkeypatch.setattr(module, "free", lambda: None)
    monkeypatch.setattr(module, "operations", lambda config, shape: 1e12)
    place = module.Place(None, 1, 1e12)
    assert module.utilisation("wide", module.SHIPPED, 8, module.SWITCHES, place) == 0.5
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "wide, no switch: step 4 s, 0.250 of the peak"
    assert lines[3] == "wide, compile fails: RuntimeError 'no kernel'"
    assert lines[4] == "wide, fused attention and channels last: step 2.5 s, 0.400 of the peak"
    assert "gains: fused attention 2.00, channels last 1.33, compile 0.00; 2 s with fused attention, 0.5" in lines[5]


def test_a_network_without_switches_that_does_not_fit_does_not_end_the_race(monkeypatch):
    module = load()

    def step_time(config, shape, switches, place):
        if not switches:
            raise module.torch.OutOfMemoryError("no memory")
        return 2.0

    monkeypatch.setattr(module, "step_time", step_time)
    monkeypatch.setattr(module, "free", lambda: None)
    monkeypatch.setattr(module, "operations", lambda config, shape: 1e12)
    place = module.Place(None, 1, 1e12)
    assert module.utilisation("wide", module.SHIPPED, 8, module.SWITCHES[:1], place) == 0.5


@pytest.mark.slow
def test_a_tiny_run_prints_operations_over_time_and_peak_last():
    peak = 1e9
    command = [
        sys.executable,
        str(FILE),
        "--tile",
        "32",
        "--width",
        "16",
        "--depth",
        "1",
        "--steps",
        "1",
        "--peak",
        str(peak),
        "--switches",
        "fused attention",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    last, wide = lines[-1], next(line for line in lines if line.startswith("wide: "))
    assert [line.split(":")[0] for line in lines[1:3]] == ["wide, no switch", "wide, fused attention"]  # as measured
    count, seconds = (
        float(re.search(pattern, wide).group(1)) for pattern in (r"([\d.e+-]+) x 10\^12", r"; ([\d.e+-]+) s with")
    )
    assert float(last.split()[-1]) == pytest.approx(count * 1e12 / seconds / peak, rel=2e-3)
