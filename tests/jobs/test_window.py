"""A window of methods in time without such a method is warned of, by every verb that has cases."""

import pytest

from jobs import command

REPORTS = "cases: {domain: toy, reports: {observations: [a.csv], in_time_minutes: 90}}\noutput: out\n"
ARCHIVE = (
    "cases: {{domain: toy, archive: {{start: '2022-08-24T00:00', end: '2022-08-24T06:00', in_time_minutes: 90,"
    " reports: [{{pattern: 'a_{{time:%Y%m%d%H}}.csv'}}]{}}}}}\noutput: out\n"
)
PAST = ARCHIVE.format("")


def warnings(folder, verb, text, caplog) -> str:
    """What the dry run of a verb warns of."""
    (folder / "run.yaml").write_text(text)
    assert command.main([verb, str(folder / "run.yaml"), "--dry-run"]) == 0
    return caplog.text


@pytest.mark.parametrize(
    ("verb", "text", "reason"),
    [
        ("analyse", REPORTS + "method: oi", "cases.reports.in_time_minutes: 90 is without effect, as oi is no method"),
        ("verify", REPORTS + "method: [oi, nearest]", "as oi, nearest are no methods in"),
        ("analyse", REPORTS + "method: vit", "as vit is no method in time"),  # the weights that ship
        ("analyse", REPORTS + "method: lam\ncheckpoint: own", "as lam is no method in time"),
        ("estimate", REPORTS, "as mlrtma estimate makes no analysis"),
        ("reanalysis", PAST, "cases.archive.in_time_minutes: 90 is without effect, as threedvar is no method in time"),
        ("cycle", PAST, "as threedvar, first_guess are no methods in time"),
        ("samples", PAST, "as mlrtma samples makes no analysis; the methods in time are oi_time, pinn"),
        ("samples", ARCHIVE.format(", labels: {method: threedvar}"), "as threedvar is no method in time"),
    ],
)
def test_a_window_in_time_without_a_method_in_time_is_warned_of(tmp_path, caplog, verb, text, reason):
    message = warnings(tmp_path, verb, text, caplog)
    assert reason in message and "window_minutes" in message


@pytest.mark.parametrize("sign", ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "RANK"])
def test_of_many_ranks_the_first_alone_warns(tmp_path, caplog, monkeypatch, sign):
    if sign == "RANK":  # alone it is another program's
        monkeypatch.setenv(sign, "1")
        assert "without effect" in warnings(tmp_path, "analyse", REPORTS + "method: oi", caplog)
        caplog.clear()
        monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(sign, "1")
    assert "without effect" not in warnings(tmp_path, "analyse", REPORTS + "method: oi", caplog)
    monkeypatch.setenv(sign, "0")
    assert "without effect" in warnings(tmp_path, "analyse", REPORTS + "method: oi", caplog)


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        ("analyse", REPORTS + "method: pinn"),
        ("verify", REPORTS + "method: [oi, oi_time]"),
        ("verify", REPORTS),  # every method that has what it needs
        ("analyse", REPORTS + "method: vit\ncheckpoint: own"),  # whose weights may take several reports of a station
        ("reanalysis", PAST + "method: oi_time"),
        ("cycle", PAST + "methods: [{name: threedvar}, {name: oi_time}]"),
        ("samples", ARCHIVE.format(", labels: {method: oi_time}")),
        ("analyse", REPORTS.replace("in_time_minutes: 90", "in_time_minutes: 0, window_minutes: 90")),
    ],
)
def test_with_a_method_in_time_or_without_the_setting_nothing_is_said(tmp_path, caplog, verb, text):
    assert "without effect" not in warnings(tmp_path, verb, text, caplog)


@pytest.mark.parametrize(
    ("verb", "text", "key"),
    [
        ("analyse", REPORTS + "method: fourdvar", "cases.reports.in_time_minutes"),
        ("verify", REPORTS + "method: [oi, fourdvar]", "cases.reports.in_time_minutes"),
        ("samples", ARCHIVE.format(", labels: {method: fourdvar}"), "cases.archive.in_time_minutes"),
    ],
)
def test_fourdvar_without_a_window_is_refused_by_a_dry_run(tmp_path, capsys, verb, text, key):
    (tmp_path / "run.yaml").write_text(text.replace(" in_time_minutes: 90", " in_time_minutes: 0"))
    assert command.main([verb, str(tmp_path / "run.yaml"), "--dry-run"]) == 2
    assert f"{key}: method fourdvar needs a window of hours, got 0: --set {key}=210" in capsys.readouterr().err
