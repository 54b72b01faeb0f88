#!/usr/bin/env bash
# A real SMTP server for tests: Postfix from Debian on 127.0.0.1, which puts every
# mail for example.com into a maildir. Gone afterwards.
#
#   scripts/smtp.sh start DIR [PORT]   start a server, print its address; mails come into DIR/maildir
#   scripts/smtp.sh stop DIR           stop the server that was started in DIR
#
# Needs root, for apt and since Postfix changes to users of its own.
set -euo pipefail

install() {
	command -v postfix >/dev/null && return
	export DEBIAN_FRONTEND=noninteractive
	# The package would start a server of the machine's own.
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1
	fi
	{ apt-get install -y --no-install-recommends postfix || { apt-get update && apt-get install -y --no-install-recommends postfix; }; } >&2
	[ -z "$made" ] || rm -f "$policy"
}

free_port() { # a port that nobody listens on
	local port
	for port in $(shuf -i 20000-29999 -n 50); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
	done
	echo "smtp.sh: no free port" >&2 && exit 1
}

start() {
	local dir=$1 port=${2:-}
	install
	mkdir -p "$dir"/{maildir,etc,queue,data}
	dir=$(cd "$dir" && pwd)
	chmod 755 "$dir" "$(dirname "$dir")"
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
		virtual_uid_maps = static:65534
		virtual_gid_maps = static:65534
		smtpd_tls_cert_file = $dir/ca.pem
		smtpd_tls_key_file = $dir/key.pem
		smtpd_tls_security_level = may
		smtpd_recipient_restrictions = reject_unauth_destination
		alias_maps =
	CONF
	sed "s/^smtp  *inet .*/127.0.0.1:$port inet n - n - - smtpd/; s/^\(\S\+ *\S\+ *\S\+ *\S\+ *\)y\( .*\)/\1n\2/" \
		/usr/share/postfix/master.cf.dist >"$dir/etc/master.cf"
	postfix -c "$dir/etc" start-fg >"$dir/postfix.log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	for _ in $(seq 1 100); do
		kill -0 "$(cat "$dir/pid")" 2>/dev/null || { tail -20 "$dir/postfix.log" >&2 && exit 1; }
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
		kill -0 "$(cat "$1/pid")" 2>/dev/null || break
		sleep 0.1
	done
	rm -f "$1/pid"
}

case ${1:-} in
start) start "${2:?a directory}" "${3:-}" ;;
stop) stop "${2:?a directory}" ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
