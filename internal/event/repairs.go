package event

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/topics"
)

// The repairs: tolerated mistakes of producers, counted by kind.
const (
	repairedDouble = "double-encoded"   // a JSON string that holds the document
	repairedMark   = "byte-order-mark"  // before the document
	repairedID     = "event-id"         // not usable as an id, such as an object
	repairedType   = "event-type"       // not usable as a type
	repairedTime   = "event-time"       // unreadable, or implausible such as 1970 or 2099
	repairedRecord = "record-timestamp" // an implausible record timestamp
)

var allRepairs = []string{NotANumber, UnsetNumber, repairedDouble, repairedMark, repairedID, repairedType, repairedTime, repairedRecord}

// The repairs that a Schema reports.
const (
	NotANumber  = "not-a-number" // NaN or Infinity
	UnsetNumber = "unset-number" // the largest float: see IsUnset
)

// repair is a tolerated mistake in a document.
type repair struct{ kind, what string }

// repairs counts repairs, and logs the first of each kind in each topic.
type repairs struct {
	count  *prometheus.CounterVec
	log    *slog.Logger // nil: none
	logged *sync.Map    // of topic and kind
}

func newRepairs(reg prometheus.Registerer) repairs {
	r := repairs{logged: new(sync.Map), count: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "notifier_events_repaired_total",
		Help: "Events with a tolerated mistake of their producer, by kind: a value that is read as null, a document encoded twice, or an id, type or time that is not usable.",
	}, []string{"topic", "repair"})}
	for _, name := range topics.All() {
		for _, kind := range allRepairs {
			r.count.WithLabelValues(string(name), kind)
		}
	}
	if reg != nil {
		reg.MustRegister(r.count)
	}
	return r
}

// Log logs the first repair of each kind in each topic, and violations of schemas. Call
// it before Decode.
func (d *Decoder) Log(log *slog.Logger) { d.repairs.log, d.violations.log = log, log }

// add counts a repair; the event keeps the text of its first.
func (r *repairs) add(e *Event, kind, what string) {
	rec := &e.Record
	r.count.WithLabelValues(rec.Topic, kind).Inc()
	if e.Repaired == "" {
		e.Repaired = what
	}
	if r.log == nil {
		return
	}
	if _, again := r.logged.LoadOrStore([2]string{rec.Topic, kind}, nil); !again {
		r.log.Warn("event repaired: correct its producer or the paths in events; further ones of this topic are only counted",
			"topic", rec.Topic, "partition", rec.Partition, "offset", rec.Offset, "repair", kind, "detail", what)
	}
}
