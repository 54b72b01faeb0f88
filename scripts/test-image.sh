#!/usr/bin/env bash
# Builds the last stage of the Dockerfile around a binary that is built here, and
# tries it: what is in it, how big it is, whether it runs as it says. No base
# image is pulled. Needs root, for buildah, which comes from Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v buildah >/dev/null || {
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y --no-install-recommends buildah || { apt-get update && apt-get install -y --no-install-recommends buildah; }
} >/dev/null

work=$(mktemp -d)
box= broker= pid=
storage() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
stop() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	[ -z "$broker" ] || { kill -INT "$broker" && wait "$broker"; } || true
	[ -z "$box" ] || storage rm "$box" >/dev/null
	rm -rf "$work"
}
trap stop EXIT
fail() { echo "test-image.sh: $*" >&2 && exit 1; }

mkdir -p "$work/context/out"
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/algotrade/notifier/internal/cli/base.version=1.2.3" -o "$work/context/out/notifier" ./cmd/notifier
go -C tools/notices run . >"$work/context/out/THIRD_PARTY_NOTICES"
cp -r configs LICENSE "$work/context"
sed '/^FROM scratch/,$!d; s|^COPY --from=build /out/|COPY out/|' Dockerfile >"$work/Dockerfile"
grep -q '^COPY out/notifier ' "$work/Dockerfile" || fail "the Dockerfile's last stage is not FROM scratch with what the first has made"
storage build --isolation chroot --format docker --quiet --build-arg VERSION=1.2.3 -t notifier -f "$work/Dockerfile" "$work/context" >/dev/null

box=$(storage from notifier)
root=$(storage mount "$box")
found=$(cd "$root" && find . -type f | sort | xargs)
[ "$found" = "./etc/notifier/notifier.yaml ./etc/notifier/rules.yaml ./etc/notifier/schemas/forward-test-events.json ./etc/notifier/schemas/portfolio-updates.json ./etc/notifier/schemas/trade-executions.json ./usr/bin/notifier ./usr/share/doc/notifier/LICENSE ./usr/share/doc/notifier/THIRD_PARTY_NOTICES" ] || fail "the image holds $found"
size=$(du -sm "$root" | cut -f1)
[ "$size" -lt 45 ] || fail "the image has $size MB"

image=$(storage inspect --type image --format '{{.Docker.Config.User}} {{.Docker.Config.Entrypoint}} {{.Docker.Config.Cmd}} {{.Docker.Config.Healthcheck.Test}}' notifier)
[ "$image" = "65532:65532 [/usr/bin/notifier] [run] [CMD /usr/bin/notifier health]" ] || fail "the image says $image"

# It runs as it will: a user without a name, nothing but its own files.
run() { storage run --isolation chroot "$box" -- /usr/bin/notifier "$@"; }
run --version | grep -q '^notifier 1\.2\.3 ' || fail "it does not say its version"
run config check >/dev/null 2>&1 || fail "its configuration has faults"
if run health 2>"$work/health"; then fail "health is content where nobody runs"; fi
grep -q 'connection refused on 0.0.0.0:9464' "$work/health" || fail "health says $(cat "$work/health")"

# A daemon in it, with the broker of a dev outside.
"$work/context/out/notifier" dev --kafka 127.0.0.1:0 --http 127.0.0.1:0 --no-samples >"$work/dev" 2>&1 &
broker=$!
for _ in $(seq 1 300); do
	grep -q '  kafka ' "$work/dev" && break
	sleep 0.1
done
kafka=$(sed -n 's/.*  kafka \(\S*\)  .*/\1/p' "$work/dev")
[ -n "$kafka" ] || fail "no broker: $(cat "$work/dev")"
port=$(shuf -i 20000-29999 -n 1)
storage config --env "KAFKA_BOOTSTRAP_SERVERS=$kafka" --env KAFKA_GROUP_ID=image --env "NOTIFIER_HTTP_LISTEN=0.0.0.0:$port" "$box"
daemon() { # its process, as this machine sees it
	for p in $(pgrep -f "^/usr/bin/notifier run --create-topics"); do
		if tr '\0' '\n' <"/proc/$p/environ" | grep -qx "NOTIFIER_HTTP_LISTEN=0.0.0.0:$port"; then echo "$p"; fi
	done
}
run run --create-topics >"$work/daemon" 2>&1 &
runs=$!
for _ in $(seq 1 300); do
	run health --ready >"$work/health" 2>&1 && break
	sleep 0.1
done
pid=$(daemon)
grep -qx ready "$work/health" || fail "the daemon is not ready: $(cat "$work/health" "$work/daemon")"
[ "$(run health)" = alive ] || fail "the daemon is not alive"
[ "$(awk '/^Uid:/{print $2}' "/proc/$pid/status")" = 65532 ] || fail "it runs as another user"
kill -TERM "$pid"
wait "$runs" || fail "it did not stop well: $(cat "$work/daemon")"
echo "the image is well: $size MB, $found"
