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
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// reachWithin is how long the doctor waits for a first broker, so that time is
// left for the rest.
const reachWithin = 4 * time.Second

// cluster is the one connection that several checks share.
type cluster struct {
	config *kafka.Config
	reach  func() (*kgo.Client, error)
	client *kgo.Client // once it is reached
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
		k.client = cl
		return cl, nil
	})
	return k
}

// listening returns a configuration with those brokers that take connections, or
// with all where none does: one that is down is said once, and must not fail
// the other checks, whose requests would go to it now and then.
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

// close ends the connection, if there is one.
func (k *cluster) close() {
	if cl, err := k.reach(); err == nil {
		cl.Close()
	}
}

// admin returns the cluster, or what is said of all that cannot be looked at
// without it.
func (d *doctor) admin(subject string) (*kadm.Client, []check.Result) {
	cl, err := d.cluster.reach()
	if err != nil {
		return nil, []check.Result{check.Skipf(subject, "%v", err)}
	}
	return kadm.NewClient(cl), nil
}

// ofKafka is a check that the start of the daemon makes, too.
func (d *doctor) ofKafka(subject string, look func(*kafka.Checks, context.Context) []check.Result) func(context.Context) []check.Result {
	return func(ctx context.Context) []check.Result {
		adm, none := d.admin(subject)
		if none != nil {
			return none
		}
		if d.config == nil {
			return []check.Result{check.Skipf(subject, "they follow from the configuration")}
		}
		want, err := kafka.ClusterShapes(ctx, adm, d.config.Layout())
		if err != nil {
			return []check.Result{check.Failedf(subject, "", "they cannot be looked at: %v", err)}
		}
		return look(&kafka.Checks{Admin: adm, Config: d.cluster.config, Want: want, Command: d.g.Self()}, ctx)
	}
}

func (d *doctor) bootstrap() string { return strings.Join(d.cluster.config.Brokers, ",") }

func (d *doctor) lookAtGroups(ctx context.Context) []check.Result {
	adm, none := d.admin("groups")
	if none != nil {
		return none
	}
	md, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return []check.Result{check.Failedf("groups", "", "they cannot be looked at: %v", err)}
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
	e := &offsets{doctor: d, adm: adm, log: dlq.NewLog(d.cluster.client), id: md.Cluster}
	var found []check.Result
	worked := false // whether something of ours proves that the group is not new
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
		return append(found, check.Failedf(topics.OutboxGroup(group), "", "its offsets cannot be looked at: %v", err))
	}
	return append(found, e.outboxes(ctx, outboxes, own)...)
}

func (d *doctor) lookAtOtherGroups(ctx context.Context) []check.Result {
	adm, none := d.admin("outboxes of other groups")
	if none != nil || d.config == nil {
		return none
	}
	return lag.Stranded(ctx, adm, d.cluster.config.Group, d.config.Channels.Names())
}

// members says who is in a group.
func (d *doctor) members(ctx context.Context, adm *kadm.Client, group string) []check.Result {
	subject := "group " + group
	described, err := adm.DescribeGroups(ctx, group)
	g := described[group]
	if err == nil {
		err = g.Err
	}
	switch {
	case errors.Is(err, kerr.GroupIDNotFound), err == nil && g.State == "Dead":
		return []check.Result{check.Okf(subject, "new: nobody has been in it")}
	case err != nil:
		return []check.Result{check.Failedf(subject, "", "it cannot be looked at: %v", err)}
	case len(g.Members) == 0:
		return []check.Result{check.Okf(subject, "no notifier is in it now")}
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
	found := []check.Result{check.Okf(subject, "%s, %s from %s", strings.ToLower(g.State), term.Count(len(g.Members), "member"), strings.Join(hosts, ", "))}
	if g.State != "Stable" {
		found[0].Status, found[0].Remedy = check.Warning, "look again in a minute: a group that does not settle has a member that comes and goes"
	}
	for id, n := range instances {
		if n > 1 {
			found = append(found, check.Failedf(subject, "give each notifier an instance_id of its own", "%d members are called %s", n, id))
		}
	}
	if id := d.cluster.config.InstanceID; id != "" && instances[id] > 0 {
		i := slices.IndexFunc(g.Members, func(m kadm.DescribedGroupMember) bool { return m.InstanceID != nil && *m.InstanceID == id })
		if host := g.Members[i].ClientHost; !isOurs(host) {
			found = append(found, check.Warnf(subject, "give each notifier an instance_id of its own: a second one puts the first out of the group",
				"a notifier on %s is called %s, as the one of this configuration", host, id))
		}
	}
	return found
}

// isOurs reports whether an address, as brokers write it, is this host's.
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

// offsets looks at where groups stand in their topics.
type offsets struct {
	*doctor
	adm *kadm.Client
	log *dlq.Log
	id  string // the cluster's
}

// waitsLong is how old the oldest waiting record may be without a word.
const waitsLong = 5 * time.Minute

func (e *offsets) sources(ctx context.Context, group string, names []string, worked bool) []check.Result {
	waiting, err := lag.Waiting(ctx, e.adm, group, e.id, names...)
	if err != nil {
		return []check.Result{check.Failedf("group "+group, "", "its offsets cannot be looked at: %v", err)}
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
			"there are none, yet the outboxes hold records: the brokers have forgotten them, and the notifier does not start")}
	case !committed:
		start, _ := e.cluster.config.Start.MarshalText()
		return []check.Result{check.Okf("offsets of "+group, "none yet: a first start begins at %s", start)}
	}
	var found []check.Result
	for _, name := range names {
		found = append(found, e.topic(ctx, name, waiting[name], "see /readyz of the notifier for what holds it up")...)
	}
	return found
}

