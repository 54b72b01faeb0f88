package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A history in which all is well: two alerts of one lane, the first of which
// fails once, and a record that is poison. Each test breaks it in one place.
func history() []Happening {
	source := func(o int64) Place { return Place{Topic: "trade-executions", Offset: o} }
	outbox := func(o int64) Place { return Place{Topic: "g.outbox.desk", Offset: o} }
	list := []Happening{
		{Kind: Produced, Place: source(0), Digest: "d0"},
		{Kind: Produced, Place: source(1), Digest: "d1"},
		{Kind: Produced, Place: source(2), Digest: "d2"},
		{Kind: Assigned, By: 1, Group: "g", Place: source(0)},
		{Kind: Assigned, By: 2, Group: "g.outbox", Place: outbox(0)},
		{Kind: Queued, By: 1, Place: outbox(0), ID: "a", Lane: "k", From: source(0)},
		{Kind: Queued, By: 1, Place: outbox(1), ID: "b", Lane: "k", From: source(1)},
		{Kind: Entered, By: 1, Place: Place{Topic: "g.dlq", Offset: 0}, ID: "re", From: source(2), Digest: "d2", Result: Unmatched},
		{Kind: Matched, By: 1, Place: source(0), IDs: []string{"a"}},
		{Kind: Matched, By: 1, Place: source(1), IDs: []string{"b"}},
		{Kind: Matched, By: 1, Place: source(2), Entry: "re"},
		{Kind: Committed, By: 1, Group: "g", Place: source(3)},
		{Kind: Started, By: 2, Group: "g.outbox", Place: outbox(0), ID: "a"},
		{Kind: Answered, By: 2, Group: "g.outbox", Place: outbox(0), ID: "a", Result: Failed},
		{Kind: Started, By: 2, Group: "g.outbox", Place: outbox(0), ID: "a"},
		{Kind: Answered, By: 2, Group: "g.outbox", Place: outbox(0), ID: "a", Result: Delivered},
		{Kind: Committed, By: 2, Group: "g.outbox", Place: outbox(1)},
		{Kind: Started, By: 2, Group: "g.outbox", Place: outbox(1), ID: "b"},
		{Kind: Answered, By: 2, Group: "g.outbox", Place: outbox(1), ID: "b", Result: Delivered},
		{Kind: Committed, By: 2, Group: "g.outbox", Place: outbox(2)},
		{Kind: Left, By: 2, Group: "g.outbox", Place: outbox(2)},
	}
	for i := range list {
		list[i].At = time.Duration(i) * time.Second
	}
	return list
}

// overtaking has b be sent before a is sent again, after a's first attempt.
func overtaking(first Result) func([]Happening) []Happening {
	return func(l []Happening) []Happening {
		l[find(l, Answered, 0)].Result = first
		return slices.Concat(l[:14:14], l[17:19], l[14:17], l[19:])
	}
}

// find returns the index of the n-th happening of a kind, from 0.
func find(list []Happening, k Kind, n int) int {
	for i, h := range list {
		if h.Kind == k {
			if n == 0 {
				return i
			}
			n--
		}
	}
	panic(fmt.Sprintf("no such %s", k))
}

// asked is the request for a commit, committedAt its effect at another offset.
func asked(h Happening, offset int64) Happening {
	h.Kind, h.Place.Offset = Claimed, offset
	return h
}

func committedAt(h Happening, offset int64) Happening {
	h.Place.Offset = offset
	return h
}

// cutAtCommit has the log be said to end at its commit while its first record is
// sent: that is committed, then read and sent again.
func cutAtCommit(l []Happening) []Happening {
	one := l[find(l, Committed, 1)]
	zero := committedAt(one, 0)
	return slices.Concat(l[:12:12], []Happening{{Kind: Cut, By: 2, Group: "g.outbox", Place: zero.Place}, zero},
		l[12:16], []Happening{asked(one, 1), one, asked(one, 0), zero}, l[14:16], []Happening{asked(one, 1), one}, l[17:19],
		[]Happening{asked(one, 2), l[19]})
}

// moveOf is that the record at an offset of desk's outbox is moved to hook's.
func moveOf(offset int64, id string) Happening {
	return Happening{Kind: Queued, By: 2, Place: Place{Topic: "g.outbox.hook"}, ID: id, Lane: "k", From: Place{Topic: "g.outbox.desk", Offset: offset}}
}

