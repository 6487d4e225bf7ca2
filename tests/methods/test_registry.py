"""Registry: every method has its words and needs, and what lacks something is refused with the way out."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from mlrtma_dist.errors import InputError
from mlrtma_dist.methods.classical import ClassicalAnswer, ClassicalMethod
from mlrtma_dist.methods.reference import NoIncrement
from mlrtma_dist.methods.registry import (
    LEARNED,
    METHODS,
    OF_ENSEMBLES,
    Entry,
    Means,
    Need,
    build,
    check_methods,
    check_name,
)
from mlrtma_dist.methods.settings import Classical

EVERYTHING = frozenset(Need)
CLASSICAL = [name for name, entry in METHODS.items() if entry.kind and Need.SETTINGS in entry.needs]


@pytest.mark.parametrize("name", METHODS)
def test_every_entry_has_words_for_people_and_says_what_it_needs(name):
    entry = METHODS[name]
    assert entry.words and entry.short and len(entry.short) < len(entry.words)
    assert entry.needs and all(isinstance(need, Need) for need in entry.needs)
    assert len(set(entry.needs)) == len(entry.needs) and callable(entry.build)


def test_no_two_methods_share_their_words():
    for attribute in ("words", "short"):
        assert len({getattr(entry, attribute) for entry in METHODS.values()}) == len(METHODS)


def test_the_registry_has_every_departure_method_and_every_kind_of_method():
    assert {name: entry.kind.name for name, entry in METHODS.items() if entry.kind} == {
        name: name for name in ("first_guess", *CLASSICAL)
    }
    assert OF_ENSEMBLES == ("letkf", "envar", "hybrid")
    assert (
        *("unet", "vit", "vit_hybrid", "diffusion", "one_pass"),
        *("lam", "lam_diffusion", "lam_one_pass"),
    ) == LEARNED
    assert all(Need.CHECKPOINT in METHODS[name].needs for name in LEARNED)
    assert {name for name, entry in METHODS.items() if entry.whole} == {
        "exact_oi",
        "exact_bayes",
        "best_linear",
        "outer_loops",
    }


def test_an_unknown_name_is_refused_with_all_names():
    expected = f"unknown method '4dvar': the methods are {', '.join(METHODS)}"
    for check in (lambda: check_name("4dvar"), lambda: check_methods(("oi", "4dvar"), EVERYTHING)):
        with pytest.raises(InputError) as refused:
            check()
        assert str(refused.value) == expected


@pytest.mark.parametrize("name", METHODS)
def test_a_method_without_one_of_its_needs_is_refused_with_how_to_provide_it(name):
    check_methods((name,), METHODS[name].needs)  # these suffice
    for need in METHODS[name].needs:
        offered = EVERYTHING - {need}
        with pytest.raises(InputError) as refused:
            check_methods((name,), offered)
        message = str(refused.value)
        assert message.startswith(f"method {name} needs {need.value}; with what is provided the methods are ")
        alternatives = message.rpartition("the methods are ")[2].split(", ")
        assert name not in alternatives
        for other in alternatives:
            check_methods((other,), offered)


def test_a_method_that_lacks_everything_is_refused_and_no_method_is_offered():
    with pytest.raises(InputError, match="method unet needs a trained network: --checkpoint .* the methods are none"):
        check_methods(("unet",), ())


def test_methods_of_one_run_share_their_covariances_and_stand_in_the_order_of_their_names(toy):
    methods = build(("oi", "threedvar", "oi"), Means(settings=toy.settings("t2m")))
    assert list(methods) == ["oi", "threedvar"]
    assert methods["oi"].hours is methods["threedvar"].hours


@pytest.mark.parametrize("name", [name for name in CLASSICAL if name not in OF_ENSEMBLES])
def test_a_classical_entry_builds_the_method_of_its_name(toy, name):
    settings = toy.settings("t2m")
    (method,) = build((name,), Means(settings=settings)).values()
    assert isinstance(method, ClassicalMethod) and (method.name, method.settings) == (name, settings)
    case = toy.case(settings)
    answer = method.analyse(case)
    assert answer.variables == ("t2m",) and np.isfinite(answer.weight[case.used]).all()


@dataclass(frozen=True)
class Unchanged:
    """A method from outside the package: the first guess."""

    settings: Classical

    def analyse(self, case, neighbourhood=None) -> ClassicalAnswer:
        empty = case.points[:0], np.empty(0), np.empty(0)
        return ClassicalAnswer(
            case, {name: NoIncrement().fit(*empty) for name in self.settings.variables}, self.settings.variables
        )


def test_a_method_from_outside_is_one_class_and_one_entry(toy, monkeypatch):
    entry = Entry(
        "the first guess from outside", "outside", (Need.FIRST_GUESS,), lambda means: Unchanged(means.settings)
    )
    monkeypatch.setitem(METHODS, "outside", entry)
    check_methods(("outside",), {Need.FIRST_GUESS})
    settings = toy.settings("t2m", "psfc")
    case = toy.case(settings)
    methods = build(("outside", "first_guess"), Means(settings=settings))
    fields, expected = (methods[name].analyse(case).fields() for name in ("outside", "first_guess"))
    for name in settings.variables:
        np.testing.assert_array_equal(fields.values[name], expected.values[name])


def test_the_registry_and_a_classical_analysis_import_no_torch():
    code = (
        "import sys; from mlrtma_dist.methods.registry import METHODS, Means, build;"
        " from mlrtma_dist.methods.settings import load_settings;"
        f" build({CLASSICAL!r}, Means(settings=load_settings('classical')));"
        " import mlrtma_dist.inference.analyse, mlrtma_dist.samples.station_hours, mlrtma_dist.verification.withheld;"
        " print(sorted({'torch', 'deepspeed', 'mpi4py'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
