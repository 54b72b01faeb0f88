//lint:file-ignore SA1019 provisioning reads version 1 of the schema

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

const runbook = "https://github.com/algotrade/notifier/blob/main/docs/runbook.md"

// build makes the dashboard: one screen that says whether it works and who is
// affected, then a row for each part, folded.
func build(l limits) *dashboard.DashboardBuilder {
	d := dashboard.NewDashboardBuilder("notifier").Uid("notifier").Tags([]string{"notifier"}).
		Description("Is it working, is anyone affected, which channel, which topic; then a row for each part.").
		Time("now-3h", "now").Refresh("30s").Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair).Readonly().
		Link(dashboard.NewDashboardLinkBuilder("Runbook").Type(dashboard.DashboardLinkTypeLink).Url(runbook).Icon("doc").TargetBlank(true)).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
		WithVariable(dashboard.NewQueryVariableBuilder("job").Label("Job").Datasource(source).
			Query(dashboard.StringOrMap{String: cog.ToPtr("label_values(notifier_build_info, job)")}).
			Refresh(dashboard.VariableRefreshOnDashboardLoad))
	overview(d, l)
	for _, r := range []struct {
		title  string
		panels []*timeseries.PanelBuilder
	}{
		{"Consuming", consuming()},
		{"Matching", matching()},
		{"Outboxes and channels", channels()},
		{"Dead letters", deadLetters()},
		{"Lag, of our groups and of others", lag()},
		{"Process", process()},
	} {
		row := dashboard.NewRowBuilder(r.title).Collapsed(true)
		for _, p := range r.panels {
			row.WithPanel(p)
		}
		d.WithRow(row)
	}
	return d
}

func overview(d *dashboard.DashboardBuilder, l limits) {
	d.WithPanel(number("Daemons", "How many Prometheus reaches.", "none", "none",
		query{`sum(up{job="$job"})`, ""}, steps(red, from(1, green)))).
		WithPanel(number("Firing alerts", "Of configs/prometheus; the list is below, the runbook says what to do.", "none", "none",
			query{`count(ALERTS{alertname=~"Notifier.+", alertstate="firing"}) or vector(0)`, ""}, steps(green, from(1, red)))).
		WithPanel(number("Oldest event not matched", "How late an alert would be raised now.", "s", "not known",
			query{`max(job_group_topic:notifier_consumer_lag_seconds:max{job="$job", topic!~".+[.]replay"} and on (job, group) notifier_group_joined{stage="ingest"})`, ""},
			steps(green, from(l.of("lag_seconds")/2, orange), from(l.of("lag_seconds"), red)))).
		WithPanel(number("Oldest alert not sent", "Age of the oldest pending alert, over all channels.", "s", "not known",
			query{`max(notifier_outbox_oldest_seconds{job="$job"})`, ""}, steps(green, from(l.of("outbox_oldest_seconds")/5, orange), from(l.of("outbox_oldest_seconds"), red)))).
		WithPanel(number("Dead letters open", "Neither resolved nor discarded.", "short", "not known",
			query{`sum(max by (topic) (notifier_dead_letters_open{job="$job"}))`, ""}, steps(green, from(1, yellow), from(l.of("dead_letters_open"), orange)))).
		WithPanel(number("Time until loss", "How long Kafka certainly still keeps the oldest pending record.", "s", "nothing pending",
			query{`min(notifier_time_until_loss_seconds{job="$job"}) < Inf`, ""}, steps(red, from(l.of("until_loss_seconds"), orange), from(3*l.of("until_loss_seconds"), green)))).
		WithPanel(states("Channels", "The worst state that any daemon reports. Suspended: it needs an operator.", query{
			`max by (channel) (notifier_channel_state{job="$job", state="healthy"} * 0 or notifier_channel_state{job="$job", state=~"recovering|waiting"} or notifier_channel_state{job="$job", state="circuit_open"} * 2 or notifier_channel_state{job="$job", state="suspended"} * 3)`, "{{channel}}",
		}, map[int]word{0: {"works", green}, 1: {"waits or is tried again", yellow}, 2: {"down", orange}, 3: {"suspended", red}})).
		WithPanel(states("Topics", "Unavailable: missing, forbidden or without a leader. Blocked: its partitions wait until a condition is fixed. Late: older than the limit.", query{
			`max by (topic) ((1 - notifier_topic_available{job="$job"}) * 3 or notifier_partition_blocked{job="$job"} * 2 or job_group_topic:notifier_consumer_lag_seconds:max{job="$job"} > bool scalar(notifier:limit:lag_seconds))`, "{{topic}}",
		}, map[int]word{0: {"read", green}, 1: {"late", yellow}, 2: {"blocked", orange}, 3: {"unavailable", red}})).
		WithPanel(lines("Events, by topic", "Handled a second; what raises no alert too.", "ops",
			query{`sum by (topic) (rate(notifier_records_total{job="$job"}[$__rate_interval]))`, "{{topic}}"})).
		WithPanel(lines("Alerts delivered, by channel", "Taken by the provider, a second.", "ops",
			query{`sum by (channel) (rate(notifier_deliveries_total{job="$job", outcome="delivered"}[$__rate_interval]))`, "{{channel}}"})).
		WithPanel(list("What fires", "Empty is good. Each has a section in the runbook.", "nothing",
			query{`ALERTS{alertname=~"Notifier.+", alertstate="firing"}`, ""}, "alertname", "severity", "topic", "channel", "instance", "type"))
}

