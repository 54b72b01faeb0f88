package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/topics"
)

// reachWithin bounds connecting to a first broker.
const reachWithin = 4 * time.Second

// cluster is the connection shared by the checks.
type cluster struct {
	config *kafka.Config
	reach  func() (*kgo.Client, error)
}

func newCluster(g *base.Globals, c *kafka.Config) *cluster {
	k := &cluster{config: c}
	k.reach = sync.OnceValues(func() (*kgo.Client, error) {
		ctx, cancel := context.WithTimeout(context.Background(), reachWithin)
		defer cancel()
		c := listening(ctx, c)
		opts, err := c.Options("doctor", slog.New(slog.DiscardHandler), nil)
		if err != nil {
			return nil, err
		}
		cl, err := kgo.NewClient(opts...)
		if err != nil {
			return nil, err
		}
		if err := kafka.Reach(ctx, cl, c); err != nil {
			cl.Close()
			return nil, err
		}
		return cl, nil
	})
	return k
}

// listening returns a configuration with the brokers that accept connections, or all if none does. A
// broker that is down must not fail the other checks.
func listening(ctx context.Context, c *kafka.Config) *kafka.Config {
	ctx, cancel := context.WithTimeout(ctx, reachWithin/2)
	defer cancel()
	up := make([]bool, len(c.Brokers))
	var wg sync.WaitGroup
	for i, address := range c.Brokers {
		wg.Go(func() {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			up[i] = err == nil
		})
	}
	wg.Wait()
	only := *c
	only.Brokers = nil
	for i, address := range c.Brokers {
		if up[i] {
			only.Brokers = append(only.Brokers, address)
		}
	}
	if len(only.Brokers) == 0 {
		return c
	}
	return &only
}

// close closes the connection, if there is one.
func (k *cluster) close() {
	if cl, err := k.reach(); err == nil {
		cl.Close()
	}
}

// admin returns an admin client, or a skipped result.
func (d *doctor) admin(subject string) (*kadm.Client, []check.Result) {
	cl, err := d.cluster.reach()
	if err != nil {
		return nil, []check.Result{check.Skipf(subject, "%v", err)}
	}
	return kadm.NewClient(cl), nil
}

// ofKafka returns a check that the daemon also runs at its start.
func (d *doctor) ofKafka(subject string, run func(*kafka.Checks, context.Context) []check.Result) func(context.Context) []check.Result {
	return func(ctx context.Context) []check.Result {
		adm, skipped := d.admin(subject)
		if skipped != nil {
			return skipped
		}
		if d.config == nil {
			return []check.Result{check.Skipf(subject, "there is no configuration")}
		}
		want, err := kafka.ClusterShapes(ctx, adm, d.config.Layout())
		if err != nil {
			return []check.Result{check.Failedf(subject, "", "the check failed: %v", err)}
		}
		return run(&kafka.Checks{Admin: adm, Config: d.cluster.config, Want: want, Command: d.g.Self()}, ctx)
	}
}

func (d *doctor) bootstrap() string { return strings.Join(d.cluster.config.Brokers, ",") }

func (d *doctor) checkGroups(ctx context.Context) []check.Result {
	cl, err := d.cluster.reach()
	if err != nil {
		return []check.Result{check.Skipf("groups", "%v", err)}
	}
	adm := kadm.NewClient(cl)
	d.awaitCoordinators(ctx, adm)
	md, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return []check.Result{check.Failedf("groups", "", "the check failed: %v", err)}
	}
	group := d.cluster.config.Group
	var sources, outboxes []string
	for _, name := range topics.All() {
		sources = append(sources, string(name))
	}
	if d.config != nil {
		for _, name := range d.config.Channels.Names() {
			outboxes = append(outboxes, topics.Outbox(group, name))
		}
	}
	e := &offsets{doctor: d, adm: adm, log: dlq.NewLog(cl), id: md.Cluster}
	var found []check.Result
	worked := false // the outboxes show that the group is not new
	own, err := lag.Waiting(ctx, adm, topics.OutboxGroup(group), md.Cluster, outboxes...)
	for _, p := range own {
		for _, part := range p.Parts {
			worked = worked || part.End > 0
		}
	}
	found = append(found, d.members(ctx, adm, group)...)
	found = append(found, e.sources(ctx, group, append(sources, topics.Replay(group)), worked)...)
	found = append(found, d.members(ctx, adm, topics.OutboxGroup(group))...)
	if err != nil {
		return append(found, check.Failedf(topics.OutboxGroup(group), "", "reading its offsets failed: %v", err))
	}
	return append(found, e.outboxes(ctx, outboxes, own)...)
}

