package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/topics"
)

// examples are the examples of each command, by its path.
var examples = map[string][]string{
	"dev":              {"notifier dev", "notifier dev --data-dir ./dev-data --rate 200"},
	"run":              {"notifier run", "notifier run --wait 1m --create-topics -c /etc/notifier/notifier.yaml"},
	"topics list":      {"notifier topics list", "notifier topics list -o python > topics.py"},
	"topics check":     {"notifier topics check", "notifier topics check --brokers kafka-1.example.com:9092"},
	"topics create":    {"notifier topics create --dry-run", "notifier topics create --partitions 12 --replication 3"},
	"produce":          {"notifier produce trade-executions --sample order.rejected", "notifier produce portfolio-updates -f events.jsonl --rate 100"},
	"rules check":      {"notifier rules check", "notifier rules check rules.yaml -o sarif > rules.sarif"},
	"rules test":       {"notifier rules test", "notifier rules test --coverage", "notifier rules test --run drawdown --update", "notifier rules test rules.yaml -o junit > rules.xml"},
	"rules explain":    {"notifier rules explain trade-executions/3@918273", "notifier rules explain --event event.json --rule large-fill", "notifier rules explain --alert al_6f2cxyz"},
	"rules list":       {"notifier rules list"},
	"rules backtest":   {"notifier rules backtest --since 7d", "notifier rules backtest --diff new-rules.yaml --events", "notifier rules backtest --diff old.yaml new.yaml -o json"},
	"samples add":      {"notifier samples add trade-executions/3@918273", "notifier samples add trade-executions/3@918273 --name margin-call-2 --keep symbol,legs.symbol --yes"},
	"config check":     {"notifier config check", "notifier config check -c notifier.yaml -o json"},
	"config show":      {"notifier config show", "notifier config show -o json"},
	"config schema":    {"notifier config schema > notifier.schema.json", "notifier config schema rules > rules.schema.json"},
	"channels list":    {"notifier channels list"},
	"channels preview": {"notifier channels preview desk --rule margin-call", "notifier channels preview desk-mail --rule drawdown --state resolved --html mail.html", "notifier channels preview risk-hook --rule drawdown --event portfolio-updates/2@4711 -o json"},
	"channels test":    {"notifier channels test desk", "notifier channels test --all --no-send"},
	"channels move":    {"notifier channels move desk-slack desk-mail --dry-run", "notifier channels move desk-slack desk-mail --yes"},
	"alerts list":      {"notifier alerts list --key ACC-7 --rule margin-call", "notifier alerts list --since 1h --decision dead_lettered,expired -o json"},
	"alerts show":      {"notifier alerts show al_6f2cxyz"},
	"alerts resend":    {"notifier alerts resend dl_o7uh42h", "notifier alerts resend al_6f2cxyz --to desk-mail --yes"},
	"alerts tail":      {"notifier alerts tail --severity critical --channel desk-slack"},
	"silence add":      {"notifier silence add rule=order-rejected account=A7 --for 2h -m \"venue migration CHG-112\"", "notifier silence add 'account=ACC-10*' 'severity!=critical' --until 18:30 -m test --dry-run"},
	"silence list":     {"notifier silence list", "notifier silence list --all -o json"},
	"silence expire":   {"notifier silence expire sil_9d21"},
	"dlq stats":        {"notifier dlq stats", "notifier dlq stats --since 2h"},
	"dlq list":         {"notifier dlq list --reason refused --channel desk-slack", "notifier dlq list --state all --limit 20 -o json"},
	"dlq show":         {"notifier dlq show dl_o7uh42h", "notifier dlq show dl_o7uh42h --payload > event.json"},
	"dlq replay":       {"notifier dlq replay dl_o7uh42h", "notifier dlq replay --reason refused --canary 5 --wait -m \"the receiver is fixed\"", "notifier dlq replay re_4k7q --payload event.json"},
	"dlq discard":      {"notifier dlq discard --cause truncated -m \"sent again by the producer\""},
	"dlq export":       {"notifier dlq export --cause pickle > pickled.jsonl"},
	"dlq import":       {"notifier dlq import pickled.jsonl --dry-run"},
	"dlq watch":        {"notifier dlq watch --topic trade-executions"},
	"lag":              {"notifier lag", "notifier lag --all --watch"},
	"health":           {"notifier health", "notifier health --ready"},
	"doctor":           {"notifier doctor", "notifier doctor --bundle diagnostics.tar.gz"},
	"version":          {"notifier version -o json"},
}

// addHelp adds the examples to the commands, and how their arguments are completed.
func addHelp(g *base.Globals, root *cobra.Command) {
	base.Complete(root, "output", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return append([]string{"text", "json"}, strings.Fields(cmd.Annotations[base.Formats])...), cobra.ShellCompDirectiveNoFileComp
	})
	base.Complete(root, "log-level", base.Words("debug", "info", "warn", "error"))
	for path, lines := range examples {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil {
			panic(err) // the command does not exist
		}
		cmd.Example = "  " + strings.Join(lines, "\n  ")
		switch path {
		case "produce":
			cmd.ValidArgsFunction = base.Words(topicNames()...)
			base.Complete(cmd, "sample", g.SampleNames)
		case "samples add":
			cmd.ValidArgsFunction = places
		case "channels preview", "channels test", "channels move":
			cmd.ValidArgsFunction = g.ChannelNames
		case "rules check", "rules test", "rules backtest", "dlq import": // files
		default:
			if cmd.ValidArgsFunction == nil {
				cmd.ValidArgsFunction = base.NoWords
			}
		}
	}
}

// places completes with the beginning of TOPIC/PARTITION@OFFSET.
func places(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var begins []string
	for _, name := range topicNames() {
		begins = append(begins, name+"/")
	}
	return begins, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func topicNames() []string {
	var names []string
	for _, t := range topics.All() {
		names = append(names, string(t))
	}
	return names
}
