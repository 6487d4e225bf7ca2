"""The command: immediate help, exit codes that scripts can trust, results apart from messages."""

import os
import pathlib
import subprocess
import sys

import pytest

from jobs import analyse, command, verify
from jobs.command_line import parse
from mlrtma_dist import config
from mlrtma_dist.samples.sources import CasesSection
from mlrtma_dist.samples.station_hours import Reports

ROOT = pathlib.Path(__file__).parents[2]
CALL = "import sys; from jobs.command import main; sys.exit(main())"
HEADER = "station,network,time,latitude,longitude,elevation,t2m\n"


def run(*arguments, code: str = CALL, **environment) -> subprocess.CompletedProcess:
    """The command in a process of its own."""
    variables = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=variables, timeout=120
    )


def cpu_seconds(code: str, *arguments) -> float:
    """The least CPU time of three runs."""
    used = []
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        used.append(usage.ru_utime + usage.ru_stime)
    return min(used)


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"]], ids=["all verbs", "the verb of most keys"])
def test_help_costs_less_than_a_third_of_a_second(arguments):
    assert cpu_seconds(CALL, *arguments) < cpu_seconds("pass") + 0.3


def test_help_imports_neither_numpy_nor_torch_nor_a_verb():
    code = "import sys; from jobs.command import main; main(['--help']); print('LOADED', *sorted(sys.modules))"
    modules = set(run(code=code).stdout.split("LOADED")[1].split())
    assert not modules & {"numpy", "torch", "yaml", "scipy", "pyproj", "mpi4py"}
    assert not {name for name in modules if name.startswith("jobs.")} - {"jobs.command"}


def test_help_of_a_verb_imports_nothing_that_takes_long():
    calls = "; ".join(f"main([{verb!r}, '--help'])" for verb in command.VERBS)
    code = f"import sys; from jobs.command import main; {calls}; print('LOADED', *sorted(sys.modules))"
    modules = set(run(code=code).stdout.split("LOADED")[1].split())
    assert not modules & {"numpy", "torch", "scipy", "pyproj", "mpi4py", "eccodes", "netCDF4", "h5py", "matplotlib"}


def test_help_names_every_verb_and_exit_code(capsys):
    assert command.main(["--help"]) == 0 == command.main([])
    text = capsys.readouterr().out
    assert all(f"\n  {verb} " in text for verb in command.VERBS)
    assert all(f"{code} " in text for code in (0, 1, 2, 3, 4, 75, 130))