// refused is the dead letter of a, written by one that was refused.
func refused(by int) Happening {
	return Happening{
		Kind: Entered, By: by, Group: "g.outbox", Place: Place{Topic: "g.dlq", Offset: 1}, ID: "a",
		From: Place{Topic: "trade-executions"}, Digest: "d0", Result: Refused,
	}
}

func TestGoodHistoryHasNoViolations(t *testing.T) {
	if v := Check(history(), Limits{Uncommitted: 1}); len(v) > 0 {
		t.Error(v)
	}
}

func TestBrokenHistories(t *testing.T) {
	remove := func(k Kind, n int) func([]Happening) []Happening {
		return func(list []Happening) []Happening { i := find(list, k, n); return slices.Delete(list, i, i+1) }
	}
	change := func(k Kind, n int, f func(*Happening)) func([]Happening) []Happening {
		return func(list []Happening) []Happening { f(&list[find(list, k, n)]); return list }
	}
	again := func(k Kind, n int, more ...func(*Happening)) func([]Happening) []Happening {
		return func(list []Happening) []Happening {
			h := list[find(list, k, n)]
			for _, f := range more {
				f(&h)
			}
			return append(list, h)
		}
	}
	all := func(fs ...func([]Happening) []Happening) func([]Happening) []Happening {
		return func(list []Happening) []Happening {
			for _, f := range fs {
				list = f(list)
			}
			return list
		}
	}
	at := func(o int64) func(*Happening) { return func(h *Happening) { h.Place.Offset = o } }
	replay := func(order ...string) func([]Happening) []Happening {
		return func(list []Happening) []Happening {
			for _, what := range order {
				switch what {
				case "request":
					list = append(list, Happening{Kind: Requested, Place: Place{Topic: "g.replay", Offset: 0}, Entry: "re", Version: 0})
				case "owner":
					list = append(list, Happening{Kind: Assigned, By: 1, Group: "g", Place: Place{Topic: "g.replay", Offset: 0}})
				case "discard":
					list = append(list, Happening{Kind: Closed, Place: Place{Topic: "g.dlq", Offset: 1}, ID: "re"})
				case "send":
					list = append(list, Happening{Kind: Queued, By: 1, Place: Place{Topic: "g.outbox.desk", Offset: 2}, ID: "c@0", Entry: "re", Version: 0, From: Place{Topic: "g.replay", Offset: 0}})
				case "settle":
					list = append(list, Happening{Kind: Committed, By: 1, Group: "g", Place: Place{Topic: "g.replay", Offset: 1}})
				}
			}
			return list
		}
	}
	for name, tc := range map[string]struct {
		change  func([]Happening) []Happening
		promise string
		says    string
	}{
		"an unprocessed event is committed": {remove(Matched, 1), "commits", "has not worked through"},
		"a lane's alerts come into the outbox the other way round": {
			func(list []Happening) []Happening {
				a, b := find(list, Queued, 0), find(list, Queued, 1)
				list[a].ID, list[a].From, list[b].ID, list[b].From = list[b].ID, list[b].From, list[a].ID, list[a].From
				return list
			}, "order", "is behind what was made of offset 1",
		},
		"an alert was written to no outbox":           {all(remove(Queued, 1), remove(Started, 2), remove(Answered, 2)), "commits", "is in no outbox"},
		"poison was written to no dead letter":        {remove(Entered, 0), "commits", "dead letter was not written"},
		"a delivery is committed that has no outcome": {all(remove(Started, 2), remove(Answered, 2)), "commits", "which is not settled"},
		"a list of settled offsets has too many":      {change(Committed, 1, func(h *Happening) { h.Above = []Span{{1, 1}} }), "commits", "past b at 1"},
		"a commit goes back":                          {again(Committed, 0, at(2)), "commits", "after 3"},
		"another process commits":                     {change(Committed, 1, func(h *Happening) { h.By = 3 }), "ownership", "which 2 owns"},
		"one that has left commits":                   {again(Committed, 2), "ownership", "which 0 owns"},
		"the second starts before the first has ended": {func(l []Happening) []Happening {
			i, j := find(l, Started, 2), find(l, Answered, 1)
			l[i], l[j] = l[j], l[i]
			return l
		}, "order", "b at g.outbox.desk/0@1 is sent before a"},
		"the second overtakes the first that some refused": {overtaking(Partly), "order", "b at g.outbox.desk/0@1 is sent before a"},
		"what was committed is sent again":                 {all(remove(Left, 0), again(Started, 1), again(Answered, 1)), "duplicates", "a was delivered 2 times"},
		"a dead letter has other bytes":                    {change(Entered, 0, func(h *Happening) { h.Digest = "d1" }), "dead letters", "byte for byte"},
		"one id is of two records":                         {again(Entered, 0, at(1), func(h *Happening) { h.From.Offset, h.Digest = 1, "d1" }), "dead letters", "denotes"},
		"a dead letter as refused without a refusal": {
			func(l []Happening) []Happening {
				return append(l[:16:16], Happening{Kind: Entered, By: 2, Place: Place{Topic: "g.dlq", Offset: 1}, ID: "b", From: Place{Topic: "trade-executions", Offset: 1}, Digest: "d1", Result: Refused})
			}, "dead letters", "no attempt was refused",
		},
		"attempts are used up while nothing is delivered": {
			func(l []Happening) []Happening {
				return append(l[:14:14], Happening{Kind: Entered, By: 2, Place: Place{Topic: "g.dlq", Offset: 1}, ID: "a", From: Place{Topic: "trade-executions", Offset: 0}, Digest: "d0", Result: Exhausted})
			}, "dead letters", "nothing else was delivered",
		},
		"too much is settled and not committed when its owner goes": {all(remove(Committed, 2), remove(Committed, 1)), "bounded duplicates", "2 deliveries of g.outbox.desk/0"},
		"something is left over":                                    {func(l []Happening) []Happening { return l[:14] }, "progress", "has no outcome although nothing is broken"},
		"a promise is not kept":                                     {func(l []Happening) []Happening { return l[:14] }, "nothing lost", "a was raised and committed"},
		"a dead letter that was delivered stays open": {
			func(l []Happening) []Happening {
				l[13].Result = Refused
				i := find(l, Started, 1)
				return slices.Insert(l, i, Happening{Kind: Entered, By: 2, Group: "g.outbox", Place: Place{Topic: "g.dlq", Offset: 1}, ID: "a", From: Place{Topic: "trade-executions", Offset: 0}, Digest: "d0", Result: Refused})
			}, "dead letters", "stays open",
		},
		"an owner requests a lower commit than before": {func(l []Happening) []Happening {
			return append(l, asked(l[find(l, Committed, 2)], 2), asked(l[find(l, Committed, 2)], 1))
		}, "commits", "2 asks to commit g.outbox.desk/0@1 after 2"},
		"a commit past an unsettled record is requested, and refused": {func(l []Happening) []Happening {
			i := find(l, Started, 2)
			return slices.Insert(l, i, asked(l[find(l, Committed, 2)], 2))
		}, "commits", "past b at 1"},
		"a lower commit that was not requested before": {func(l []Happening) []Happening {
			c := l[find(l, Committed, 2)]
			return slices.Concat(l[:19:19], []Happening{asked(c, 2), c, committedAt(c, 1)})
		}, "commits", "2 commits g.outbox.desk/0@1 after 2"},
		"a frozen owner sends more duplicates than allowed": {func(l []Happening) []Happening {
			left, next := l[find(l, Left, 0)], l[find(l, Assigned, 1)]
			next.By = 3
			return slices.Concat(l[:12:12], []Happening{left, next}, l[12:16:16], l[17:19])
		}, "bounded duplicates", "2, which no longer owns g.outbox.desk/0, has settled 2"},
		"an alert in a recreated topic is not sent": {func(l []Happening) []Happening {
			q := l[find(l, Queued, 1)]
			q.ID, q.Place, q.From.Offset = "c", Place{Topic: "g.outbox.desk", Instance: 1}, 3
			return append(l, Happening{Kind: Recreated, Place: q.Place}, q)
		}, "progress", "c at g.outbox.desk#1/0@0"},
		"a log that was cut off is committed below its end": {func(l []Happening) []Happening {
			c := l[find(l, Committed, 2)]
			return append(l[:20:20], Happening{Kind: Cut, By: 2, Group: "g.outbox", Place: Place{Topic: "g.outbox.desk", Offset: 1}}, committedAt(c, 0))
		}, "commits", "2 commits g.outbox.desk/0@0 after 2"},
		"a log that was cut off once is committed back twice": {func(l []Happening) []Happening {
			return append(cutAtCommit(l), asked(l[find(l, Committed, 1)], 0))
		}, "commits", "2 asks to commit g.outbox.desk/0@0 after 1"},
		"a log that was cut off for a former owner is committed back": {func(l []Happening) []Happening {
			two, next := l[find(l, Committed, 2)], l[find(l, Assigned, 1)]
			two.By, next.By = 3, 3
			cut := Happening{Kind: Cut, By: 2, Group: "g.outbox", Place: Place{Topic: "g.outbox.desk"}}
			return append(l[:20:20], cut, l[20], next, asked(two, 2), two, asked(two, 1))
		}, "commits", "3 asks to commit g.outbox.desk/0@1 after 2"},
		"a frozen owner moves more than allowed": {func(l []Happening) []Happening {
			next := l[find(l, Assigned, 1)]
			next.By = 3
			again := moveOf(0, "a at hook")
			again.Place.Offset = 1
			return append(l[:17:17], l[20], next, moveOf(1, "b at hook"), again)
		}, "bounded duplicates", "2, which no longer owns g.outbox.desk/0, has settled 2"},
		"what was moved is sent by both channels": {func(l []Happening) []Happening {
			i := find(l, Started, 2)
			return slices.Insert(l, i, moveOf(1, "b at hook"))
		}, "moves", "b at g.outbox.desk/0@1 is sent although it was moved"},
		"what was delivered is moved": {func(l []Happening) []Happening {
			return append(l[:20:20], moveOf(1, "b at hook"))
		}, "moves", "although it was delivered"},
		"what was moved is moved to a third": {func(l []Happening) []Happening {
			again := moveOf(1, "b at mail")
			again.Place.Topic = "g.outbox.mail"
			return append(l[:17:17], moveOf(1, "b at hook"), again)
		}, "moves", "and was to b at hook before"},
		"the second of a lane is moved before the first": {func(l []Happening) []Happening {
			return append(l[:12:12], moveOf(1, "b at hook"))
		}, "order", "is moved to g.outbox.hook before a"},
		"a moved alert is not delivered": {func(l []Happening) []Happening {
			return append(l[:17:17], moveOf(1, "b at hook"))
		}, "nothing lost", "b at hook was raised and committed"},
		"a dead letter is closed without a delivery": {func(l []Happening) []Happening {
			l[15].Result = Refused
			i := find(l, Started, 2)
			return slices.Insert(l, i, refused(2), Happening{Kind: Closed, By: 2, Place: Place{Topic: "g.dlq", Offset: 2}, ID: "a"})
		}, "dead letters", "which was not delivered"},
		"a request is settled without an outcome": {replay("request", "owner", "settle"), "replays", "which nothing came of"},
		"a request is of a superseded version":    {replay("request", "discard", "owner", "send"), "replays", "had a later one"},
		"an attempt names another record's id":    {change(Started, 0, func(h *Happening) { h.ID = "b" }), "ids", "is not at"},
	} {
		found := Check(tc.change(history()), Limits{Uncommitted: 1})
		if !slices.ContainsFunc(found, func(v Violation) bool { return v.Promise == tc.promise && strings.Contains(v.Text, tc.says) }) {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

// What semantics.md allows is no violation.
func TestAllowedHistoriesHaveNoViolations(t *testing.T) {
	outbox := Place{Topic: "g.outbox.desk", Offset: 1}
	crash := Happening{Kind: Left, By: 2, Group: "g.outbox", Place: outbox}
	next := Happening{Kind: Assigned, By: 3, Group: "g.outbox", Place: outbox}
	started := Happening{Kind: Started, By: 3, Group: "g.outbox", Place: outbox, ID: "b"}
	delivered := Happening{Kind: Answered, By: 3, Group: "g.outbox", Place: outbox, ID: "b", Result: Delivered}
	committed := Happening{Kind: Committed, By: 3, Group: "g.outbox", Place: Place{Topic: "g.outbox.desk", Offset: 2}}
	for name, tc := range map[string]func([]Happening) []Happening{
		"what was in flight at a crash is sent again": func(l []Happening) []Happening {
			return append(l[:18:18], crash, next, started, delivered, committed)
		},
		"what was settled and not committed at a crash is sent again": func(l []Happening) []Happening {
			return append(l[:19:19], crash, next, started, delivered, committed)
		},
		"an ambiguous delivery is sent again": func(l []Happening) []Happening {
			l[find(l, Answered, 0)].Result = Unclear
			return l
		},
		"the next of a lane does not wait for deferred recipients": overtaking(Deferred),
		"what expired is not sent": func(l []Happening) []Happening {
			l[find(l, Queued, 1)].Policy = Policy{Expire: time.Second}
			return slices.Delete(l, find(l, Started, 2), find(l, Answered, 2)+1)
		},
		"what is throttled is not sent": func(l []Happening) []Happening {
			for n := range 2 {
				l[find(l, Queued, n)].Policy = Policy{Throttle: time.Hour, Key: "k"}
			}
			return slices.Delete(l, find(l, Started, 2), find(l, Answered, 2)+1)
		},
		"offsets of a source are set back": func(l []Happening) []Happening {
			return append(l, Happening{Kind: Reset, Group: "g", Place: Place{Topic: "trade-executions", Offset: 0}}, l[find(l, Committed, 0)])
		},
		"a commit is carried out behind the next, and what only that said is sent again": func(l []Happening) []Happening {
			one, two := l[find(l, Committed, 1)], l[find(l, Committed, 2)]
			list := slices.Concat(l[:16:16], []Happening{asked(one, 1)}, l[17:19], []Happening{asked(two, 2), two, one})
			return append(list, crash, next, started, delivered, committed)
		},
		"a log is said to be cut off, and is read again from there": func(l []Happening) []Happening {
			one, two := l[find(l, Committed, 1)], l[find(l, Committed, 2)]
			again := []Happening{l[17], l[18], asked(two, 2), two}
			return slices.Concat(l[:20:20], []Happening{{Kind: Cut, By: 2, Group: "g.outbox", Place: one.Place}, asked(one, 1), one}, again)
		},
		"a log is said to be cut off at its commit, and is read again later": func(l []Happening) []Happening {
			return cutAtCommit(l)
		},
		"a former owner that does not know it moves what the present one has delivered": func(l []Happening) []Happening {
			hook, taken := started, delivered
			hook.ID, hook.Place.Topic = "b at hook", "g.outbox.hook"
			hook.Place.Offset = 0
			taken.ID, taken.Place = hook.ID, hook.Place
			return append(l[:17:17], crash, next, started, delivered, moveOf(1, "b at hook"), committed, hook, taken)
		},
		"dead letters are deleted, and nothing comes of requests for them": func(l []Happening) []Happening {
			return append(l, Happening{Kind: Requested, Place: Place{Topic: "g.replay"}, Entry: "re"},
				Happening{Kind: Assigned, By: 1, Group: "g", Place: Place{Topic: "g.replay"}},
				Happening{Kind: Recreated, Place: Place{Topic: "g.dlq", Instance: 1}},
				Happening{Kind: Committed, By: 1, Group: "g", Place: Place{Topic: "g.replay", Offset: 1}})
		},
		"a pending alert is moved, and the other channel takes it": func(l []Happening) []Happening {
			hook := started
			hook.ID, hook.Place = "b at hook", Place{Topic: "g.outbox.hook"}
			taken := hook
			taken.Kind, taken.Result = Answered, Delivered
			return append(l[:17:17], moveOf(1, "b at hook"), l[19], hook, taken)
		},
		"an outbox is deleted with what is in it": func(l []Happening) []Happening {
			return append(l[:14:14], crash, Happening{Kind: Recreated, Place: Place{Topic: "g.outbox.desk", Instance: 1}})
		},
	} {
		if v := Check(tc(history()), Limits{Uncommitted: 1}); len(v) > 0 {
			t.Errorf("%s: %v", name, v)
		}
	}
}

func TestDigestsKeepNullAndEmptyApart(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range []kgo.Record{
		{},
		{Key: []byte{}},
		{Value: []byte{}},
		{Key: []byte("a")},
		{Value: []byte("a")},
		{Headers: []kgo.RecordHeader{{Key: "h"}}},
		{Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{}}}},
		{Headers: []kgo.RecordHeader{{Key: "h"}, {Key: "h"}}},
		{Headers: []kgo.RecordHeader{{Key: "", Value: []byte("h")}}},
	} {
		seen[Digest(r.Key, r.Value, r.Headers)] = true
	}
	if len(seen) != 9 {
		t.Errorf("%d digests of 9 records", len(seen))
	}
}

// outlived is a history in which a dead letter stays open although its delivery
// was delivered later. Its happenings of the outbox: 12 and 13 the attempt that is
// refused, 14 the dead letter, 15 and 16 the attempt that is taken.
func outlived() []Happening {
	list := history()
	list[13].Result = Refused
	return slices.Insert(list, 14, refused(2))
}

// TestOpenDeadLettersAreExcusedNarrowly: each excuse where it holds, and next to
// where it ends.
func TestOpenDeadLettersAreExcusedNarrowly(t *testing.T) {
	outbox := Place{Topic: "g.outbox.desk"}
	owns := func(by int) Happening { return Happening{Kind: Assigned, By: by, Group: "g.outbox", Place: outbox} }
	unclear := func(id string, offset int64) []Happening {
		at := Place{Topic: outbox.Topic, Offset: offset}
		return []Happening{
			{Kind: Started, By: 2, Group: "g.outbox", Place: at, ID: id},
			{Kind: Answered, By: 2, Group: "g.outbox", Place: at, ID: id, Result: Unclear},
		}
	}
	again := func(partition int32, offset int64) Happening {
		return Happening{Kind: Queued, By: 1, Place: Place{Topic: outbox.Topic, Partition: partition, Offset: offset}, ID: "a", Lane: "k", From: Place{Topic: "trade-executions"}}
	}
	moved := func(id string) []Happening {
		hook := Place{Topic: "g.outbox.hook"}
		return []Happening{
			{Kind: Queued, By: 1, Place: hook, ID: "x", From: Place{Topic: "trade-executions"}},
			{Kind: Queued, By: 2, Place: Place{Topic: outbox.Topic, Offset: 2}, ID: id, From: hook},
		}
	}
	recreated := func(topic string) Happening {
		return Happening{Kind: Recreated, Place: Place{Topic: topic, Instance: 1}}
	}
	answer := func(n int, r Result) func([]Happening) []Happening {
		return func(l []Happening) []Happening { l[find(l, Answered, n)].Result = r; return l }
	}
	insert := func(at int, more ...Happening) func([]Happening) []Happening {
		return func(l []Happening) []Happening { return slices.Insert(l, at, more...) }
	}
	for name, c := range map[string]struct {
		change func([]Happening) []Happening
		open   bool
	}{
		"nothing happened":                          {func(l []Happening) []Happening { return l }, true},
		"some recipients refused it":                {answer(1, Partly), false},
		"some recipients refused another":           {answer(2, Partly), true},
		"a former owner delivers it":                {insert(16, owns(3)), false},
		"its owner goes after it":                   {insert(17, owns(3)), true},
		"a former owner writes the dead letter":     {func(l []Happening) []Happening { return slices.Insert(slices.Insert(l, 15, owns(2)), 14, owns(3)) }, false},
		"another owner had it before":               {insert(12, owns(3), owns(2)), true},
		"an answer was unclear":                     {insert(14, unclear("a", 0)...), false},
		"an answer for another was unclear":         {insert(17, unclear("b", 1)...), true},
		"it is in another partition, too":           {insert(12, again(1, 0)), false},
		"it is in its partition again":              {insert(12, again(0, 2)), true},
		"its partition comes back in an attempt":    {insert(16, owns(2)), false},
		"its partition comes back between attempts": {insert(15, owns(2)), true},
		"its outbox is deleted":                     {insert(17, recreated(outbox.Topic)), false},
		"another outbox is deleted":                 {insert(17, recreated("g.outbox.hook")), true},
		"it was raised here and moved here":         {insert(12, moved("a")...), false},
		"another was moved here":                    {insert(12, moved("c")...), true},
	} {
		found := slices.ContainsFunc(Check(c.change(outlived()), Limits{Uncommitted: 9}), func(v Violation) bool {
			return v.Promise == "dead letters" && strings.Contains(v.Text, "stays open")
		})
		if found != c.open {
			t.Errorf("%s: found %v, want %v", name, found, c.open)
		}
	}
}

func TestDuplicatesUpToPermitsAreAllowed(t *testing.T) {
	for _, c := range []struct {
		it    item
		times int
	}{
		{item{}, 0},
		{item{permits: 2}, 2},
		{item{sends: sends{unclear: 1}}, 1},
		{item{permits: 1, sends: sends{unclear: 1}}, 2},
	} {
		if !c.it.mayComeAgain(c.times) || c.it.mayComeAgain(c.times+1) {
			t.Errorf("%+v may not come again exactly %d times", c.it, c.times)
		}
	}
	if it := (item{sends: sends{partly: true}}); !it.mayComeAgain(100) {
		t.Error("what some have not got yet has to be sent on")
	}
}
