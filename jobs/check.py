"""Say what this installation is made of: versions, GPU, and the MPI library that the process really loads.

    mlrtma check
    mlrtma check --machine gpu_cluster     sums tensors over the ranks of a job there: bandwidth and versions

Exit code 0; 1 where the job on the machine failed; 3 where two MPI libraries are loaded into one process, which ends in
a hang or a crash later.
"""

import importlib.metadata
import pathlib
import platform

from jobs.command_line import parse
from jobs.provenance import commit
from mlrtma_dist import __version__
from mlrtma_dist.config import configs_root, data_root
from mlrtma_dist.errors import InputError

PACKAGES = ("numpy", "scipy", "torch", "deepspeed", "mpi4py", "h5py", "netCDF4", "pyproj", "eccodes", "matplotlib")


def main(arguments: list[str]) -> int:
    """Run the verb; returns the exit code."""
    values = parse(dict, "check", __doc__, arguments)
    if values["machine"]:
        from jobs.check_machine import check

        return check(values["machine"], values["dry_run"])
    text, loaded = installation()
    print(text)
    if len(loaded) > 1:
        raise InputError(
            f"expected one MPI library in the process, found {len(loaded)}: {', '.join(loaded)}; "
            "rebuild mpi4py (and h5py) against the site's MPI: pip install --no-binary=:all: mpi4py"
        )
    return 0


def installation() -> tuple[str, list[str]]:
    """Versions and places of this process, a line each, and the MPI libraries that it has loaded."""
    rows = [("mlrtma", f"{__version__}, commit {commit()}"), ("Python", platform.python_version())]
    rows += [(name, _version(name)) for name in PACKAGES]
    rows += [
        ("HDF5", _hdf5()),
        ("GPU", _gpu()),
        ("configuration", str(configs_root())),
        ("real data", str(data_root() or "none: set MLRTMA_REAL_DATA")),
    ]
    loaded, described = _mpi()
    rows.append(("MPI", described))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows), loaded


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _hdf5() -> str:
    import h5py

    return f"{h5py.version.hdf5_version}, {'parallel' if h5py.get_config().mpi else 'serial'} (h5py)"


def _gpu() -> str:
    try:
        import torch
    except ModuleNotFoundError:
        return "unknown: torch is not installed"
    if not torch.cuda.is_available():
        return "none"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{len(names)}: {', '.join(sorted(set(names)))}"


def _mpi() -> tuple[list[str], str]:
    """The MPI libraries mapped into this process after mpi4py has started, and a description."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        return [], f"none: {str(error).splitlines()[0]}"
    loaded = mapped_libraries(pathlib.Path("/proc/self/maps"), ("libmpi.so", "libmpi_mpich.so", "libmpich.so"))
    version = MPI.Get_library_version().split(",")[0].strip()
    return loaded, f"{version}: {', '.join(loaded) or 'library not found in /proc'}"


def mapped_libraries(maps: pathlib.Path, names: tuple[str, ...]) -> list[str]:
    """The files mapped into a process whose names begin with one of ``names``.

    Args:
        maps: a file like /proc/<pid>/maps; where there is none the answer is empty.
    """
    if not maps.exists():
        return []
    paths = {line.split(maxsplit=5)[-1] for line in maps.read_text().splitlines() if "/" in line}
    real = {str(pathlib.Path(p).resolve()) for p in paths if pathlib.Path(p).name.startswith(names)}
    return sorted(real)