func consuming() []*timeseries.PanelBuilder {
	return []*timeseries.PanelBuilder{
		lines("Records by outcome", "ignored: no rule matched. skipped: a record that is not ours, in a topic of ours.", "ops",
			query{`sum by (outcome) (rate(notifier_records_total{job="$job"}[$__rate_interval]))`, "{{outcome}}"}),
		lines("Time from arrival to settled, p99", "Of events: until their alerts are written.", "s",
			query{`histogram_quantile(0.99, sum by (topic, le) (rate(notifier_processing_duration_seconds_bucket{job="$job", stage="ingest"}[$__rate_interval])))`, "{{topic}}"},
			limit("processing_seconds")),
		lines("Partitions owned, by daemon", "Each partition has one owner.", "none",
			query{`sum by (instance, stage) (notifier_assigned_partitions{job="$job"})`, "{{instance}} {{stage}}"}),
		lines("Rebalances in 15 minutes", "Each pauses the work for a moment.", "none",
			query{`sum by (stage, event) (increase(notifier_rebalances_total{job="$job"}[15m]))`, "{{stage}} {{event}}"}, limit("rebalances")),
		lines("Group and fetch errors", "By Kafka's own name for it. Some come with each rebalance.", "ops",
			query{`sum by (reason) (rate(notifier_group_errors_total{job="$job"}[$__rate_interval])) > 0`, "{{reason}}"},
			query{`sum by (stage) (rate(notifier_commit_failures_total{job="$job"}[$__rate_interval]))`, "commit refused ({{stage}})"}),
		lines("Conditions", "Topics, partitions, groups, channels or rules with a condition, by type: docs/troubleshooting.md.", "none",
			query{`max by (type) (notifier_condition{job="$job"})`, "{{type}}"}),
		lines("Members of the groups", "Daemons that are members of the group of a stage.", "none",
			query{`sum by (stage) (notifier_group_joined{job="$job"})`, "{{stage}}"}),
		lines("Partitions blocked", "They wait until a condition is fixed: see the runbook.", "none",
			query{`sum by (topic, reason) (notifier_partition_blocked{job="$job"}) > 0`, "{{topic}} {{reason}}"}),
		lines("Read from and written to Kafka", "Bytes a second, of each of the daemon's clients.", "Bps",
			query{`sum by (client) (rate(kafka_read_bytes_total{job="$job"}[$__rate_interval]))`, "{{client}} read"},
			query{`sum by (client) (rate(kafka_write_bytes_total{job="$job"}[$__rate_interval]))`, "{{client}} written"}),
	}
}

func matching() []*timeseries.PanelBuilder {
	return []*timeseries.PanelBuilder{
		lines("Alerts raised, by rule", "Before throttling. Look at a rule that raises far more than it did.", "ops",
			query{`sum by (rule) (rate(notifier_alerts_total{job="$job"}[$__rate_interval]))`, "{{rule}}"}),
		lines("Alerts raised, by severity", "", "ops",
			query{`sum by (severity) (rate(notifier_alerts_total{job="$job"}[$__rate_interval]))`, "{{severity}}"}),
		lines("Undecodable events, by topic", "Their part of all; limit: with more than that NotifierProcessingErrors fires.", "percentunit",
			query{`sum by (topic) (rate(notifier_records_total{job="$job", outcome="dead_lettered"}[$__rate_interval])) / sum by (topic) (rate(notifier_records_total{job="$job"}[$__rate_interval]))`, "{{topic}}"},
			limit("processing_error_ratio")),
		lines("Events repaired", "Read although they are not quite JSON. Their producer should know.", "ops",
			query{`sum by (topic, repair) (rate(notifier_events_repaired_total{job="$job"}[$__rate_interval]))`, "{{topic}} {{repair}}"}),
	}
}

