# make demo: from nothing to a verified analysis.  make test: every promise, the fast ones first.
.PHONY: demo test coverage lock install clean

PYTHON ?= python3
# The exact versions that the tests ran with; empty: the newest ones that setup.py allows.
CONSTRAINT ?= --constraint requirements.lock
# Real observations and grids, where there are any: the demo and many tests use them.
ifneq ($(wildcard ../shared/data),)
export MLRTMA_REAL_DATA ?= $(abspath ../shared/data)
endif
PIP = .venv/bin/pip install --quiet $(CONSTRAINT)

.venv/bin/mlrtma: setup.py requirements.lock
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade pip setuptools wheel
	$(if $(CPU_TORCH_INDEX),$(PIP) --no-deps --index-url $(CPU_TORCH_INDEX) torch)
	$(PIP) --no-build-isolation --editable ".[learn,mpi]"
	touch $@

# The requirements of dapper bring a notebook server; setup.py lists those that the tests need.
.venv/tests-installed: .venv/bin/mlrtma
	$(PIP) --no-build-isolation --editable ".[learn,mpi,tests]"
	$(PIP) --no-deps dapper
	touch $@

install: .venv/bin/mlrtma
	@echo "Installed. Put mlrtma on the PATH of this shell by:  . .venv/bin/activate"

demo: .venv/bin/mlrtma
	.venv/bin/mlrtma demo --output output

test: .venv/tests-installed
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -m "not slow" -n auto --dist loadfile
	.venv/bin/python -m pytest -m slow

# Of every test, with the processes that the tests start.
coverage: .venv/tests-installed
	.venv/bin/python -m pytest --cov --cov-report=term:skip-covered

# Renew requirements.lock: make clean lock.  torch requires its own CUDA packages exactly; they are not named here.
lock:
	$(MAKE) .venv/tests-installed CONSTRAINT=
	printf '# The versions that the tests ran with, by make lock. setup.py has the ranges and their reasons.\n' > requirements.lock
	.venv/bin/pip freeze --all --exclude-editable | sed 's/+cpu$$//' | grep -Ev '^(nvidia|cuda|triton)' >> requirements.lock

clean:
	rm -rf .venv output build *.egg-info .coverage .coverage.*
