# What developers call. CI calls the same: see .ci/run.

GO ?= go
TOOL = $(GO) tool -modfile=tools/go.mod

.PHONY: build test test-real check bench clean

build: ## the program, into dist/
	CGO_ENABLED=0 $(GO) build -trimpath -o dist/notifier ./cmd/notifier

test: ## every test that needs nothing but Go, with the race detector
	$(GO) test -race ./...
	$(GO) test -race -tags synctests ./internal/endtoend
	$(GO) test -run TestSchedules ./internal/simulation

test-real: ## the tests of the broker and the mail server against real ones, which it fetches, starts and stops
	scripts/test-real.sh

check: ## format, vet and staticcheck
	@files=$$($(TOOL) gofumpt -l .); test -z "$$files" || { echo "not formatted (gofumpt -w): $$files"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags "real synctests" ./...
	$(TOOL) staticcheck -tags "real synctests" ./...

bench: ## benchmarks: see bench/README.md
	$(GO) test -run '^$$' -bench . -benchtime 1x ./bench

clean:
	rm -rf dist .cache
