"""Fronts: they move as fast as they say, cool by their contrast, and are nothing where they do not reach."""

from dataclasses import replace

import numpy as np
import pytest

from mlrtma_dist.simulation.fronts import END, Front, Fronts

CENTRE = (500e3, 500e3)
AXIS = np.arange(0.0, 1000e3, 5e3)
HOUR = 3600.0


def front(kind: Fronts, speed: float = 10.0, angle: float = -0.4) -> Front:
    return Front(kind, 1, 5, CENTRE, 1.0e9, speed, 6.0, (np.sin(angle), np.cos(angle)))


@pytest.mark.parametrize("bend", [0.0, 40e3])
def test_the_line_moves_with_its_stated_speed_along_its_heading(bend):
    moving = front(Fronts(bend=bend), speed=11.0)
    middle = AXIS[len(AXIS) // 2 : len(AXIS) // 2 + 1]
    crossings = []
    for hours in (-3.0, 0.0, 5.0):  # where the line crosses the row through the centre
        ahead = moving.ahead(middle, AXIS, moving.passage + hours * HOUR)[0]
        crossings.append(np.interp(0.0, ahead, AXIS))
    if not bend:
        assert crossings[1] == pytest.approx(CENTRE[1], abs=1.0)
        np.testing.assert_allclose(np.diff(crossings) * np.cos(-0.4), 11.0 * HOUR * np.array([3.0, 5.0]), rtol=1e-6)
    steepest = []
    for hours in (0.0, 4.0):  # with its bends: the whole line keeps its shape
        y, x = (AXIS + moving.speed * hours * HOUR * part for part in moving.heading)
        steepest.append(moving.temperature(moving.ahead(y, x, moving.passage + hours * HOUR)))
    np.testing.assert_allclose(steepest[1], steepest[0], atol=1e-6)


def test_temperature_falls_by_the_contrast_and_pressure_is_lowest_on_the_line():
    kind = Fronts(width=15e3, recovery=1e9)
    one = front(kind)
    away = np.linspace(-100e3, 100e3, 2001)
    temperature, pressure = one.temperature(away), one.pressure(away)
    assert temperature[-1] == pytest.approx(0.0, abs=1e-4)
    assert temperature[0] == pytest.approx(-one.contrast, rel=1e-3)
    assert abs(away[np.gradient(temperature).argmax()]) < 1e3
    assert abs(away[pressure.argmin()]) < 1.0
    assert pressure.min() == pytest.approx(-kind.trough * one.contrast / kind.contrast)


def test_a_front_that_is_not_felt_adds_exactly_nothing():
    kind = Fronts()
    one, seen = front(kind, angle=0.0), []
    for hours in range(-200, 201, 10):
        time = one.passage + hours * HOUR
        ahead = one.ahead(AXIS[::20], AXIS[::20], time)
        felt = one.is_felt(AXIS[::20], AXIS[::20], time)
        seen.append(felt)
        if not felt:
            assert not one.temperature(ahead).any() and not one.pressure(ahead).any() and not one.cloud(ahead).any()
    assert any(seen) and not all(seen)
    assert not one.temperature(np.array([-END * kind.recovery - 1.0])).any()


def test_no_front_appears_or_vanishes_while_it_is_felt():
    """A trough that reaches farther than the cold behind it, every hour for a week."""
    kind, times = Fronts(recovery=100e3, reach=600e3, bend=0.0), 1.6e9 + HOUR * np.arange(168)
    wider = replace(kind, recovery=1e7)  # knows fronts 40,000 km away
    fronts = {f.number: replace(f, kind=kind) for f in wider.near(3, times[80], CENTRE, northern=True)}
    for time in times:
        near = {f.number for f in kind.near(3, time, CENTRE, northern=True)}
        felt = {number for number, f in fronts.items() if f.is_felt(AXIS, AXIS, time)}
        assert felt <= near and len(felt) < len(fronts)
    assert felt


def test_fronts_follow_each_other_at_the_interval():
    kind = Fronts(interval=48.0)
    times = sorted({f.passage for day in range(60) for f in kind.near(3, 1.6e9 + day * 86400.0, CENTRE, northern=True)})
    assert np.mean(np.diff(times)) == pytest.approx(48.0 * HOUR, rel=0.05)
    heading = [f.heading[0] for f in kind.near(3, 1.6e9, CENTRE, northern=True)]
    assert heading and max(heading) <= 0.0  # towards the equator
    assert min(f.heading[0] for f in kind.near(3, 1.6e9, CENTRE, northern=False)) >= 0.0
    assert Fronts(contrast=0.0).near(3, 1.6e9, CENTRE, northern=True) == []
