#!/usr/bin/env bash
# Runs the tests of the broker, of the mail server and of what watches the
# daemon against real ones: Apache Kafka from Maven Central, an SMTP server and
# Prometheus from Debian. They are fetched where they are missing, started here
# and stopped at the end. No broker or no server is a failure, never a skip.
#
#   scripts/test-real.sh [PACKAGE...]    of these packages; default: all that have such tests
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
chmod 755 "$work" # the mail server's users have to get in
stop() {
	[ ! -e "$work/kafka/pid" ] || scripts/kafka.sh stop "$work/kafka"
	[ ! -e "$work/smtp/pid" ] || scripts/smtp.sh stop "$work/smtp"
	[ ! -e "$work/secured/pid" ] || scripts/kafka.sh stop "$work/secured"
	rm -rf "$work"
}
trap stop EXIT

# For the commands that the README shows, and for a client that is not ours.
command -v kcat >/dev/null || {
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y --no-install-recommends kcat || { apt-get update && apt-get install -y --no-install-recommends kcat; }
} >/dev/null
python3 -c 'import ensurepip' 2>/dev/null || {
	apt-get install -y --no-install-recommends python3-venv || { apt-get update && apt-get install -y --no-install-recommends python3-venv; }
} >/dev/null
scripts/prometheus.sh install # promtool, too

began=$SECONDS
NOTIFIER_TEST_KAFKA=$(scripts/kafka.sh start "$work/kafka")
export NOTIFIER_TEST_KAFKA
echo "Apache Kafka at $NOTIFIER_TEST_KAFKA after $((SECONDS - began)) s"
began=$SECONDS
NOTIFIER_TEST_SMTP=$(scripts/smtp.sh start "$work/smtp")
NOTIFIER_TEST_MAILDIR=$work/smtp/maildir
export NOTIFIER_TEST_SMTP NOTIFIER_TEST_MAILDIR
echo "SMTP server at $NOTIFIER_TEST_SMTP after $((SECONDS - began)) s"

began=$SECONDS
scripts/prometheus.sh check
echo "Prometheus' rules checked and tested after $((SECONDS - began)) s"

export NOTIFIER_TEST_SECURED=$work/secured # where a test starts one node more

# One package at a time: they share the cluster and its source topics.
[ $# -gt 0 ] || set -- ./internal/cli/... ./internal/kafka ./internal/consume ./internal/dlq ./internal/lag ./internal/devbroker ./internal/channel/email
go test -count=1 -p 1 -tags real "$@"
