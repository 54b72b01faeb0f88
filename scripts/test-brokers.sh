#!/usr/bin/env bash
# Runs what an operator does on the oldest supported, an older and the newest
# Apache Kafka: topics, checks, alerts, kill -9, dead letters, replay, a recreated
# topic, lag, and static members with a changed configuration. An older broker has
# to be refused. Brokers come from Maven Central and run one at a time.
#
#   scripts/test-brokers.sh [VERSION...]    default: 2.8.2 3.9.1 4.4.0
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
stop() {
	[ ! -e "$work/kafka/pid" ] || scripts/kafka.sh stop "$work/kafka"
}
trap 'stop; rm -rf "$work"' EXIT

start() { # the broker of version $1
	export KAFKA_VERSION=$1
	NOTIFIER_TEST_KAFKA=$(scripts/kafka.sh start "$work/kafka")
	export NOTIFIER_TEST_KAFKA
	echo "Apache Kafka $1 at $NOTIFIER_TEST_KAFKA"
}

refused=2.7.2
start $refused
go build -o "$work/notifier" ./cmd/notifier
code=0
KAFKA_BOOTSTRAP_SERVERS=$NOTIFIER_TEST_KAFKA "$work/notifier" run -c configs/notifier.yaml >"$work/refused" 2>&1 || code=$?
if [ "$code" -ne 78 ] || ! grep -q "Kafka v2.7 is not supported, the notifier needs 2.8 or newer; it lacks topic ids" "$work/refused"; then
	echo "Apache Kafka $refused is not refused: exit $code" && cat "$work/refused" && exit 1
fi
stop

[ $# -gt 0 ] || set -- 2.8.2 3.9.1 4.4.0
for version in "$@"; do
	start "$version"
	go test -count=1 -p 1 -tags real -run 'TestBrokerVersionIsSupported|TestRestartedStatic' ./internal/cli ./internal/consume
	stop
done
