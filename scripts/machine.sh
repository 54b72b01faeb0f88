#!/usr/bin/env bash
# Runs a command as root in a disposable machine: namespaces with a real systemd
# as process 1 and an overlay of this host's files. Changes are discarded; the
# network is this host's. /run/changes contains exactly the changed files.
#
#   scripts/machine.sh COMMAND [ARGUMENT...]
#
# Prints COMMAND's output and exits with its code. Needs root, systemd (installed,
# not running) and a kernel with overlayfs.
set -euo pipefail

case ${MACHINE_STAGE:-} in
"")
	[ $# -gt 0 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
	[ -x /lib/systemd/systemd ] || {
		export DEBIAN_FRONTEND=noninteractive
		apt-get install -y --no-install-recommends systemd || { apt-get update && apt-get install -y --no-install-recommends systemd; }
	} >/dev/null
	MACHINE_DIR=$(mktemp -d)
	export MACHINE_DIR MACHINE_STAGE=inside PWD_OUTSIDE=$PWD
	MACHINE_SELF=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
	export MACHINE_SELF
	touch "$MACHINE_DIR/output"
	# The process gets its own control group, which is the root in the new namespace.
	groups=/sys/fs/cgroup
	if [ -d $groups/unified ]; then mine=("$groups/unified/${MACHINE_DIR##*/}" "$groups/systemd/${MACHINE_DIR##*/}"); else mine=("$groups/${MACHINE_DIR##*/}"); fi
	mkdir "${mine[@]}"
	(
		for group in "${mine[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
		exec unshare --mount --pid --cgroup --ipc --uts --fork --kill-child --propagation private "$MACHINE_SELF" "$@"
	) </dev/null >"$MACHINE_DIR/console" 2>&1 || true
	for group in "${mine[@]}"; do
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
	cat "$MACHINE_DIR/output"
	code=$(cat "$MACHINE_DIR/code" 2>/dev/null) || { cat "$MACHINE_DIR/console" >&2 && echo "machine.sh: the machine did not run" >&2 && code=1; }
	rm -rf "$MACHINE_DIR"
	exit "$code"
	;;
inside)
	box=$MACHINE_DIR/box
	mkdir "$box"
	mount -t tmpfs tmpfs "$box"
	mkdir "$box"/{upper,work,root}
	mount -t overlay overlay -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" "$box/root"
	cd "$box/root"
	mount -t proc proc proc
	mount --bind -o ro proc/sys proc/sys
	mount -t sysfs -o ro sysfs sys
	mount -t tmpfs tmpfs sys/fs/cgroup
	if [ -d /sys/fs/cgroup/unified ]; then
		mkdir sys/fs/cgroup/{systemd,unified}
		mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
		mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
	else
		umount sys/fs/cgroup
		mount -t cgroup2 cgroup2 sys/fs/cgroup
	fi
	mount --rbind /dev dev
	mount -t tmpfs -o mode=755 tmpfs run
	mkdir run/changes
	mount --bind -o ro "$box/upper" run/changes
	mkdir -p ".$MACHINE_DIR"
	mount --bind "$MACHINE_DIR" ".$MACHINE_DIR"
	# Start no services of this host.
	rm -rf usr/lib/systemd/system/*.wants etc/systemd/system/*.wants
	: >etc/fstab
	mkdir -p run/systemd/system
	{
		printf '#!/bin/bash\ncd %q\nexport PATH=%q HOME=/root\n' "$PWD_OUTSIDE" "$PATH"
		printf '%q ' "$@"
		printf '\n'
	} >"$MACHINE_DIR/command"
	chmod +x "$MACHINE_DIR/command"
	cat >run/systemd/system/machine.target <<-UNIT
		[Unit]
		Wants=machine.service
	UNIT
	cat >run/systemd/system/machine.service <<-UNIT
		[Service]
		Type=oneshot
		ExecStart=$MACHINE_DIR/command
		ExecStopPost=/bin/sh -c 'echo \$EXIT_STATUS >$MACHINE_DIR/code; systemctl exit --no-block'
		StandardOutput=append:$MACHINE_DIR/output
		StandardError=append:$MACHINE_DIR/output
	UNIT
	pivot_root . mnt
	umount -l /mnt
	cd /
	mount --make-rshared /
	export container=machine
	exec /lib/systemd/systemd --system --unit=machine.target --log-target=null --show-status=no
	;;
esac
