#!/usr/bin/env bash
# Kafka's Java consumer as a static member does not read a topic that was added while it was restarting.
#
# Guess:   a consumer that restarts with another subscribe(...) causes a rebalance, because its
#          subscription differs from what the group knows; only an unchanged one gets its
#          partitions back at once.
# Seen:    with group.instance.id, a restart within session.timeout.ms gets the former assignment
#          without a rebalance. A topic that was added has no owner then, although the broker
#          knows the new subscription: its records are not read, and nothing is said. Only an
#          assigned topic that is no longer subscribed to makes the consumer rejoin, and that
#          assigns what was added, too.
# Output:  before   [removed-0, removed-1]
#          added    [removed-0, removed-1]
#          replaced [added-0, added-1]
# Pinned:  org.apache.kafka:kafka_2.13 4.4.0, its kafka-clients, Java 17
# Date:    2026-11-30
# Source:  KIP-345 and KIP-814, https://cwiki.apache.org/confluence/display/KAFKA/KIP-814
# Why:     the shipped unit sets an instance id, and a channel is added by a restart: its alerts
#          would wait without a word. The notifier compares and rejoins by itself.
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
cat >pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.4.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
XML
mvn --batch-mode --quiet dependency:copy-dependencies -DoutputDirectory=libs >mvn.log 2>&1 || { cat mvn.log; exit 1; }
port=$(shuf -i 30000-39998 -n 1)
cat >server.properties <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
CONF
java -cp 'libs/*' kafka.tools.StorageTool format -t 5L6g3nShT-eMCtK--X86sw -c server.properties >format.log
java -Xmx384m -cp 'libs/*' kafka.Kafka server.properties >kafka.log 2>&1 &
pid=$!
cat >Finding.java <<'JAVA'
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Finding {
	static Map<String, Object> config(String server, String id) {
		return Map.of("bootstrap.servers", server, "group.id", "group", "group.instance.id", id, "session.timeout.ms", 45000,
			"partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
	}

	static volatile boolean stop;

	// A member that polls until it is stopped; the group's leader, if it is the first.
	static Thread member(String server, String id, String... topics) {
		Thread t = new Thread(() -> {
			try (var c = new KafkaConsumer<>(config(server, id), new StringDeserializer(), new StringDeserializer())) {
				c.subscribe(List.of(topics));
				while (!stop) c.poll(Duration.ofMillis(100));
			}
		});
		t.start();
		return t;
	}

	// The assignment of a member after so many seconds of polling.
	static String assigned(String server, String id, int seconds, String... topics) {
		try (var c = new KafkaConsumer<>(config(server, id), new StringDeserializer(), new StringDeserializer())) {
			c.subscribe(List.of(topics));
			String failed = "";
			for (long end = System.nanoTime() + seconds * 1_000_000_000L; System.nanoTime() < end;) {
				try {
					c.poll(Duration.ofMillis(100));
				} catch (RuntimeException e) {
					failed = " " + e.getClass().getSimpleName();
				}
			}
			var names = new TreeSet<String>();
			for (TopicPartition p : c.assignment()) names.add(p.toString());
			return names + failed;
		}
	}

	public static void main(String[] args) throws Exception {
		String server = args[0];
		try (var admin = Admin.create(Map.of("bootstrap.servers", (Object) server))) {
			admin.createTopics(List.of(new NewTopic("kept", 2, (short) 1), new NewTopic("removed", 2, (short) 1), new NewTopic("added", 2, (short) 1))).all().get();
		}
		Thread leader = member(server, "leader", "kept");
		Thread.sleep(5000);
		System.out.println("before   " + assigned(server, "member", 12, "kept", "removed"));
		System.out.println("added    " + assigned(server, "member", 12, "kept", "removed", "added"));
		System.out.println("replaced " + assigned(server, "member", 12, "kept", "added"));
		stop = true;
		leader.join();
	}
}
JAVA
for _ in $(seq 60); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 1; done
java -Xmx256m -cp 'libs/*' Finding.java "127.0.0.1:$port" | tee seen
cat >expected <<'TEXT'
before   [removed-0, removed-1]
added    [removed-0, removed-1]
replaced [added-0, added-1]
TEXT
diff expected seen
