"""The table of matches: built, joined, selected, and read back as it was written."""

import numpy as np
import pytest

from mlrtma_dist.verification.match import COLUMNS, MatchError, Matches, read_matches, write_matches


def two_methods() -> Matches:
    oi = Matches.build(
        method="oi",
        variable=["t2m", "psfc"],
        domain=["conus", "guam"],
        time=np.array(["2022-08-24T06:00:00", "NaT"], dtype="datetime64[s]"),
        station=["KDEN", 'A "b", c'],
        latitude=[39.8, np.nan],
        longitude=[-104.7, -1 / 3],
        elevation=[1655.0, np.nan],
        fold=[3, 9],
        observation=[290.1, 84000.0],
        prediction=[291.2, 84010.25],
        spread=[0.7, np.nan],
        observation_error=1.0,
    )
    nearest = Matches.build(
        method="nearest", variable="t2m", station=["KDEN"], observation=[290.1], prediction=[np.nan]
    )
    return Matches.concatenate([oi, nearest])


def test_a_table_written_as_csv_reads_back_bit_for_bit(tmp_path):
    matches = two_methods()
    write_matches(tmp_path / "matches.csv", matches)
    again = read_matches(tmp_path / "matches.csv")
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(again, name), getattr(matches, name), err_msg=name)
        assert getattr(again, name).dtype.kind == getattr(matches, name).dtype.kind


def test_a_table_of_an_earlier_version_reads_back_without_places(tmp_path):
    path = tmp_path / "matches.csv"
    write_matches(path, two_methods())
    path.write_text("".join(line.rpartition(",")[0] + "\n" for line in path.read_text().splitlines()))
    again = read_matches(path)
    assert np.isnan(again.place).all() and again.station.tolist() == two_methods().station.tolist()


def test_an_empty_table_written_as_csv_reads_back_empty(tmp_path):
    write_matches(tmp_path / "matches.csv", Matches.empty())
    again = read_matches(tmp_path / "matches.csv")
    assert len(again) == 0 and again.fold.dtype == np.int64 and again.observation.dtype == np.float64


def test_columns_left_out_are_not_known_and_scalars_are_repeated():
    matches = Matches.build(
        method="oi", variable="t2m", station=["a", "b"], observation=[1.0, 2.0], prediction=[3.0, 1.5]
    )
    assert matches.method.tolist() == ["oi", "oi"] and matches.fold.tolist() == [0, 0]
    assert np.isnan([matches.latitude, matches.longitude, matches.elevation, matches.spread]).all()
    np.testing.assert_array_equal(matches.error, [2.0, -0.5])  # prediction minus observation: too high is positive


def test_selecting_by_method_and_variable_keeps_just_those_rows():
    matches = two_methods()
    assert matches.methods == ["oi", "nearest"] and matches.variables == ["t2m", "psfc"]
    assert matches.select(method="oi", variable="t2m").station.tolist() == ["KDEN"]
    assert matches.select(matches.scored).method.tolist() == ["oi", "oi"]
    assert len(matches.select(matches.scored, method="nearest")) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": [1.0]}, "unknown columns \\['speed'\\]"),
        ({"prediction": None}, "missing columns \\['prediction'\\]"),
        ({"prediction": [1.0, 2.0]}, "one length"),
    ],
)
def test_a_wrong_column_is_an_error_that_names_it(changes, message):
    columns = {"method": "oi", "variable": "t2m", "station": ["a"], "observation": [1.0], "prediction": [1.0]} | changes
    with pytest.raises(MatchError, match=message):
        Matches.build(**{name: value for name, value in columns.items() if value is not None})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("oi,t2m,d,NaT,a,1,2,3,0,4,5,6", "row 2: 12 cells"),
        ("oi,t2m,d,NaT,a,1,2,3,0,4,warm,6,1" + 6 * ",nan", "column 'prediction': expected numbers"),
        ("oi,t2m,d,NaT,a,1,2,3,0.5,4,5,6,1" + 6 * ",nan", "column 'fold': expected whole numbers"),
        ("oi,t2m,d,noon,a,1,2,3,0,4,5,6,1" + 6 * ",nan", "column 'time': expected times such as 2022"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_file_and_place(tmp_path, row, message):
    path = tmp_path / "matches.csv"
    path.write_text(",".join(COLUMNS) + "\n" + row + "\n")
    with pytest.raises(MatchError, match=message) as info:
        read_matches(path)
    assert str(path) in str(info.value)


def test_a_file_with_other_columns_is_an_error(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MatchError, match="row 1: expected the columns method,variable"):
        read_matches(tmp_path / "other.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MatchError, match="row 1: expected a table of matches"):
        read_matches(tmp_path / "binary.csv")