def test_the_version_is_that_of_the_package(capsys):
    from mlrtma_dist import __version__

    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"mlrtma {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyze"], ["unknown verb 'analyze'", "did you mean 'analyse'", "analyse, verify"]),
        (["analyse", "--domian", "conus"], ["unrecognized arguments: --domian", "usage: mlrtma analyse"]),
        (["analyse"], ["the key 'cases' (CasesSection) is missing"]),
        (["analyse", "no.yaml"], ["no.yaml: cannot be read"]),
        (["analyse", "--set", "methd=oi"], ["unknown key 'methd'", "did you mean 'method'"]),
        (["analyse", "--set", "method"], ["--set expects key=value"]),
        (["analyse", "--method", "krig"], ["unknown method 'krig'", "the methods are first_guess, nearest"]),
        (["analyse", "--time", "noon"], ["expected a UTC time such as 2022-08-24T06:00", "'noon'"]),
        (["analyse", "--domain", "conas"], ["did you mean 'conus'"]),
        (["analyse", "--domain", "plane"], ["is a plane without latitude"]),
        (["analyse", "--set", "variables=[t2]"], ["variables: t2 not in classical"]),
        (["analyse", "--set", "cases.reports.window_minutes=0"], ["window_minutes: expected above 0 and up to 1440"]),
        (["analyse", "--set", "cases.reports.observations=[]"], ["expected at least one file"]),
        (["verify", "--folds", "1"], ["folds: expected at least 2, got 1"]),
        (["verify", "--folds", "nan"], ["folds: expected int, got 'nan'"]),
        (["verify", "--blocks", "-3"], ["blocks: expected a size in km above 0, got -3"]),
        (["verify", "--method", "oi", "krig"], ["unknown method 'krig'", "the methods are first_guess, nearest"]),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_says_what_to_write(arguments, words, tmp_path, capsys):
    needed = {"cases.domain": "toy", "cases.reports.observations": "[x.csv]", "output": str(tmp_path)}
    if arguments[0] in ("analyse", "verify") and len(arguments) > 1 and arguments[1] != "no.yaml":
        arguments = [arguments[0], *(a for k, v in needed.items() for a in ("--set", f"{k}={v}")), *arguments[1:]]
    assert command.main(arguments) == 2
    printed = capsys.readouterr()
    assert not printed.out
    for word in words:
        assert word in printed.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"BUFR\x00\x10\x00\x03" + bytes(40), ["cut.prepbufr", "byte"]),
        (b"", ["cut.prepbufr", "empty"]),
        (None, ["cut.prepbufr", "No such file"]),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), ["cut.prepbufr", "looks like HDF5"]),
        ((HEADER + "A,m,2022-08-24T06:00,95,0,0,warm\n").encode(), ["cut.prepbufr", "row 2"]),
        ((HEADER + "A,m,yesterday,45,0,0,280\n").encode(), ["cut.prepbufr", "row 2"]),
    ],
    ids=["truncated BUFR", "empty", "missing", "another kind", "a word for a number", "no time"],
)
def test_input_that_cannot_be_used_ends_with_3_and_names_the_file(content, words, tmp_path, capsys):
    path = tmp_path / "cut.prepbufr"
    if content is not None:
        path.write_bytes(content)
    output = tmp_path / "output"
    assert command.main(["analyse", "--domain", "toy", "--observations", str(path), "--output", str(output)]) == 3
    printed = capsys.readouterr()
    assert not printed.out and not output.exists()
    for word in words:
        assert word in printed.err


def test_a_real_file_cut_short_ends_with_3_and_names_file_and_byte(real_data, tmp_path, capsys):
    whole = (real_data / "prepbufr" / "gdas.20201101.t12z.sfcshp.prepbufr").read_bytes()
    (tmp_path / "cut.prepbufr").write_bytes(whole[: len(whole) // 2])
    files = ["--observations", str(tmp_path / "cut.prepbufr"), "--output", str(tmp_path / "output")]
    assert command.main(["analyse", "--domain", "toy", *files]) == 3
    printed = capsys.readouterr()
    assert not printed.out and "cut.prepbufr" in printed.err and "byte" in printed.err


def test_a_missing_file_ends_the_process_with_3_and_without_a_trace(tmp_path):
    ended = run("analyse", "--domain", "toy", "--observations", tmp_path / "no.csv", "--output", tmp_path)
    assert ended.returncode == 3 and not ended.stdout
    assert "no.csv" in ended.stderr and "Traceback" not in ended.stderr


ANALYSE = ("analyse", "--domain", "toy", "--method", "nearest", "--set", "variables=[t2m]", "--set", "maps=false")


def test_a_full_disk_ends_with_3_the_reason_and_the_path_and_without_a_trace(toy, tmp_path):
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000)); {CALL}"  # bytes of a file
    ended = run(*ANALYSE, "--observations", toy.observations, "--output", tmp_path, code=limited)
    product = tmp_path / "toy_20220824T0600Z" / "toy_20220824T0600Z.nc"
    assert ended.returncode == 3 and not ended.stdout
    assert ended.stderr.endswith(f"mlrtma analyse: [Errno 27] File too large: {str(product)!r}\n")
    assert "Traceback" not in ended.stderr and [p.name for p in product.parent.glob(".*")] == []


def test_standard_output_that_takes_nothing_ends_with_3_and_without_a_trace():
    code = f"import os, jobs.check; os.dup2(os.open('/dev/full', 1), 1); jobs.check.main = print; {CALL}"
    ended = run("check", code=code, PYTHONUNBUFFERED="")
    assert (ended.returncode, ended.stderr.strip()) == (
        3,
        "mlrtma check: [Errno 28] No space left on device: 'standard output'",
    )


