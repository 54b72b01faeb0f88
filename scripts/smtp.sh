#!/usr/bin/env bash
# A real SMTP server for tests: Postfix from Debian on 127.0.0.1, which puts every
# mail for example.com into a maildir. Gone afterwards.
#
#   scripts/smtp.sh start DIR [PORT]   start a server, print its address; mails come into DIR/maildir
#   scripts/smtp.sh stop DIR           stop the server that was started in DIR
#
# Needs root, for apt and since Postfix changes to users of its own. They must be
# able to get into DIR; nothing outside of it is changed.
set -euo pipefail

install() {
	command -v postfix >/dev/null && return
	export DEBIAN_FRONTEND=noninteractive
	# The package would start a server of the machine's own.
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	{ apt-get install -y --no-install-recommends postfix || { apt-get update && apt-get install -y --no-install-recommends postfix; }; } >&2
}

free_port() { # a port that nobody listens on
	local port
	for port in $(shuf -i 20000-29999 -n 50); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
	done
	echo "smtp.sh: no free port" >&2 && exit 1
}

running() { # whether the process that was started in $1 is there, and not another with its number
	[ -e "$1/pid" ] && grep -qzx "MAIL_CONFIG=$(cd "$1" && pwd)/etc" "/proc/$(cat "$1/pid")/environ" 2>/dev/null
}

start() {
	local dir=$1 port=${2:-}
	if running "$dir"; then echo "smtp.sh: a server runs in $dir: stop it first" >&2 && exit 1; fi
	install
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	chmod 755 "$dir"
	if ! setpriv --reuid nobody --regid nogroup --clear-groups test -x "$dir"; then
		echo "smtp.sh: other users cannot get into $dir: open the directories above it (chmod o+x), or take another" >&2 && exit 1
	fi
	mkdir -p "$dir"/{maildir,etc,queue,data}
	chown nobody "$dir/maildir"
	chown postfix "$dir/data"
	[ -n "$port" ] || port=$(free_port)
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$dir/key.pem" -out "$dir/ca.pem" 2>/dev/null
	cat >"$dir/etc/main.cf" <<-CONF
		compatibility_level = 3.6
		myhostname = localhost
		mydestination =
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		queue_directory = $dir/queue
		data_directory = $dir/data
		maillog_file = /dev/stdout
		maillog_file_prefixes = /dev, $dir
		virtual_mailbox_domains = example.com
		virtual_mailbox_base = $dir
		virtual_mailbox_maps = static:maildir/
		enable_long_queue_ids = yes
		virtual_uid_maps = static:65534
		virtual_gid_maps = static:65534
		smtpd_tls_cert_file = $dir/ca.pem
		smtpd_tls_key_file = $dir/key.pem
		smtpd_tls_security_level = may
		smtpd_recipient_restrictions = reject_non_fqdn_helo_hostname, reject_unauth_destination
		alias_maps =
	CONF
	sed "s/^smtp  *inet .*/127.0.0.1:$port inet n - n - - smtpd/; s/^\(\S\+ *\S\+ *\S\+ *\S\+ *\)y\( .*\)/\1n\2/" \
		/usr/share/postfix/master.cf.dist >"$dir/etc/master.cf"
	postfix -c "$dir/etc" start-fg >"$dir/postfix.log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	for _ in $(seq 1 100); do
		kill -0 "$!" 2>/dev/null || { tail -20 "$dir/postfix.log" >&2 && exit 1; }
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && echo "127.0.0.1:$port" && return
		sleep 0.1
	done
	tail -20 "$dir/postfix.log" >&2
	echo "smtp.sh: the server does not listen" >&2 && exit 1
}

stop() {
	[ -e "$1/pid" ] || { echo "smtp.sh: nothing was started in $1" >&2 && exit 1; }
	postfix -c "$1/etc" stop >>"$1/postfix.log" 2>&1 || true
	for _ in $(seq 1 50); do
		running "$1" || break
		sleep 0.1
	done
	if running "$1"; then kill -KILL "$(cat "$1/pid")"; fi
	rm -f "$1/pid"
}

case ${1:-} in
start) start "${2:?a directory}" "${3:-}" ;;
stop) stop "${2:?a directory}" ;;
*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
