# upkeep: build, test, show, measure. "make" alone prints this list.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: pages help build install test vet unit acceptance lint soak release release-check demo bench generate clean

VERSION ?= $(shell git describe --tags --always --dirty 2> /dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2> /dev/null)
CACHE   ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/upkeep-build
LINTER  := $(CACHE)/golangci-lint-v2.11.0
TEMPL   := $(CACHE)/templ-v0.3.977
PAGES   := internal/surface/web
# A skipped test has shown nothing: where CI=true, it fails.
SUMMARY  = go run ./lab/cmd/summary $(if $(filter true,$(CI)),-no-skips)
N       ?= 5
BIN     ?= bin/upkeep

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

# DuckDB is C++, linked in whole: the binary asks for no library. The linker's warnings are of
# DuckDB's network and extensions, which upkeep keeps shut.
STATIC = -tags netgo,osusergo -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -linkmode external -extldflags "-static -Wl,--no-warnings"'

build: ## bin/upkeep, one static binary
	CGO_ENABLED=1 go build -trimpath -buildvcs=false $(STATIC) -o $(BIN) ./cmd/upkeep

release: ## dist/: program, .deb, image, SBOM, licences, checksums; VERSION=1.0.0
	packaging/release $(VERSION) dist

release-check: ## a release made twice, byte by byte the same; takes ten minutes
	packaging/release-check $(VERSION)

install: ## what the tests start, when root; else it says what is left out
	lab/install --postgres 16 --postgres 17 --postgres 18 --clients --minio --compose --image --machine

test: install vet lint ## everything: vet, linter, unit and acceptance tests on real servers
	UPKEEP_POSTGRES_BINS=$$(lab/install --bins) go test -json -count=1 -timeout 60m ./... | $(SUMMARY)

vet:
	go vet ./...

unit: ## tests of the packages alone
	UPKEEP_POSTGRES_BINS=$$(lab/install --bins) go test -json -count=1 -timeout 20m $$(go list ./... | grep -v '/acceptance$$') | $(SUMMARY)

acceptance: ## one script per row of the feature table, with the built binary
	go test -json -count=1 -timeout 30m ./acceptance/... | $(SUMMARY)

soak: ## planted faults and clean drills, twenty of each; takes long
	UPKEEP_SOAK=1 go test -count=1 -v -timeout 4h -run 'Soak' ./acceptance/...

lint: $(LINTER) pages ## gofmt, golangci-lint, and whether the page's templates were generated
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [[ -n "$$unformatted" ]]; then printf 'not formatted:\n%s\n' "$$unformatted"; exit 1; fi
	$(LINTER) run --allow-parallel-runners ./...

# What templates give is committed, so that a build needs no generator.
pages: $(TEMPL)
	@stale=$$(cd $(PAGES) && for t in *.templ; do $(TEMPL) generate -stdout -f $$t 2> /dev/null | cmp -s - $${t%.templ}_templ.go || echo $(PAGES)/$$t; done); \
	if [[ -n "$$stale" ]]; then printf 'not generated anew, run make generate:\n%s\n' "$$stale"; exit 1; fi

$(TEMPL): tools/templ/go.mod tools/templ/go.sum
	cd tools/templ && go build -mod=mod -trimpath -o $@ github.com/a-h/templ/cmd/templ

$(LINTER): tools/golangci/go.mod tools/golangci/go.sum
	cd tools/golangci && go build -mod=mod -trimpath -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

demo: ## one day of maintenance over real servers, and a fault that is found
	lab/demo/run

bench: build ## upkeep beside its peers, N rounds; keeps the table under bench/results
	go build -trimpath -o bin/bench ./bench/cmd/bench
	bin/bench -n $(N) -write

generate: $(TEMPL) ## code and documents made from code
	cd $(PAGES) && $(TEMPL) generate
	go test ./docs -update

clean: ## what make has made in the tree
	rm -rf bin dist .demo acceptance/.bin