@pytest.mark.parametrize("option", ["--observations", "--background", "--output", "--domain"])
def test_a_name_that_is_not_utf8_is_refused_before_anything_is_read(option, tmp_path, capsys):
    """The product says by name what it was made of, and its attributes are UTF-8."""
    named = {"--observations": "x.csv", "--domain": "toy", "--output": str(tmp_path / "out")}
    named[option] = os.fsdecode(b"caf\xe9.yaml")
    assert command.main(["analyse", *(text for pair in named.items() for text in pair)]) == 2
    assert "expected text in UTF-8, got 'caf\\udce9.yaml': rename the file or folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_verb_ends_the_process_with_2():
    ended = run("analyze")
    assert (ended.returncode, ended.stdout) == (2, "") and "did you mean 'analyse'" in ended.stderr


def test_a_fault_of_ours_ends_with_1_and_its_trace():
    ended = run("check", code="import jobs.check; jobs.check.main = lambda arguments: {}['bug']; " + CALL)
    assert ended.returncode == 1 and "Traceback" in ended.stderr and "KeyError: 'bug'" in ended.stderr


def test_an_interrupt_ends_with_130(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("jobs.check.main", interrupted)
    assert command.main(["check"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_results_go_to_stdout_and_messages_to_stderr(toy, tmp_path):
    ended = run(
        "analyse",
        "--domain",
        "toy",
        "--observations",
        toy.observations,
        "--background",
        toy.background,
        "--time",
        "2022082406",
        "--method",
        "nearest",
        "--set",
        "variables=[t2m]",
        "--set",
        "maps=false",
        "--output",
        tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    product = tmp_path / "toy_20220824T0600Z" / "toy_20220824T0600Z.nc"
    assert ended.stdout == f"{product}\n" and product.is_file()
    assert "observations.csv: " in ended.stderr and " values of 300 stations" in ended.stderr
    assert "analyse toy: t2m 100%" in ended.stderr


def test_more_ranks_than_the_domain_can_be_cut_into_end_with_3_and_say_how_many_can_be(capsys):
    path = config.configs_root() / "training" / "unet_exercise1_ci.yaml"
    assert command.main(["train", str(path), "--set", "mesh={data: 1, y: 40, x: 1}", "--dry-run"]) == 3
    assert "fewer than 40 ranks. Use at most 8 ranks in y" in capsys.readouterr().err


def test_a_dry_run_prints_yaml_that_loads_to_the_same_run(tmp_path, capsys):
    arguments = [
        "--domain",
        "guam",
        "--observations",
        "a, b.csv",
        "1e3",
        "--output",
        str(tmp_path / "o"),
        "--time",
        "2022-08-24T06:00:00",
        "--set",
        "variables=[t2m]",
        "--method",
        "oi",
        "--dry-run",
    ]
    assert command.main(["analyse", *arguments]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "run.yaml").write_text(printed)
    run = config.load(analyse.Run, tmp_path / "run.yaml")
    cases = CasesSection("guam", Reports(("a, b.csv", "1e3"), time=("2022-08-24T06:00:00",)))
    assert run == analyse.Run(cases, str(tmp_path / "o"), method="oi", variables=("t2m",))
    size = f"# expected output: {run.expected_bytes():.0f} bytes\n"  # a comment of YAML, read by `mlrtma submit`
    assert config.to_yaml(run) + size == printed and not (tmp_path / "o").exists()


def test_short_options_win_over_set_and_set_over_the_file(tmp_path):
    (tmp_path / "run.yaml").write_text(
        "cases: {domain: guam, reports: {observations: a.csv}}\noutput: o\nfolds: 3\nseed: 3\nblocks: 3\n"
    )
    arguments = [str(tmp_path / "run.yaml"), "--folds", "5", "--set", "folds=4", "--set", "seed=4"]
    run = parse(verify.Run, "verify", "", arguments)
    assert (run.folds, run.seed, run.blocks, run.cases.place) == (5, 4, 3.0, "guam")
