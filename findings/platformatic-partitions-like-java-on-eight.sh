#!/usr/bin/env bash
# The default partitioner of @platformatic/kafka agrees with Java's on 8 partitions and
# not on 6.
#
# Guess:   its default hashes keys with murmur2, so a key has the same partition as with the
#          Java client; compatibilityPartitioner is for old brokers.
# Seen:    the default takes the hash as an unsigned number, Java drops its highest bit. The
#          two differ by 2^31, so they agree wherever the number of partitions is a power of
#          two. On 6 partitions every key whose hash is negative goes elsewhere.
#          compatibilityPartitioner agrees on both; without a key it sends everything to
#          partition 0.
# Output:  six   java         [4 1 1 5 3 2 4 4 5 0 2 4]
#          six   platformatic [0 3 3 1 5 4 0 0 5 0 4 0]
#          six   compatible   [4 1 1 5 3 2 4 4 5 0 2 4]
#          eight java         [2 5 5 1 3 4 2 4 7 6 2 6]
#          eight platformatic [2 5 5 1 3 4 2 4 7 6 2 6]
#          eight compatible   [2 5 5 1 3 4 2 4 7 6 2 6]
# Pinned:  @platformatic/kafka 1.35.0, github.com/twmb/franz-go v1.22.3 (as Java, and kfake), Go 1.26
# Date:    2026-11-30
# Source:  Kafka clients/src/main/java/org/apache/kafka/common/utils/Utils.java, toPositive;
#          platformatic/kafka src/clients/producer/partitioners.ts
# Why:     events of one session from two services lie in two partitions and are read out of
#          order: a cancellation may alert before its order. A test with 1, 2, 4 or 8
#          partitions does not show it.
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit --ignore-scripts @platformatic/kafka@1.35.0
cat >go.mod <<'MOD'
module finding

go 1.26.0

require (
	github.com/twmb/franz-go v1.22.3
	github.com/twmb/franz-go/pkg/kfake v0.0.0-20260918054303-01f206a7e32c
)

MOD
cat >produce.mjs <<'JS'
import { Producer, stringSerializers, compatibilityPartitioner } from '@platformatic/kafka'
const [broker, topic] = process.argv.slice(2)
const messages = value => Array.from({ length: 12 }, (_, i) => ({ topic, key: `ses-${i}`, value }))
for (const [value, partitioner] of [['platformatic', undefined], ['compatible', compatibilityPartitioner]]) {
  const producer = new Producer({ clientId: 'x', bootstrapBrokers: [broker], serializers: stringSerializers, partitioner })
  await producer.send({ messages: messages(value) })
  await producer.close()
}
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const keys = 12

func main() {
	ctx := context.Background()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(6, "six"), kfake.SeedTopics(8, "eight"))
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	for _, topic := range []string{"six", "eight"} {
		where := map[string][]int32{} // by client, of each key
		for _, client := range []string{"java", "platformatic", "compatible"} {
			where[client] = make([]int32, keys)
		}
		cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic))
		if err != nil {
			panic(err)
		}
		for i := range keys { // franz-go's default is Java's murmur2
			r := &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "ses-%d", i), Value: []byte("java")}
			if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
				panic(err)
			}
		}
		node := exec.Command("node", "produce.mjs", cluster.ListenAddrs()[0], topic)
		node.Stderr = os.Stderr
		if err := node.Run(); err != nil {
			panic(err)
		}
		for n := 0; n < 3*keys; {
			for _, r := range cl.PollFetches(ctx).Records() {
				var i int
				fmt.Sscanf(strings.TrimPrefix(string(r.Key), "ses-"), "%d", &i)
				where[string(r.Value)][i] = r.Partition
				n++
			}
		}
		cl.Close()
		for _, client := range []string{"java", "platformatic", "compatible"} {
			fmt.Printf("%-5s %-12s %v\n", topic, client, where[client])
		}
	}
}
GO
go mod tidy >/dev/null 2>&1
got=$(go run .)
want='six   java         [4 1 1 5 3 2 4 4 5 0 2 4]
six   platformatic [0 3 3 1 5 4 0 0 5 0 4 0]
six   compatible   [4 1 1 5 3 2 4 4 5 0 2 4]
eight java         [2 5 5 1 3 4 2 4 7 6 2 6]
eight platformatic [2 5 5 1 3 4 2 4 7 6 2 6]
eight compatible   [2 5 5 1 3 4 2 4 7 6 2 6]'
printf '%s\n' "$got"
diff <(printf '%s\n' "$want") <(printf '%s\n' "$got")
