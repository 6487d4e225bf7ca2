"""Lines of JSON: what is appended is read again, whatever was torn before, from many writers, and on a full disk."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mlrtma_dist.io.json_lines import append_line, read_lines


def test_lines_of_many_writers_are_all_whole(tmp_path):
    path = tmp_path / "below" / "lines.jsonl"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: append_line(path, {"id": number, "text": "x\n" * 50}), range(40)))
    assert sorted(entry["id"] for entry in read_lines(path)) == list(range(40))


def test_a_torn_line_costs_itself_alone_and_a_missing_file_has_none(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert read_lines(path) == []
    append_line(path, {"id": "a\udcff"})  # a file name that is not UTF-8
    with path.open("ab") as file:
        file.write(b'{"id": "b", \xff')
    assert read_lines(path) == [{"id": "a\udcff"}]
    append_line(path, {"id": "c"})
    assert read_lines(path) == [{"id": "a\udcff"}, {"id": "c"}]


def test_a_line_that_cannot_be_written_names_its_file_and_the_reason(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device.*full"):
        append_line(tmp_path / "full", {"id": "a"})
