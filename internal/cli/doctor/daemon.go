package doctor

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/plural"
)

// checkDaemon checks the notifier on http.listen.
func (d *doctor) checkDaemon(ctx context.Context) []check.Result {
	subject := base.DisplayURL(d.daemon.Addr)
	now, err := d.daemon.Readiness(ctx)
	if err != nil {
		return []check.Result{check.Skipf(subject, "no notifier is running there (%v)", err)}
	}
	var found []check.Result
	switch status, body, err := d.daemon.Get(ctx, "/livez"); {
	case err != nil:
		found = append(found, check.Failedf(subject, "read its log, and restart it", "/livez: %v", err))
	case status != http.StatusOK:
		found = append(found, check.Failedf(subject, "read its log, and restart it", "it is stuck: %s", base.FirstLine(body)))
	default:
		found = append(found, check.Okf(subject, "alive"))
	}
	if now.Ready {
		found = append(found, check.Okf(subject, "ready"))
	}
	for _, c := range now.Components {
		found = append(found, d.component(c)...)
	}
	_, metrics, err := d.daemon.Get(ctx, "/metrics")
	if err != nil {
		return append(found, check.Warnf(subject, "", "/metrics: %v", err))
	}
	return slices.Concat(found, checkRepairs(string(metrics)), checkViolations(string(metrics)), checkProcess(string(metrics)))
}

// checkViolations returns a warning for each topic with events that violate its schema.
func checkViolations(metrics string) (found []check.Result) {
	const name = "notifier_schema_violations_total"
	for line := range strings.Lines(metrics) {
		series, count, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if n, err := strconv.ParseFloat(count, 64); strings.HasPrefix(series, name+"{") && err == nil && n > 0 {
			found = append(found, check.Warnf(label(line, name, "topic"), "correct the producer or the schema: the notifier's log names path and keyword, docs/schemas.md",
				"%s violated its schema", plural.Count(int(n), "event")))
		}
	}
	return found
}

// checkRepairs returns a warning for each topic with repaired events.
func checkRepairs(metrics string) []check.Result {
	const name = "notifier_events_repaired_total"
	byTopic := make(map[string][]string)
	for line := range strings.Lines(metrics) {
		series, count, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if n, err := strconv.ParseFloat(count, 64); strings.HasPrefix(series, name+"{") && err == nil && n > 0 {
			topic := label(line, name, "topic")
			byTopic[topic] = append(byTopic[topic], fmt.Sprintf("%s %s", label(line, name, "repair"), humanize.Comma(int64(n))))
		}
	}
	var found []check.Result
	for _, topic := range slices.Sorted(maps.Keys(byTopic)) {
		found = append(found, check.Warnf(topic, "correct the producer, or the paths in events."+topic+": see docs/producers.md, Repairs",
			"events with mistakes were repaired: %s", strings.Join(byTopic[topic], ", ")))
	}
	return found
}

// component returns the result for a component of /readyz that is not ok.
func (d *doctor) component(c admin.Component) []check.Result {
	name, channel := strings.CutPrefix(c.Name, "channel ")
	switch {
	case c.OK:
		return nil
	case channel && c.State == "suspended":
		return []check.Result{check.Failedf(c.Name, "fix it: it is retried within a minute; or move the waiting alerts with 'channels move'", "suspended: %s", c.Cause)}
	case channel && c.State == "healthy":
		return []check.Result{check.Failedf(c.Name, "see its dead letters with '"+d.g.Self()+" dlq list' and correct the rule: one of its alerts is retried within a minute", "%s", c.Cause)}
	case channel:
		return []check.Result{check.Warnf(c.Name, d.g.Self()+" channels test "+name+" --no-send", "%s: %s", c.State, c.Cause)}
	case c.Name == "blocked":
		return []check.Result{check.Failedf(c.Name, "see docs/troubleshooting.md", "%s", c.Cause)}
	case c.Decides:
		return []check.Result{check.Failedf(c.Name, "see docs/troubleshooting.md", "not ready: %s", c.Cause)}
	}
	return []check.Result{check.Warnf(c.Name, "", "%s", c.Cause)}
}

// checkProcess checks the daemon's version and process metrics.
func checkProcess(metrics string) []check.Result {
	var found []check.Result
	switch v := label(metrics, "notifier_build_info", "version"); {
	case v == "":
	case v != base.VersionText():
		found = append(found, check.Warnf("version", "restart it after an upgrade, or use the command of its version",
			"the running notifier is %s, this command %s", v, base.VersionText()))
	default:
		found = append(found, check.Okf("version", "%s, same as this command", v))
	}
	open, most := number(metrics, "process_open_fds"), number(metrics, "process_max_fds")
	if open > 0 && most > 0 {
		f := check.Okf("open files", "%s of %s", humanize.Comma(int64(open)), humanize.Comma(int64(most)))
		if open > most*8/10 {
			f.Status, f.Remedy = check.Warning, "raise LimitNOFILE in the unit, or ulimit -n"
		}
		found = append(found, f)
	}
	if rss := number(metrics, "process_resident_memory_bytes"); rss > 0 {
		found = append(found, check.Okf("memory", "%s resident", humanize.IBytes(uint64(rss))))
	}
	return found
}

// number returns the value of a metric without labels; 0: none.
func number(metrics, name string) float64 {
	for line := range strings.Lines(metrics) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return v
		}
	}
	return 0
}

// label returns a label of the first sample of a metric; empty: none.
func label(metrics, name, label string) string {
	for line := range strings.Lines(metrics) {
		if rest, ok := strings.CutPrefix(line, name+"{"); ok {
			_, value, _ := strings.Cut(rest, label+`="`)
			value, _, _ = strings.Cut(value, `"`)
			return value
		}
	}
	return ""
}