// heldAfter is how old a record must be for an outbox without a commit to be
// held; see docs/operating.md.
const heldAfter = time.Hour

func (e *offsets) outboxes(ctx context.Context, names []string, waiting map[string]lag.Partitions) []check.Result {
	var found []check.Result
	for _, name := range names {
		p := waiting[name]
		of := strings.TrimPrefix(name, topics.Outbox(e.cluster.config.Group, ""))
		for id, part := range p.Parts {
			if part.ByHand() {
				found = append(found, check.Failedf(name, e.g.Self()+" run --start committed",
					"partition %d: its offset %d was set by hand: it is held until a person accepts that", id, part.Committed()))
			}
			if part.Committed() >= 0 || part.Waiting == 0 {
				continue
			}
			alone := lag.Partitions{TopicID: p.TopicID, Parts: map[int32]lag.Part{id: part}}
			if oldest, err := lag.Oldest(ctx, e.log, name, alone); err == nil && time.Since(oldest) > heldAfter {
				found = append(found, check.Failedf(name, e.g.Self()+" run --start committed",
					"partition %d has no commit and holds records of %s ago: it is held until a person says where to go on", id, channel.Duration(time.Since(oldest))))
			}
		}
		found = append(found, e.topic(ctx, name, p, fmt.Sprintf("%s channels test %s --no-send", e.g.Self(), of))...)
	}
	return found
}

// topic says what waits in one topic, and which commits do not fit its log.
func (e *offsets) topic(ctx context.Context, name string, p lag.Partitions, do string) []check.Result {
	switch {
	case errors.Is(p.Err, kerr.UnknownTopicOrPartition):
		return nil // it is said to be missing
	case p.Err != nil:
		return []check.Result{check.Failedf(name, "", "its offsets cannot be looked at: %v", p.Err)}
	}
	var found []check.Result
	for _, id := range slices.Sorted(maps.Keys(p.Parts)) {
		part := p.Parts[id]
		switch at := part.Committed(); {
		case at < 0:
		case at < part.Start:
			found = append(found, check.Failedf(name, fmt.Sprintf("keep them for longer: kafka-configs --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config retention.ms=…", e.bootstrap(), name),
				"partition %d: %s were deleted before they were read: committed is %d, the log begins at %d", id, term.Count(int(part.Start-at), "record"), at, part.Start))
		case at > part.End:
			found = append(found, check.Failedf(name, "was it made anew, or the offset set by hand? see docs/operating.md",
				"partition %d: the committed offset %d is beyond the log's end %d", id, at, part.End))
		}
	}
	n := p.Total()
	switch {
	case n == 0 && len(found) > 0:
		return found
	case n == 0:
		return []check.Result{check.Okf(name, "nothing waits")}
	}
	text := term.Verb64(n, "record waits", "records wait")
	oldest, err := lag.Oldest(ctx, e.log, name, p)
	if err != nil || oldest.IsZero() {
		return append(found, check.Okf(name, "%s", text))
	}
	age := max(time.Since(oldest), 0)
	text = fmt.Sprintf("%s, the oldest for %s", text, channel.Duration(age))
	if age > waitsLong {
		return append(found, check.Warnf(name, do, "%s", text))
	}
	return append(found, check.Okf(name, "%s", text))
}
