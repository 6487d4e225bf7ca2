"""The keys that sections of gridded files share: what is refused before a file is opened."""

from collections.abc import Mapping

from mlrtma_dist import clock
from mlrtma_dist.io.field_codes import parse_codes
from mlrtma_dist.names import VARIABLES


def check_gridded(
    files: tuple[str, ...], time: tuple[str, ...], variables: tuple[str, ...], codes: Mapping[str, str]
) -> None:
    """Raise ValueError unless there are files, times that can be read, variables that are known, and codes.

    Args:
        files, time, variables, codes: as of `samples.states.States` and `samples.members.Members`.
    """
    unknown = [name for name in variables if name not in VARIABLES]
    if unknown or not variables or len(set(variables)) != len(variables):
        raise ValueError(f"variables: expected some of {', '.join(VARIABLES)}, each once, got {variables}")
    if not files or not len(clock.parse_times(time)):
        raise ValueError(f"expected at least one file and one time, got files {files} and time {time}")
    parse_codes(codes)
