package consume

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// group is a consumer group without brokers: its members are what they own.
type group struct {
	partitions map[string]int32
	members    map[string]map[string][]int32
	generation int32
}

func bundledName(topic string) bool { return strings.HasPrefix(topic, "bundled") }

// sync has the leader's balancer plan one generation, which the members take over. It
// reports whether a member has revoked partitions and so joins again.
func (g *group) sync(t *rapid.T, leader kgo.GroupBalancer) (again bool) {
	topics := slices.Sorted(maps.Keys(g.partitions))
	var members []kmsg.JoinGroupResponseMember
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		m := kmsg.NewJoinGroupResponseMember()
		m.MemberID, m.ProtocolMetadata = id, leader.JoinGroupMetadata(topics, g.members[id], g.generation)
		members = append(members, m)
	}
	planner, _, err := leader.MemberBalancer(members)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := planner.(kgo.GroupMemberBalancerOrError).BalanceOrError(g.partitions)
	if err != nil {
		t.Fatal(err)
	}
	g.generation++
	after := make(map[string]map[string][]int32)
	for _, a := range plan.IntoSyncAssignment() {
		if after[a.MemberID], err = leader.ParseSyncAssignment(a.MemberAssignment); err != nil {
			t.Fatal(err)
		}
	}
	owner := make(map[string]string)
	each(g.members, func(id, partition string) { owner[partition] = id })
	planned := make(map[string]bool)
	each(after, func(id, partition string) {
		if planned[partition] {
			t.Fatalf("%s is assigned twice", partition)
		}
		planned[partition] = true
		if former, owned := owner[partition]; owned && former != id {
			t.Fatalf("%s is assigned to %s while %s owns it", partition, id, former)
		}
	})
	each(g.members, func(id, partition string) { again = again || !planned[partition] })
	g.members = after
	return again
}

// each calls f with every partition and its owner.
func each(members map[string]map[string][]int32, f func(member, partition string)) {
	for id, topics := range members {
		for topic, ids := range topics {
			for _, p := range ids {
				f(id, fmt.Sprintf("%s/%d", topic, p))
			}
		}
	}
}

// settle rebalances until no member joins again.
func (g *group) settle(t *rapid.T, leader kgo.GroupBalancer) {
	for range 4 {
		if !g.sync(t, leader) {
			return
		}
	}
	t.Fatal("the group does not come to rest")
}

// owners returns the owner of each partition, and checks that there is one, and for a
// bundled topic one only.
func (g *group) owners(t *rapid.T) map[string]string {
	owners := make(map[string]string)
	each(g.members, func(id, partition string) { owners[partition] = id })
	for topic, n := range g.partitions {
		for p := range n {
			name := fmt.Sprintf("%s/%d", topic, p)
			if owners[name] == "" {
				t.Fatalf("%s has no owner", name)
			}
			if first := owners[topic+"/0"]; bundledName(topic) && owners[name] != first {
				t.Fatalf("%s belongs to %s, %s/0 to %s", name, owners[name], topic, first)
			}
		}
	}
	return owners
}

// TestBundlesAreWholeWhoeverJoinsAndLeaves draws memberships and topics. Every
// partition has one owner, a bundle one for all its partitions, nothing is assigned
// before its owner has revoked it, and only what has to move moves.
func TestBundlesAreWholeWhoeverJoinsAndLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &group{partitions: make(map[string]int32), members: make(map[string]map[string][]int32)}
		for i := range rapid.IntRange(1, 5).Draw(t, "bundled") {
			g.partitions[fmt.Sprint("bundled", i)] = rapid.Int32Range(1, 4).Draw(t, "partitions")
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "others") {
			g.partitions[fmt.Sprint("other", i)] = rapid.Int32Range(1, 6).Draw(t, "partitions")
		}
		balancer, joined := newBundling(bundledName), 0
		join := func() string {
			joined++
			id := fmt.Sprintf("m%03d", joined)
			g.members[id] = nil
			return id
		}
		join()
		g.settle(t, balancer)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			before := g.owners(t)
			var newcomer string
			left := rapid.SampledFrom(slices.Sorted(maps.Keys(g.members))).Draw(t, "member")
			step := rapid.SampledFrom([]string{"join", "leave", "nothing", "grow", "older leader"}).Draw(t, "step")
			switch step {
			case "join":
				newcomer = join()
			case "leave":
				if delete(g.members, left); len(g.members) == 0 {
					newcomer = join()
				}
			case "grow":
				for topic := range g.partitions {
					if bundledName(topic) {
						g.partitions[topic] += 2
					}
				}
			case "older leader": // knows no bundles
				g.settle(t, kgo.CooperativeStickyBalancer())
			}
			g.settle(t, balancer)
			for partition, owner := range g.owners(t) {
				was := before[partition]
				moved := was != "" && owner != was
				if moved && owner != newcomer && (step != "leave" || was != left) && step != "older leader" {
					t.Fatalf("%s: %s moved from %s to %s", step, partition, was, owner)
				}
			}
		}
	})
}
