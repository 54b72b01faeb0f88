#!/usr/bin/env bash
# Apache Kafka for tests: real, on 127.0.0.1, gone afterwards.
#
#   scripts/kafka.sh start DIR [PORT]          start one node with its data in DIR, print its address
#   scripts/kafka.sh cluster DIR [ADDRESS...]  start three nodes in DIR/1, DIR/2 and DIR/3, each a broker and
#                                              a controller; print for each the address for clients and the one
#                                              that the brokers use among themselves. With three ADDRESSes
#                                              these are what clients are told instead: of a proxy, for example
#   scripts/kafka.sh secured DIR               start one node that takes nothing without a right (StandardAuthorizer)
#                                              and listens for PLAINTEXT, TLS, MTLS (mutual TLS) and SASL (over
#                                              TLS: PLAIN, SCRAM, OAUTHBEARER); print NAME ADDRESS for each. DIR
#                                              holds ca.pem and broker.pem, a key and its certificate; users are
#                                              alice and carol with the passwords alice-secret and carol-secret
#   scripts/kafka.sh node DIR                  start the stopped node in DIR again, with the data it has
#   scripts/kafka.sh stop DIR                  stop the node, or the three nodes, in DIR
#
# DIR/pid is a node's process. Needs Java 17 and Maven. The broker comes from
# Maven Central and is kept in .cache (or $NOTIFIER_CACHE). KAFKA_VERSION chooses
# another version for start; those before 3.3 run with ZooKeeper.
set -euo pipefail

version=4.4.0
[ -z "${KAFKA_VERSION:-}" ] || version=$KAFKA_VERSION
case $version in
0.* | 1.* | 2.[0-3].*) scala=2.12 zookeeper=1 ;; # not published for Scala 2.13
2.* | 3.[0-2].*) scala=2.13 zookeeper=1 ;;
*) scala=2.13 zookeeper="" ;;
esac
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
		    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_$scala</artifactId><version>$version</version></dependency>
		    <!-- was part of Java until 10, which brokers before 1.0 expect -->
		    <dependency><groupId>javax.xml.bind</groupId><artifactId>jaxb-api</artifactId><version>2.3.1</version></dependency>
		    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
		  </dependencies>
		</project>
	XML
	mvn --batch-mode --quiet -Dstyle.color=never -f "$libs/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" >&2
	touch "$libs/.complete"
}

