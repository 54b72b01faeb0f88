#!/usr/bin/env bash
# Prometheus and promtool for tests: Debian's, on 127.0.0.1, gone afterwards.
#
#   scripts/prometheus.sh install                  put promtool and prometheus on this machine
#   scripts/prometheus.sh check                    check the rules in configs/prometheus and run their unit tests
#   scripts/prometheus.sh start DIR CONFIG [PORT]  start a server with its data in DIR, print its address
#   scripts/prometheus.sh stop DIR                 stop the server that was started in DIR
#
# Needs root where the package is not installed yet. DIR/pid is the server's process.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

install() {
	command -v prometheus >/dev/null && command -v promtool >/dev/null && return
	export DEBIAN_FRONTEND=noninteractive
	# The package would start a server of the machine's own.
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	{ apt-get install -y --no-install-recommends prometheus || { apt-get update && apt-get install -y --no-install-recommends prometheus; }; } >&2
}

free_port() { # a port that nobody listens on
	local port
	for port in $(shuf -i 20000-29999 -n 50); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
	done
	echo "prometheus.sh: no free port" >&2 && exit 1
}

running() { # whether the process that was started in $1 is there, and not another with its number
	[ -e "$1/pid" ] && grep -qzx -e "--storage.tsdb.path=$(cd "$1" && pwd)/data" "/proc/$(cat "$1/pid")/cmdline" 2>/dev/null
}

check() {
	install
	cd "$root/configs/prometheus"
	promtool check config prometheus.yml
	promtool test rules notifier.rules.test.yaml
}

start() {
	local dir=$1 config=$2 port=${3:-}
	if running "$dir"; then echo "prometheus.sh: a server runs in $dir: stop it first" >&2 && exit 1; fi
	install
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	rm -rf "$dir/data" # each server is a new one
	[ -n "$port" ] || port=$(free_port)
	nohup prometheus "--config.file=$config" "--storage.tsdb.path=$dir/data" "--web.listen-address=127.0.0.1:$port" \
		--log.level=warn >"$dir/prometheus.log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	for _ in $(seq 1 300); do
		kill -0 "$!" 2>/dev/null || { tail -20 "$dir/prometheus.log" >&2 && exit 1; }
		curl -fsS -o "$dir/ready" "http://127.0.0.1:$port/-/ready" 2>/dev/null && echo "127.0.0.1:$port" && return
		sleep 0.1
	done
	tail -20 "$dir/prometheus.log" >&2
	echo "prometheus.sh: the server is not ready after 30 s" >&2 && exit 1
}

stop() {
	[ -e "$1/pid" ] || { echo "prometheus.sh: nothing was started in $1" >&2 && exit 1; }
	if running "$1"; then kill "$(cat "$1/pid")"; fi
	for _ in $(seq 1 100); do
		running "$1" || break
		sleep 0.1
	done
	if running "$1"; then kill -KILL "$(cat "$1/pid")"; fi
	rm -f "$1/pid"
}

case ${1:-} in
install) install ;;
check) check ;;
start) start "${2:?a directory}" "$(realpath "${3:?a configuration}")" "${4:-}" ;;
stop) stop "${2:?a directory}" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