func channels() []*timeseries.PanelBuilder {
	return []*timeseries.PanelBuilder{
		lines("Pending alerts, by channel", "In the brokers and in the daemon.", "short",
			query{`max by (channel) (notifier_outbox_lag_records{job="$job"})`, "{{channel}}"}),
		lines("Oldest pending alert, by channel", "", "s",
			query{`max by (channel) (notifier_outbox_oldest_seconds{job="$job"})`, "{{channel}}"}, limit("outbox_oldest_seconds")),
		lines("From event to delivery, by channel", "p50 and p95 of delivered alerts.", "s",
			query{`histogram_quantile(0.5, sum by (channel, le) (rate(notifier_alert_age_seconds_bucket{job="$job"}[$__rate_interval])))`, "{{channel}} p50"},
			query{`histogram_quantile(0.95, sum by (channel, le) (rate(notifier_alert_age_seconds_bucket{job="$job"}[$__rate_interval])))`, "{{channel}} p95"}, limit("alert_age_seconds")),
		lines("Attempts by result", "transient, rate: retried. permanent: the channel is suspended. message, recipient: a dead letter.", "ops",
			query{`sum by (channel, result) (rate(notifier_delivery_attempts_total{job="$job"}[$__rate_interval]))`, "{{channel}} {{result}}"}),
		lines("Duration of an attempt, p95", "The provider's time.", "s",
			query{`histogram_quantile(0.95, sum by (channel, le) (rate(notifier_delivery_duration_seconds_bucket{job="$job"}[$__rate_interval])))`, "{{channel}}"}),
		lines("Deliveries by outcome", "throttled, silenced and expired were not sent, as rules and operators say.", "ops",
			query{`sum by (channel, outcome) (rate(notifier_deliveries_total{job="$job"}[$__rate_interval]))`, "{{channel}} {{outcome}}"}),
		lines("Pending in the daemon, by channel", "Read from the outbox and not settled.", "short",
			query{`sum by (channel) (notifier_outbox_pending{job="$job"})`, "{{channel}}"}),
		lines("Duplicates and foreign records dropped", "Written twice because of a crash, and records in an outbox that are not ours.", "ops",
			query{`sum by (channel) (rate(notifier_duplicates_dropped_total{job="$job"}[$__rate_interval]))`, "{{channel}} duplicates"},
			query{`sum by (channel) (rate(notifier_outbox_foreign_records_total{job="$job"}[$__rate_interval]))`, "{{channel}} foreign"}),
	}
}

func deadLetters() []*timeseries.PanelBuilder {
	return []*timeseries.PanelBuilder{
		lines("Open, by topic", "", "short", query{`max by (topic) (notifier_dead_letters_open{job="$job"})`, "{{topic}}"}, limit("dead_letters_open")),
		lines("Oldest open, by topic", "", "s", query{`max by (topic) (notifier_dead_letter_oldest_seconds{job="$job"})`, "{{topic}}"}, limit("dead_letter_oldest_seconds")),
		lines("Written, by reason", "docs/dlq.md says what helps against each.", "ops",
			query{`sum by (reason) (rate(notifier_dead_letters_total{job="$job"}[$__rate_interval]))`, "{{reason}}"}),
		lines("Writes that failed", "Nothing is lost: the partition waits.", "ops",
			query{`sum by (topic) (rate(notifier_dead_letter_write_failures_total{job="$job"}[$__rate_interval]))`, "{{topic}}"}),
		lines("Sent again, by outcome", "", "ops", query{`sum by (outcome) (rate(notifier_replays_total{job="$job"}[$__rate_interval]))`, "{{outcome}}"}),
	}
}

func lag() []*timeseries.PanelBuilder {
	return []*timeseries.PanelBuilder{
		lines("Pending records", "", "short",
			query{`job_group_topic:notifier_consumer_lag_records:sum{job="$job"}`, "{{group}} {{topic}}"}, limit("lag_records")),
		lines("Oldest pending record", "", "s",
			query{`job_group_topic:notifier_consumer_lag_seconds:max{job="$job"}`, "{{group}} {{topic}}"}, limit("lag_seconds")),
		lines("Time until loss", "Of pending records. Below zero they may be deleted at any time.", "s",
			query{`min by (topic) (notifier_time_until_loss_seconds{job="$job"}) < Inf`, "{{topic}}"}, limit("until_loss_seconds")),
		lines("Pending records, by partition", "One alone that grows is blocked, is not read, or has the one key with all the load.", "short",
			query{`max by (group, topic, partition) (notifier_consumer_lag_records{job="$job"}) > 0`, "{{topic}}/{{partition}} {{group}}"}).Span(half),
		lines("Events lost", "Deleted by Kafka before they were handled, since the daemons started.", "short",
			query{`sum by (topic) (notifier_events_lost_total{job="$job"})`, "{{topic}}"}).Span(half),
	}
}

func process() []*timeseries.PanelBuilder {
	return []*timeseries.PanelBuilder{
		lines("Reached by Prometheus", "", "none", query{`up{job="$job"}`, "{{instance}}"}).Max(1),
		lines("Processor", "1 is one core.", "short", query{`rate(process_cpu_seconds_total{job="$job"}[$__rate_interval])`, "{{instance}}"}),
		lines("Memory", "Resident, and of it the heap in use.", "bytes",
			query{`process_resident_memory_bytes{job="$job"}`, "{{instance}}"}, query{`go_memstats_heap_inuse_bytes{job="$job"}`, "{{instance}} heap"}),
		lines("Goroutines", "", "none", query{`go_goroutines{job="$job"}`, "{{instance}}"}),
		lines("File handles", "", "none", query{`process_open_fds{job="$job"}`, "{{instance}}"}),
		lines("Running since", "", "s", query{`time() - process_start_time_seconds{job="$job"}`, "{{instance}}"}),
		lines("Versions", "One, but for the time of an upgrade.", "none", query{`count by (version) (notifier_build_info{job="$job"})`, "{{version}}"}).Span(full).Height(5),
	}
}