free_ports() { # so many ports that nobody listens on
	local port left=$1
	for port in $(shuf -i 20000-29999 -n 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
		echo "$port"
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 0
	done
	echo "kafka.sh: no free port" >&2 && exit 1
}

alive() { # whether the process $1 runs; one that nobody has waited for does not
	[ -e "/proc/$1/stat" ] && ! grep -qs ') Z ' "/proc/$1/stat"
}

tool() { java -XX:TieredStopAtLevel=1 -cp "$libs/*" kafka.tools.StorageTool "$@"; }

cluster_id() { # a random one as Kafka writes them; a JVM takes seconds for it
	echo "k$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)"
}

format() { # the node in $1, for the cluster with the id $2
	tool format -t "$2" -c "$1/server.properties" >"$1/format.log" 2>&1 || { cat "$1/format.log" >&2 && exit 1; }
}

node() { # start the node in $1; more options are the JVM's
	local dir=$1 pid
	shift
	[ -e "$dir/server.properties" ] || { echo "kafka.sh: no node was made in $dir" >&2 && exit 1; }
	if [ -e "$dir/pid" ] && alive "$(cat "$dir/pid")"; then echo "kafka.sh: a node runs in $dir" >&2 && exit 1; fi
	if [ -e "$dir/zookeeper.properties" ]; then
		nohup java -Xmx128m -cp "$libs/*" org.apache.zookeeper.server.ZooKeeperServerMain "$dir/zookeeper.properties" >>"$dir/kafka.log" 2>&1 </dev/null &
		echo $! >"$dir/zookeeper.pid"
	fi
	# shellcheck disable=SC2046
	nohup java $(cat "$dir/jvm.options") -cp "$libs/*" kafka.Kafka "$dir/server.properties" >>"$dir/kafka.log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
}

listening() { # wait until the node in $1 does on port $2
	for _ in $(seq 1 600); do
		alive "$(cat "$1/pid")" || { tail -20 "$1/kafka.log" >&2 && exit 1; }
		(exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null && return
		sleep 0.1
	done
	echo "kafka.sh: the node does not listen after 60 s, see $1/kafka.log" >&2 && exit 1
}

start() {
	local dir=$1 port=${2:-} controller
	fetch
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	rm -rf "$dir/data" "$dir/zookeeper" # each node is a new one
	[ -n "$port" ] || port=$(free_ports 1)
	controller=$(free_ports 1)
	echo "-Xmx512m -Xms256m" >"$dir/jvm.options"
	rm -f "$dir/zookeeper.properties"
	if [ -n "$zookeeper" ]; then
		printf 'dataDir=%s\nclientPortAddress=127.0.0.1\nclientPort=%s\nadmin.enableServer=false\n' "$dir/zookeeper" "$controller" >"$dir/zookeeper.properties"
		cat >"$dir/server.properties" <<-CONF
			broker.id=1
			zookeeper.connect=127.0.0.1:$controller
			listeners=PLAINTEXT://127.0.0.1:$port
		CONF
	else
		cat >"$dir/server.properties" <<-CONF
			process.roles=broker,controller
			node.id=1
			controller.quorum.voters=1@127.0.0.1:$controller
			listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
			controller.listener.names=CONTROLLER
			listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
		CONF
	fi
	cat >>"$dir/server.properties" <<-CONF
		advertised.listeners=PLAINTEXT://127.0.0.1:$port
		log.dirs=$dir/data
		auto.create.topics.enable=false
		# Tests write timestamps in the future, which brokers from 3.6 on limit to an hour.
		log.message.timestamp.after.max.ms=9223372036854775807
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=4
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=4
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
	CONF
	[ -n "$zookeeper" ] || format "$dir" "$(cluster_id)"
	: >"$dir/kafka.log"
	node "$dir"
	listening "$dir" "$port"
	echo "127.0.0.1:$port"
}

secured() {
	local dir ports oauth=org.apache.kafka.common.security.oauthbearer
	dir=$(cd "$1" && pwd)
	fetch
	rm -rf "$dir/data"
	mapfile -t ports < <(free_ports 5)
	echo "-Xmx384m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1" >"$dir/jvm.options"
	# Whoever has no name is a super user: on PLAINTEXT and TLS, and the node itself.
	cat >"$dir/server.properties" <<-CONF
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:${ports[4]}
		listeners=PLAINTEXT://127.0.0.1:${ports[0]},TLS://127.0.0.1:${ports[1]},MTLS://127.0.0.1:${ports[2]},SASL://127.0.0.1:${ports[3]},CONTROLLER://127.0.0.1:${ports[4]}
		advertised.listeners=PLAINTEXT://127.0.0.1:${ports[0]},TLS://127.0.0.1:${ports[1]},MTLS://127.0.0.1:${ports[2]},SASL://127.0.0.1:${ports[3]}
		inter.broker.listener.name=PLAINTEXT
		controller.listener.names=CONTROLLER
		listener.security.protocol.map=PLAINTEXT:PLAINTEXT,TLS:SSL,MTLS:SSL,SASL:SASL_SSL,CONTROLLER:PLAINTEXT
		authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
		super.users=User:ANONYMOUS
		ssl.keystore.type=PEM
		ssl.keystore.location=$dir/broker.pem
		ssl.truststore.type=PEM
		ssl.truststore.location=$dir/ca.pem
		listener.name.mtls.ssl.client.auth=required
		sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
		listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret" user_carol="carol-secret";
		listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		listener.name.sasl.oauthbearer.sasl.jaas.config=$oauth.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
		log.dirs=$dir/data
		auto.create.topics.enable=false
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=2
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
	CONF
	tool format -t "$(cluster_id)" -c "$dir/server.properties" \
		-S 'SCRAM-SHA-256=[name=alice,password=alice-secret]' -S 'SCRAM-SHA-512=[name=alice,password=alice-secret]' \
		>"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2 && exit 1; }
	: >"$dir/kafka.log"
	node "$dir"
	listening "$dir" "${ports[3]}"
	echo "PLAINTEXT 127.0.0.1:${ports[0]}"
	echo "TLS 127.0.0.1:${ports[1]}"
	echo "MTLS 127.0.0.1:${ports[2]}"
	echo "SASL 127.0.0.1:${ports[3]}"
}

cluster() {
	local base=$1 id ports voters i client internal
	shift
	[ $# -eq 0 ] || [ $# -eq 3 ] || { echo "kafka.sh: give three addresses, or none" >&2 && exit 2; }
	fetch
	mkdir -p "$base"
	base=$(cd "$base" && pwd)
	mapfile -t ports < <(free_ports 9)
	voters=1@127.0.0.1:${ports[6]},2@127.0.0.1:${ports[7]},3@127.0.0.1:${ports[8]}
	id=$(cluster_id)
	for i in 1 2 3; do
		local dir=$base/$i
		client=127.0.0.1:${ports[$((i - 1))]} internal=127.0.0.1:${ports[$((i + 2))]}
		rm -rf "$dir/data" && mkdir -p "$dir"
		# Three of them share a small machine with what is tested.
		echo "-Xmx384m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1" >"$dir/jvm.options"
		cat >"$dir/server.properties" <<-CONF
			process.roles=broker,controller
			node.id=$i
			controller.quorum.voters=$voters
			listeners=CLIENT://$client,INTERNAL://$internal,CONTROLLER://127.0.0.1:${ports[$((i + 5))]}
			advertised.listeners=CLIENT://${!i:-$client},INTERNAL://$internal
			inter.broker.listener.name=INTERNAL
			controller.listener.names=CONTROLLER
			listener.security.protocol.map=CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
			log.dirs=$dir/data
			log.index.size.max.bytes=1048576
			log.cleaner.dedupe.buffer.size=16777216
			file.delete.delay.ms=1000
			auto.create.topics.enable=false
			default.replication.factor=3
			min.insync.replicas=2
			offsets.topic.replication.factor=3
			offsets.topic.num.partitions=6
			transaction.state.log.replication.factor=3
			transaction.state.log.min.isr=2
			transaction.state.log.num.partitions=3
			share.coordinator.state.topic.replication.factor=3
			share.coordinator.state.topic.min.isr=2
			group.initial.rebalance.delay.ms=0
		CONF
		: >"$dir/kafka.log"
		format "$dir" "$id" &
	done
	wait
	for i in 1 2 3; do node "$base/$i"; done
	for i in 1 2 3; do listening "$base/$i" "${ports[$((i - 1))]}"; done
	for i in 1 2 3; do echo "127.0.0.1:${ports[$((i - 1))]} 127.0.0.1:${ports[$((i + 2))]}"; done
}

stop() {
	local pid dirs=("$1") dir
	[ ! -d "$1/1" ] || dirs=("$1"/[123])
	for dir in "${dirs[@]}"; do
		[ -e "$dir/pid" ] || { [ "${#dirs[@]}" -gt 1 ] || { echo "kafka.sh: nothing was started in $dir" >&2 && exit 1; }; continue; }
		kill "$(cat "$dir/pid")" 2>/dev/null || true
	done
	for dir in "${dirs[@]}"; do
		[ -e "$dir/pid" ] || continue
		pid=$(cat "$dir/pid")
		for _ in $(seq 1 100); do
			alive "$pid" || break
			sleep 0.1
		done
		kill -9 "$pid" 2>/dev/null || true
		rm -f "$dir/pid"
		[ ! -e "$dir/zookeeper.pid" ] || kill "$(cat "$dir/zookeeper.pid")" 2>/dev/null || true
		rm -f "$dir/zookeeper.pid"
	done
}

case ${1:-} in
start) start "${2:?a directory}" "${3:-}" ;;
secured) secured "${2:?a directory}" ;;
cluster) cluster "${@:2}" ;;
node) node "${2:?a directory}" ;;
stop) stop "${2:?a directory}" ;;
*) sed -n '2,20s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
