#!/usr/bin/env bash
# A single node of Apache Kafka for tests: real, on 127.0.0.1, gone afterwards.
#
#   scripts/kafka.sh start DIR [PORT]   start a node with its data in DIR, print its address
#   scripts/kafka.sh stop DIR           stop the node that was started in DIR
#
# Needs Java 17 and Maven. The broker comes from Maven Central and is kept in
# .cache (or $NOTIFIER_CACHE).
set -euo pipefail

version=4.2.0
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${NOTIFIER_CACHE:-$root/.cache}
libs=$cache/kafka-$version

fetch() {
	[ -e "$libs/.complete" ] && return
	mkdir -p "$libs"
	cat >"$libs/pom.xml" <<-XML
		<project xmlns="http://maven.apache.org/POM/4.0.0">
		  <modelVersion>4.0.0</modelVersion>
		  <groupId>local</groupId><artifactId>kafka-node</artifactId><version>1</version>
		  <dependencies>
		    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
		    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
		  </dependencies>
		</project>
	XML
	mvn --batch-mode --quiet -Dstyle.color=never -f "$libs/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" >&2
	touch "$libs/.complete"
}

free_port() { # a port that nobody listens on
	local port
	for port in $(shuf -i 20000-29999 -n 50); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
	done
	echo "kafka.sh: no free port" >&2 && exit 1
}

start() {
	local dir=$1 port=${2:-} controller
	fetch
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	rm -rf "$dir/data" # each node is a new one
	[ -n "$port" ] || port=$(free_port)
	controller=$(free_port)
	cat >"$dir/server.properties" <<-CONF
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$controller
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
		advertised.listeners=PLAINTEXT://127.0.0.1:$port
		controller.listener.names=CONTROLLER
		listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
		log.dirs=$dir/data
		auto.create.topics.enable=false
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=4
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=4
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
	CONF
	java -cp "$libs/*" kafka.tools.StorageTool format -t "$(java -cp "$libs/*" kafka.tools.StorageTool random-uuid)" \
		-c "$dir/server.properties" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2 && exit 1; }
	nohup java -Xmx512m -Xms256m -cp "$libs/*" kafka.Kafka "$dir/server.properties" >"$dir/kafka.log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	for _ in $(seq 1 300); do
		kill -0 "$(cat "$dir/pid")" 2>/dev/null || { tail -20 "$dir/kafka.log" >&2 && exit 1; }
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && echo "127.0.0.1:$port" && return
		sleep 0.1
	done
	echo "kafka.sh: the node does not listen after 30 s, see $dir/kafka.log" >&2 && exit 1
}

stop() {
	local pid
	[ -e "$1/pid" ] || { echo "kafka.sh: nothing was started in $1" >&2 && exit 1; }
	pid=$(cat "$1/pid")
	kill "$pid" 2>/dev/null || true
	for _ in $(seq 1 100); do
		kill -0 "$pid" 2>/dev/null || { rm -f "$1/pid" && return; }
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
	rm -f "$1/pid"
}

case ${1:-} in
start) start "${2:?a directory}" "${3:-}" ;;
stop) stop "${2:?a directory}" ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