func (d *doctor) checkOtherGroups(ctx context.Context) []check.Result {
	adm, skipped := d.admin("outboxes of other groups")
	if skipped != nil || d.config == nil {
		return skipped
	}
	d.awaitCoordinators(ctx, adm)
	return lag.Stranded(ctx, adm, d.cluster.config.Group, d.config.Channels.Names())
}

// coordinatorsWithin is how long a new cluster may have no coordinator of our groups.
const coordinatorsWithin = doctorWithin / 2

// awaitCoordinators waits until our groups have coordinators: a new cluster creates its
// topic of offsets when it is asked for the first.
func (d *doctor) awaitCoordinators(ctx context.Context, adm *kadm.Client) {
	ctx, cancel := context.WithTimeout(ctx, coordinatorsWithin)
	defer cancel()
	group := d.cluster.config.Group
	for {
		found := adm.FindGroupCoordinators(ctx, group, topics.OutboxGroup(group))
		if err := found.Error(); err == nil || !kerr.IsRetriable(err) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// members checks the members of a group.
func (d *doctor) members(ctx context.Context, adm *kadm.Client, group string) []check.Result {
	subject := "group " + group
	described, err := adm.DescribeGroups(ctx, group)
	g := described[group]
	if err == nil {
		err = g.Err
	}
	switch {
	case errors.Is(err, kerr.GroupIDNotFound), err == nil && g.State == "Dead":
		return []check.Result{check.Okf(subject, "new: it has had no members")}
	case err != nil:
		return []check.Result{check.Failedf(subject, "", "describing it failed: %v", err)}
	case len(g.Members) == 0:
		return []check.Result{check.Okf(subject, "no members: no notifier is running")}
	}
	var hosts []string
	instances := make(map[string]int)
	for _, m := range g.Members {
		if !slices.Contains(hosts, m.ClientHost) {
			hosts = append(hosts, m.ClientHost)
		}
		if m.InstanceID != nil {
			instances[*m.InstanceID]++
		}
	}
	slices.Sort(hosts)
	found := []check.Result{check.Okf(subject, "%s, %s from %s", strings.ToLower(g.State), plural.Count(len(g.Members), "member"), strings.Join(hosts, ", "))}
	if g.State != "Stable" {
		found[0].Status, found[0].Remedy = check.Warning, "check again in a minute: if it is not stable, a member keeps joining and leaving"
	}
	for id, n := range instances {
		if n > 1 {
			found = append(found, check.Failedf(subject, "give each notifier an instance_id of its own", "%d members have the instance_id %s", n, id))
		}
	}
	if id := d.cluster.config.InstanceID; id != "" && instances[id] > 0 {
		i := slices.IndexFunc(g.Members, func(m kadm.DescribedGroupMember) bool { return m.InstanceID != nil && *m.InstanceID == id })
		if host := g.Members[i].ClientHost; !isOurs(host) {
			found = append(found, check.Warnf(subject, "give each notifier an instance_id of its own: a second one fences the first",
				"a notifier on %s has the instance_id %s of this configuration", host, id))
		}
	}
	return found
}

// isOurs reports whether a broker's client address is this host's.
func isOurs(host string) bool {
	host = strings.TrimPrefix(host, "/")
	if only, _, err := net.SplitHostPort(host); err == nil {
		host = only
	}
	addresses, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(addresses, func(a net.Addr) bool {
		ip, ok := a.(*net.IPNet)
		return ok && ip.IP.Equal(net.ParseIP(host))
	})
}

// offsets checks the committed offsets of groups.
type offsets struct {
	*doctor
	adm *kadm.Client
	log *dlq.Log
	id  string // of the cluster
}

// lateAfter is the age of the oldest waiting record that is a warning.
const lateAfter = 5 * time.Minute

func (e *offsets) sources(ctx context.Context, group string, names []string, worked bool) []check.Result {
	waiting, err := lag.Waiting(ctx, e.adm, group, e.id, names...)
	if err != nil {
		return []check.Result{check.Failedf("group "+group, "", "reading its offsets failed: %v", err)}
	}
	committed := false
	for _, p := range waiting {
		for _, part := range p.Parts {
			committed = committed || part.Committed() >= 0
		}
	}
	switch {
	case !committed && worked:
		return []check.Result{check.Failedf("offsets of "+group, e.g.Self()+" run --start earliest|latest|TIME",
			"none, although the outboxes have records: they have expired, and the notifier does not start")}
	case !committed:
		start, _ := e.cluster.config.Start.MarshalText()
		return []check.Result{check.Okf("offsets of "+group, "none yet: a first start begins at %s", start)}
	}
	var found []check.Result
	for _, name := range names {
		found = append(found, e.topic(ctx, name, waiting[name], "see /readyz of the notifier for the cause")...)
	}
	return found
}

// blockedAfter is the age of a record from which an outbox without a commit is blocked; see
// docs/operating.md.
const blockedAfter = time.Hour

func (e *offsets) outboxes(ctx context.Context, names []string, waiting map[string]lag.Partitions) []check.Result {
	var found []check.Result
	for _, name := range names {
		p := waiting[name]
		of := strings.TrimPrefix(name, topics.Outbox(e.cluster.config.Group, ""))
		for id, part := range p.Parts {
			if part.ByHand() {
				found = append(found, check.Failedf(name, e.g.Self()+" run --start committed",
					"partition %d is blocked: its offset %d was set by hand", id, part.Committed()))
			}
			if part.Committed() >= 0 || part.Waiting == 0 {
				continue
			}
			alone := lag.Partitions{TopicID: p.TopicID, Parts: map[int32]lag.Part{id: part}}
			if oldest, err := lag.Oldest(ctx, e.log, name, alone); err == nil && time.Since(oldest) > blockedAfter {
				found = append(found, check.Failedf(name, e.g.Self()+" run --start committed",
					"partition %d is blocked: it has no commit and records of %s ago", id, channel.Duration(time.Since(oldest))))
			}
		}
		found = append(found, e.topic(ctx, name, p, fmt.Sprintf("%s channels test %s --no-send", e.g.Self(), of))...)
	}
	return found
}

// topic checks the lag of one topic and its commits.
func (e *offsets) topic(ctx context.Context, name string, p lag.Partitions, remedy string) []check.Result {
	switch {
	case errors.Is(p.Err, kerr.UnknownTopicOrPartition):
		return nil // reported as missing
	case p.Err != nil:
		return []check.Result{check.Failedf(name, "", "reading its offsets failed: %v", p.Err)}
	}
	var found []check.Result
	for _, id := range slices.Sorted(maps.Keys(p.Parts)) {
		part := p.Parts[id]
		switch at := part.Committed(); {
		case at < 0:
		case at < part.Start:
			found = append(found, check.Failedf(name, fmt.Sprintf("increase the retention: kafka-configs --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config retention.ms=…", e.bootstrap(), name),
				"partition %d: %s were deleted before they were read: committed is %d, the log begins at %d", id, plural.Count(int(part.Start-at), "record"), at, part.Start))
		case at > part.End:
			found = append(found, check.Failedf(name, "was the topic recreated, or the offset set by hand? see docs/operating.md",
				"partition %d: the committed offset %d is beyond the log's end %d", id, at, part.End))
		}
	}
	n := p.Total()
	switch {
	case n == 0 && len(found) > 0:
		return found
	case n == 0:
		return []check.Result{check.Okf(name, "no lag")}
	}
	text := plural.Verb(n, "record waits", "records wait")
	oldest, err := lag.Oldest(ctx, e.log, name, p)
	if err != nil || oldest.IsZero() {
		return append(found, check.Okf(name, "%s", text))
	}
	age := max(time.Since(oldest), 0)
	text = fmt.Sprintf("%s, the oldest for %s", text, channel.Duration(age))
	if age > lateAfter {
		return append(found, check.Warnf(name, remedy, "%s", text))
	}
	return append(found, check.Okf(name, "%s", text))
}
