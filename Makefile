# make demo: from nothing to a verified analysis.  make test: every promise.
.PHONY: demo test install clean

PYTHON ?= python3
# Real observations and grids, where there are any: the demo and many tests use them.
ifneq ($(wildcard ../shared/data),)
export MLRTMA_REAL_DATA ?= $(abspath ../shared/data)
endif

.venv/bin/mlrtma: setup.py
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --upgrade pip setuptools wheel
	.venv/bin/pip install --quiet torch==2.13.0 $(if $(CPU_TORCH_INDEX),--index-url $(CPU_TORCH_INDEX))
	.venv/bin/pip install --quiet --no-build-isolation --editable .
	touch $@

.venv/tests-installed: .venv/bin/mlrtma
	.venv/bin/pip install --quiet --no-build-isolation --editable ".[tests]"
	touch $@

install: .venv/bin/mlrtma

demo: .venv/bin/mlrtma
	.venv/bin/mlrtma demo --output output

test: .venv/tests-installed
	.venv/bin/python -m pytest

clean:
	rm -rf .venv output build *.egg-info
