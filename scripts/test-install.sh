#!/usr/bin/env bash
# Builds releases, compares two builds of one revision, and installs, starts,
# watches, upgrades and purges the Debian package in a disposable machine
# (scripts/machine.sh). The broker is that of `notifier dev`. Needs root and dpkg.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "test-install.sh: $*" >&2 && exit 1; }

outside() {
	command -v systemd-analyze >/dev/null || {
		export DEBIAN_FRONTEND=noninteractive
		apt-get install -y --no-install-recommends systemd || { apt-get update && apt-get install -y --no-install-recommends systemd; }
	} >/dev/null
	work=$(mktemp -d)
	chmod 755 "$work"
	trap 'rm -rf "$work"' EXIT
	arch=$(dpkg --print-architecture)
	VERSION=1.0.0 ARCHES=$arch scripts/release.sh "$work/one"
	VERSION=1.0.1 ARCHES=$arch scripts/release.sh "$work/two" >/dev/null
	mkdir "$work/elsewhere"
	tar --exclude=./dist --exclude=./.cache -cf - . | tar -xf - -C "$work/elsewhere"
	(umask 077 && cd "$work/elsewhere" && TZ=Asia/Tokyo VERSION=1.0.0 ARCHES=$arch scripts/release.sh "$work/again" >/dev/null)
	diff -r "$work/one" "$work/again" || fail "the build is not reproducible"
	(cd "$work/one" && sha256sum --check --quiet SHA256SUMS)

	# Notices and bill of materials have the licences of all linked modules.
	mkdir "$work/unpacked"
	tar -xzf "$work/one/notifier-1.0.0-linux-$arch.tar.gz" -C "$work/unpacked" --strip-components=1
	go version -m "$work/unpacked/notifier" | awk '$1 == "dep" { print $2, $3 }' >"$work/modules"
	[ "$(wc -l <"$work/modules")" -gt 30 ] || fail "the program has only $(wc -l <"$work/modules") modules"
	while read -r module version; do
		grep -qx "$module $version" "$work/unpacked/THIRD_PARTY_NOTICES" || fail "the notices lack $module $version"
	done <"$work/modules"
	components=$(grep -c '"bom-ref": ' "$work/one/notifier-1.0.0-linux-$arch.cdx.json")
	licensed=$(grep -c '"licenses": ' "$work/one/notifier-1.0.0-linux-$arch.cdx.json")
	[ "$components" -gt 30 ] && [ "$components" = "$licensed" ] || fail "of $components components in the bill of materials, $licensed have a licence"

	# The unit is valid and hardened.
	mkdir "$work/unit"
	sed 's|/usr/bin/notifier |/bin/true |' configs/systemd/notifier.service >"$work/unit/notifier.service"
	systemd-analyze verify --man=no "$work/unit/notifier.service" || fail "systemd-analyze rejects the unit"
	exposure=$(systemd-analyze security --offline=true "$work/unit/notifier.service" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
	awk -v e="${exposure:-10}" 'BEGIN { exit !(e <= 2.0) }' || fail "the unit's exposure is $exposure"
	echo "the unit's exposure is $exposure"

	scripts/machine.sh "$PWD/scripts/test-install.sh" inside "$work/one/notifier_1.0.0_$arch.deb" "$work/two/notifier_1.0.1_$arch.deb"
}

# eventually waits until a command succeeds.
eventually() {
	local what=$1
	shift
	for _ in $(seq 1 600); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	systemctl status --no-pager notifier || true
	cat /tmp/notifier.log >&2 || true
	fail "$what: never"
}
show() { systemctl show --property "$1" --value notifier; }
is() { [ "$(show "$1")" = "$2" ]; }
files() { find /run/changes -type f -regex '/run/changes/\(etc\|usr\|var\|opt\)/.*' ! -path '*/var/lib/dpkg/*' ! -path '*/var/log/*' ! -path '*/var/cache/*' ! -name .pwd.lock | sort; }

inside() {
	cd / # where there is no configs/notifier.yaml
	files >/tmp/before
	dpkg -i "$1" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log && fail "it cannot be installed"; }
	grep -q 'systemctl enable --now notifier' /tmp/dpkg.log || fail "the installation does not print the next step"
	[ "$(dpkg-query --show --showformat '${Conffiles}' notifier | awk '{print $1}' | sort | xargs)" = "/etc/notifier/notifier.yaml /etc/notifier/rules.yaml /etc/notifier/schemas/forward-test-events.json /etc/notifier/schemas/portfolio-updates.json /etc/notifier/schemas/trade-executions.json" ] || fail "unexpected conffiles"
	for f in /usr/share/bash-completion/completions/notifier /usr/share/zsh/vendor-completions/_notifier /usr/share/fish/vendor_completions.d/notifier.fish \
		/usr/share/man/man1/notifier.1.gz /usr/share/man/man1/notifier-dlq-replay.1.gz /usr/share/doc/notifier/copyright /usr/share/doc/notifier/changelog.gz /usr/share/doc/notifier/THIRD_PARTY_NOTICES.gz; do
		[ -s "$f" ] || dpkg-query --listfiles notifier | grep -qx "$f" || fail "$f is missing"
	done
	dpkg --verify notifier
	/usr/bin/notifier --version | grep -q '^notifier 1\.0\.0 ([0-9a-f]\{12\}' || fail "the version is $(/usr/bin/notifier --version)"
	[ "$(systemctl is-enabled notifier)" = disabled ] || fail "it is enabled before it is configured"
	is ActiveState inactive || fail "it was started before it is configured"

	# A broker, and a configuration with a credential.
	/usr/bin/notifier dev --kafka 127.0.0.1:0 --http 127.0.0.1:0 --no-samples >/tmp/dev 2>&1 &
	eventually "a broker" grep -q '  kafka ' /tmp/dev
	export KAFKA_BOOTSTRAP_SERVERS KAFKA_GROUP_ID=installed
	KAFKA_BOOTSTRAP_SERVERS=$(sed -n 's/.*  kafka \(\S*\)  .*/\1/p' /tmp/dev)
	port=$(shuf -i 20000-29999 -n 1)
	export NOTIFIER_HTTP_LISTEN=127.0.0.1:$port
	mkdir -p /etc/systemd/system/notifier.service.d /etc/notifier/credentials
	chmod 700 /etc/notifier/credentials
	(umask 077 && echo https://hooks.example.com/very-secret >/etc/notifier/credentials/hook)
	cat >/etc/systemd/system/notifier.service.d/test.conf <<-UNIT
		[Service]
		Environment=KAFKA_BOOTSTRAP_SERVERS=$KAFKA_BOOTSTRAP_SERVERS KAFKA_GROUP_ID=installed NOTIFIER_HTTP_LISTEN=$NOTIFIER_HTTP_LISTEN
		LoadCredential=hook:/etc/notifier/credentials/hook
		WatchdogSec=3s
		StandardError=append:/tmp/notifier.log
	UNIT
	sed -i 's|^channels:|&\n  hook:\n    webhook: { url: "file:${CREDENTIALS_DIRECTORY}/hook" }|' /etc/notifier/notifier.yaml
	export CREDENTIALS_DIRECTORY=/etc/notifier/credentials # for commands
	/usr/bin/notifier config check >/tmp/check 2>&1 || { cat /tmp/check && fail "the configuration has faults"; }
	/usr/bin/notifier topics create >/dev/null 2>&1
	systemctl daemon-reload

	# It starts, reports readiness, and runs with the unit's restrictions.
	systemctl enable --quiet --now notifier || { cat /tmp/notifier.log && fail "it does not start"; }
	is ActiveState active || fail "systemctl start returned while it is $(show ActiveState)"
	eventually "a status line" sh -c 'systemctl show --property StatusText --value notifier | grep -Eqx "ready: [0-9]+ partitions, 2 channels"'
	/usr/bin/notifier health --ready >/dev/null || fail "systemd reports it as ready, but it is not"
	pid=$(show MainPID)
	[ "$(awk '/^Uid:/{print $2}' "/proc/$pid/status")" -gt 60000 ] || fail "it has no user of its own"
	[ "$(awk '/^CapBnd:/{print $2}' "/proc/$pid/status")" = 0000000000000000 ] || fail "it has capabilities"
	[ "$(awk '/^Seccomp:/{print $2}' "/proc/$pid/status")" = 2 ] || fail "its system calls are not filtered"
	if grep -rqs very-secret /tmp/notifier.log; then fail "a secret is in its log"; fi

	# The watchdog restarts a stopped process.
	kill -STOP "$pid"
	eventually "the watchdog's restart" is NRestarts 1
	eventually "a second start" is ActiveState active
	[ "$(show MainPID)" != "$pid" ] || fail "it was not restarted"

	# An upgrade restarts it and keeps the configuration.
	pid=$(show MainPID)
	dpkg -i "$2" >/tmp/dpkg.log 2>&1 </dev/null || { cat /tmp/dpkg.log && fail "it cannot be upgraded"; }
	grep -q CREDENTIALS_DIRECTORY /etc/notifier/notifier.yaml || fail "the upgrade removed the configuration"
	is ActiveState active || fail "after the upgrade it is $(show ActiveState)"
	[ "$(show MainPID)" != "$pid" ] || fail "the upgrade did not restart it"
	/usr/bin/notifier --version | grep -q '^notifier 1\.0\.1 ' || fail "after the upgrade it is $(/usr/bin/notifier --version)"

	# A stop is no failure; an invalid configuration is not retried.
	systemctl stop notifier
	is Result success || fail "a stop is $(show Result)"
	sed -i 's/^rules:/rulez:/' /etc/notifier/notifier.yaml
	if systemctl start notifier 2>/dev/null; then fail "it starts with a wrong configuration"; fi
	[ "$(show ActiveState) $(show ExecMainStatus) $(show NRestarts)" = "failed 78 0" ] || fail "with a wrong configuration it is $(show ActiveState), $(show ExecMainStatus), started again $(show NRestarts) times"
	show StatusText | grep -q '^failed: the configuration has' || fail "the status is $(show StatusText)"

	# A purge removes everything.
	dpkg --purge notifier >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log && fail "it cannot be purged"; }
	rm -r /etc/systemd/system/notifier.service.d # of the test
	files >/tmp/after
	diff /tmp/before /tmp/after || fail "the purge left files"
	[ ! -e /etc/notifier ] || fail "the purge left /etc/notifier"
	echo "installed, watched, upgraded and purged"
}

case ${1:-} in
"") outside ;;
inside) inside "${@:2}" ;;
*) fail "takes no arguments" ;;
esac
