# make book: the book, in _build/html      make test: is it right here?      make check: every fault
# make pdf: the book as a PDF, in _build/latex      make release: wheel, source, pages and PDF, in dist
# Each makes .venv first, from the hashes in requirements.lock; nothing is installed elsewhere.

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)

TEX := texlive-xetex texlive-latex-extra texlive-fonts-recommended texlive-plain-generic \
	fonts-freefont-otf lmodern latexmk xindy

# uv installs in seconds what takes pip minutes. Where there is none, pip fetches the one in the
# lock. uv doesn't read pip's settings, so it is told which index they name.
define UV_INSTALL
	uv=$$(command -v uv) || { uv=$(BIN)/uv; \
		awk '/^uv==/,!/\\$$/' requirements.lock > .venv/uv.txt; \
		$(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.txt; } && \
	pip_says() { $(BIN)/python -m pip config get $$1.index-url 2> /dev/null; } && \
	index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(pip_says install || pip_says global)}}; \
	test -z "$$index" || export UV_DEFAULT_INDEX="$$index"; \
	export UV_NATIVE_TLS=1 UV_SYSTEM_CERTS=1; \
	test -z "$$PIP_CERT" || export SSL_CERT_FILE="$${SSL_CERT_FILE:-$$PIP_CERT}"; \
	"$$uv" pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
endef

.PHONY: book sphinx test bench gpu check mutants pdf tex-packages committed release env lint lock clean

book: env
	@$(BIN)/bloodlib data --fetch || echo "Going on without the images: synthetic cells stand in for pictures."
	$(BIN)/jupyter-book build . -n -W --keep-going
	@echo "The book: $(CURDIR)/_build/html/index.html"

pdf: env
	@command -v xelatex latexmk xindy > /dev/null || { echo "The PDF needs XeLaTeX, latexmk and xindy. On Debian and Ubuntu: apt-get install $(TEX)"; exit 1; }
	$(BIN)/jupyter-book build . -n -W --keep-going --builder latex
	$(MAKE) -C _build/latex all-pdf LATEXMKOPTS="-interaction=nonstopmode -halt-on-error"
	@echo "The book: $(CURDIR)/_build/latex/book.pdf"

# the same book without jupyter-book's command; chapters that are up to date do not run again
sphinx: env
	$(BIN)/jupyter-book config sphinx .
	$(BIN)/sphinx-build -b html -n -W --keep-going . _build/sphinx
	@echo "The book: $(CURDIR)/_build/sphinx/index.html"

tex-packages:
	@echo $(TEX)

committed:
	@test -z "$$(git status --porcelain 2> /dev/null)" || { git status --short; \
		echo "These are in no commit, and a release is of a commit: commit them or put them aside."; exit 1; }

# what is published: without the dataset's pictures, unless _config.yml says otherwise
release: export BLOODLIB_PUBLISH = 1
release: committed pdf
	rm -rf dist _build/html
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	$(BIN)/jupyter-book build . -n -W --keep-going
	$(BIN)/python -c "import shutil, bloodlib as b; name = f'dist/bloodlib-{b.__version__}'; \
		shutil.make_archive(f'{name}-html', 'zip', '_build', 'html'); \
		shutil.copy('_build/latex/book.pdf', f'{name}.pdf')"
	@ls -l dist

# in a few minutes; what takes longer, as all that needs the built book, is marked "long"
test: env
	$(BIN)/python -m pytest -n logical

# what everything costs, beside other ways to do it; BENCH_FULL=1: the slowest rows too
bench: env
	@mkdir -p _build
	$(BIN)/python -m pytest benchmarks -q -o timeout=0 --benchmark-json=_build/bench.json
	@echo "The rows, with ratios: _build/bench.json"

# is there a GPU, does it agree with the processor, how fast is it; then the first missing run of DCLNN
gpu: env
	$(BIN)/python benchmarks/gpu.py

# what takes longer: every fault (those left to chance five times as often), fuzzing, whole builds, the
# pages in a browser, and the branches that tests reach of the modules that numbers depend on
NUMBERS := bloodlib/evidence/scores.py,bloodlib/evidence/intervals.py,bloodlib/paper/arithmetic.py,bloodlib/study/records.py

check: env
	BLOODLIB_SCALE=5 $(BIN)/python -m pytest -n logical -m "(faults or long) and not tex"
	$(BIN)/python -m coverage run --branch --include=$(NUMBERS) -m pytest -q -m "not browser" \
		tests/test_scores.py tests/test_intervals.py tests/test_arithmetic.py tests/test_records.py tests/test_measurements.py tests/faults/test_records.py
	$(BIN)/python -m coverage report --fail-under=95

# would the tests notice? Each of those modules is changed in one place at a time; hours
mutants: env
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[mutants]'
	$(BIN)/mutmut run
	$(BIN)/mutmut results

env: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python from 3.11 to 3.13 was found. Install one, or say where it is: make PYTHON=/path/to/python3.12"; exit 1; }
	"$(PYTHON)" -m venv .venv
	@$(UV_INSTALL) || { \
		echo "uv can't install the locked packages here (see above). pip does, in some minutes."; \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; }
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/python -m pytest -q tests/test_prose.py

# both files of pins, from pyproject.toml; it alone needs a package index
lock: env
	$(BIN)/uv pip compile --quiet --universal --upgrade --no-header --no-emit-index-url --extra test \
		--generate-hashes pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --no-header --no-emit-index-url --no-annotate --extra test \
		--constraint requirements.lock pyproject.toml -o requirements.txt
	@printf '%s\n' '# the package itself' '-e .' >> requirements.txt

clean:
	rm -rf _build conf.py chapters/*.ipynb chapters/.*.ipynb *.ipynb .*.ipynb
