# What developers call. CI calls the same: see .ci/run.

GO ?= go
TOOL = $(GO) tool -modfile=tools/go.mod
# What only tests and tools need is in modules of its own, out of the program's go.mod.
MODULES = bench/yardstick chaos tools/compose tools/dashboard tools/mutants tools/notices
CHAOS_RUN = $(GO) -C chaos build -o ../dist/chaos . && dist/chaos
BENCH_RUN = $(GO) -C bench/yardstick build -o ../../dist/yardstick . && dist/yardstick

.PHONY: build test test-packages test-commands test-clock race race-short simulate mutants test-real test-real-commands test-brokers chaos chaos-short soak hostile hostile-short story story-short alerts dashboard check bench bench-check release vuln test-install clean

build: ## the program, into dist/
	CGO_ENABLED=0 $(GO) build -trimpath -o dist/notifier ./cmd/notifier

test: test-packages test-commands test-clock ## every test that needs nothing but Go

test-packages:
	$(GO) test $$($(GO) list ./... | grep -v /internal/cli)
	for m in $(MODULES); do $(GO) -C $$m test ./... || exit 1; done

test-commands: # some wait most of the time: those run together
	$(GO) test -parallel 6 ./internal/cli/...

test-clock: # what needs a fake clock in the Kafka client, too
	$(GO) test -tags synctests ./internal/consume ./internal/kafka
	$(GO) test -tags synctests ./internal/endtoend -schedules 10 -rebalances 50

race: ## the same with the race detector, and longer: a quarter of an hour
	$(GO) test -race ./...
	$(GO) test -race -tags synctests ./internal/consume ./internal/kafka
	$(GO) test -race -tags synctests ./internal/endtoend -schedules 30 -weekend 48

race-short: ## with the race detector, what has goroutines of its own, and the whole daemon under a few schedules
	$(GO) test -race -skip UnpackedBatchesAreBounded ./internal/consume ./internal/dispatch ./internal/dlq ./internal/lag ./internal/ingest ./internal/control ./internal/health
	$(GO) test -race -run ConcurrentUse ./internal/rule
	$(GO) test -race -tags synctests ./internal/kafka
	$(GO) test -race -tags synctests ./internal/endtoend -run "NothingIsLost|Crash|Churn|Rebalances" -schedules 6 -rebalances 30

SCHEDULES ?= 300
STEPS ?= 10000
SEED ?= 1
simulate: ## STEPS schedules of the decisions alone, SCHEDULES of both stages on a broker in memory, all drawn from SEED on
	$(GO) test ./internal/simulation -run TestSchedules -schedules $(STEPS)
	$(GO) test -tags synctests ./internal/endtoend -run "TestNothingIsLostWhateverBreaks|TestRebalancesLeaveNothingBehind" -schedules $(SCHEDULES) -seed $(SEED)

PART ?=
mutants: ## break the product in each way that tools/mutants lists: a test has to fail; PART=0/12: a twelfth of them
	cd tools/mutants && $(GO) run . -part "$(PART)"

test-real: ## the tests of the broker and the mail server against real ones, which it fetches, starts and stops
	scripts/test-real.sh

REAL_COMMANDS = Secured|Promtool|BrokerVersion|Prometheus|StaticDaemons|Producers|OtherClients|AnotherLanguage|PythonEnum|TypeScript|EventReaches|KilledDaemonLoses|ComeAndGo|PartitionsAreAdded|MissingDeadLetterTopic|MissingOutbox|RecreatedOutbox|StartAgain|SettledAboveGap|DoctorFinds|Backtest|Explain
test-real-commands: ## of the commands against a real broker, what a broker in memory cannot show; make test-real has all of them
	scripts/test-real.sh -run "$(REAL_COMMANDS)" ./internal/cli/...

test-brokers: ## the story of a new user on the oldest broker that is supported, an older one and the newest: three minutes
	scripts/test-brokers.sh

chaos: build ## break a real cluster of three nodes, its network, the daemons and the providers, one after the other: half an hour
	$(CHAOS_RUN) $(CHAOS)

chaos-short: build ## the rows of it that matter most, in three minutes
	$(CHAOS_RUN) -short

soak: build ## one daemon for half an hour at a steady rate: does anything grow?
	$(CHAOS_RUN) -soak 30m

hostile: build ## ten minutes among hostile producers, providers, mail servers and clients: see docs/reliability.md
	$(CHAOS_RUN) -hostile 10m $(HOSTILE)

hostile-short: build ## one minute of it, for a machine that may be shared: planted alerts may take 15 s
	$(CHAOS_RUN) -hostile 60s -late 15s $(HOSTILE)

story: build ## ten minutes of a venue outage with the shipped rules and a Slack that takes a message a second: what people read, and when
	$(CHAOS_RUN) -story 10m $(STORY)

story-short: build ## 45 seconds of it, judged alike
	$(CHAOS_RUN) -story 45s $(STORY)

alerts: build ## cause what every alert is about, on a real Kafka, and see a real Prometheus fire and resolve it: ten minutes
	$(CHAOS_RUN) -alerts $(ALERTS)

dashboard: ## write configs/grafana/dashboards from tools/dashboard
	cd tools/dashboard && $(GO) run . >../../configs/grafana/dashboards/notifier.json.new
	mv configs/grafana/dashboards/notifier.json.new configs/grafana/dashboards/notifier.json

check: ## format, vet and staticcheck
	@files=$$($(TOOL) gofumpt -l .); test -z "$$files" || { echo "not formatted (gofumpt -w): $$files"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags "real synctests" ./...
	$(TOOL) staticcheck -tags "real synctests" ./...
	for m in $(MODULES); do (cd $$m && $(GO) vet ./... && $(GO) tool -modfile=$(CURDIR)/tools/go.mod staticcheck ./...) || exit 1; done

bench: ## beside a peer on a real Kafka, into bench/results, some twenty minutes: see bench/README.md
	$(BENCH_RUN) -out bench/results $(BENCH)

bench-check: ## its short form: ratios and allocations against the newest of bench/results
	$(BENCH_RUN) -cases filter,deliver,paths -runs 1 -check bench/results

VERSION ?=
release: ## dist/: programs, Debian packages, bills of materials; VERSION=1.2.3, else the tag's: see docs/releasing.md
	VERSION=$(VERSION) scripts/release.sh

test-install: ## the package under a real systemd and the container's image, on a machine to throw away
	scripts/test-install.sh
	scripts/test-image.sh

vuln: ## known vulnerabilities that the program can reach; needs the internet
	$(GO) -C tools/release build -o ../../dist/tools/ golang.org/x/vuln/cmd/govulncheck
	dist/tools/govulncheck ./...

clean:
	rm -rf dist .cache
