# The few commands of everyday work. The long ones are scripts in dev/.

.DEFAULT_GOAL := help

# A bare shell, such as CI's, has neither of these.
export HOME ?= /root
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/go/bin
# No target is a file.
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(MAKEFILE_LIST))

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: ## Build everything (debug, static)
	cargo build --workspace --bins

test: install-test tools ## Run every check and test, with real clusters (root)
	dev/test

demo: install tools ## Vendor, customer, Console and an upgrade from end to end (root); KUBECONFIG=… REGISTRY=… uses yours
	dev/demo up

demo-down: ## Remove all that the demo made
	dev/demo down

test-demo: install tools ## Run the demo with a cluster and a registry that are there already (root)
	dev/test-demo

bench-mirror: install-bench tools ## Copy between two local registries, side by side with crane and skopeo
	dev/bench-mirror

fmt: ## Format the sources
	cargo fmt --all
	gofmt -w dev/tools/*/*.go

CASES ?= 1000000
SEED ?= 1
oracle: ## Hold the engine against Helm on CASES generated templates, of SEED
	dev/build-tools oracle
	cargo run --quiet --release -p pinnace-oracle -- --cases $(CASES) --seed $(SEED)

SECONDS ?= 600
fuzz: ## Fuzz the engine, each target for SECONDS
	dev/fuzz $(SECONDS)

bench-engine: ## Time and memory of the engine beside Helm's, chart by chart
	dev/bench-engine

N ?= 500
scale: tools ## Install, upgrade and leave alone N releases of two charts; time, memory and requests of the controller (root)
	dev/scale $(N)

KILLS ?= 200
chaos: tools ## Kill and disturb the Helm controller KILLS times and count what is lost (root); CHAOS_SEED=… repeats a run
	SELF_UPGRADE_KILLS=$$(( ($(KILLS) + 19) / 20 )) cargo test --quiet --test e2e killed_half_way -- --show-output
	cargo test --quiet --test chaos -- --kills $(KILLS) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

lint: ## Check the formatting, clippy, dependencies and scripts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	if command -v cargo-deny >/dev/null; then cargo deny --log-level error check; fi
	cargo run --quiet --bin pinnace -- crds --charts charts --check
	dev/lint-scripts

golden: tools ## Write the expected outputs of all tests with genuine Helm
	tests/charts/refresh
	engine/tests/mistakes/refresh
	engine/tests/oracle/refresh

crds: ## Write crds/ and the charts' copies from the Rust types
	cargo run --quiet --bin pinnace -- crds --charts charts

tools: ## Build the pinned Go tools of the test bed, if they have changed
	dev/build-tools

install: ## Install the Debian packages that are missing
	dev/install

install-test:
	dev/install test

install-bench:
	dev/install bench
