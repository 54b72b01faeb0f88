package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

func newTopics(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{Use: "topics", Short: "List, check and create the topics", Args: base.Subcommand, RunE: base.Help}
	cmd.AddCommand(newTopicsList(g), newTopicsCheck(g), newTopicsCreate(g))
	return cmd
}

// loadLayout loads the layout of the topics, without a file from the shipped
// configuration.
func loadLayout(g *base.Globals) (*config.Loaded, kafka.Layout, error) {
	src := g.Source()
	src.Shipped = true
	l, faults, err := config.LoadBase(src)
	if err != nil {
		return nil, kafka.Layout{}, base.Fail(base.ExitConfig, "%w", err)
	}
	if err := g.ReportFaults("the configuration", faults); err != nil {
		return nil, kafka.Layout{}, err
	}
	if l.File == "" {
		fmt.Fprintln(g.IO.Err, "no configuration found: using the shipped one, with the channel desk")
	}
	g.InUse = l.Kafka.Group
	return l, l.Layout(), nil
}

func newTopicsList(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Print the central list of topics; needs no broker", Args: base.NoArgs,
		Long: "Print the central list of topics; needs no broker. With -o env, python, go or ts it generates an\n" +
			"enum of the source topics for other services.",
		Annotations: map[string]string{base.Formats: "env python go ts"},
		RunE: func(*cobra.Command, []string) error {
			if write, ok := enums[g.Output]; ok {
				_, err := io.WriteString(g.IO.Out, write(base.VersionText()))
				return err
			}
			_, lay, err := loadLayout(g)
			if err != nil {
				return err
			}
			return listTopics(g, lay.Shapes(3, nil))
		},
	}
}

func listTopics(g *base.Globals, shapes []kafka.Shape) error {
	if g.JSON() {
		var list []any
		for _, s := range shapes {
			list = append(list, map[string]any{"topic": s.Topic, "role": roleWord(s.Role), "partitions": s.Partitions, "configs": s.Configs})
		}
		return base.EncodeAll(g.IO.Out, list)
	}
	t := term.Table{Head: []string{"TOPIC", "WHAT", "PARTS"}}
	for _, s := range shapes {
		t.Add(s.Topic, roleWord(s.Role), fmt.Sprint(s.Partitions))
	}
	t.Write(g.IO.Out, g.Width())
	return nil
}

func roleWord(r kafka.Role) string {
	switch r {
	case kafka.RoleSource:
		return "source"
	case kafka.RoleDeadLetter:
		return "dead letters"
	case kafka.RoleReplay:
		return "replays"
	case kafka.RoleDeliveries:
		return "delivery log"
	case kafka.RoleState:
		return "alert state"
	}
	return "outbox"
}

// checkWithin bounds the checks of all topics.
const checkWithin = time.Minute

func newTopicsCheck(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Report missing and misconfigured topics", Args: base.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks, err := topicChecks(cmd.Context(), g, nil)
			if err != nil {
				return err
			}
			defer checks.Admin.Close()
			topics := check.Check{Area: "topics", Name: "topics", Run: checks.CheckTopics}
			results := check.Gather(cmd.Context(), checkWithin, []check.Check{topics})
			if err := g.WriteResults(results, base.NoTitle); err != nil {
				return err
			}
			return base.Failures(results)
		},
	}
}

// topicChecks connects and returns the checks of the expected topics.
func topicChecks(ctx context.Context, g *base.Globals, change func(*kafka.Layout)) (*kafka.Checks, error) {
	l, lay, err := loadLayout(g)
	if err != nil {
		return nil, err
	}
	if change != nil {
		change(&lay)
	}
	cl, err := g.Reach(ctx, &l.Kafka, "topics")
	if err != nil {
		return nil, err
	}
	checks := &kafka.Checks{Admin: kadm.NewClient(cl), Config: &l.Kafka, Command: g.Self()}
	if checks.Want, err = kafka.ClusterShapes(ctx, checks.Admin, lay); err != nil {
		checks.Admin.Close()
		return nil, err
	}
	return checks, nil
}

func newTopicsCreate(g *base.Globals) *cobra.Command {
	var partitions int32
	var replication int16
	var dryRun bool
	cmd := &cobra.Command{
		Use: "create", Short: "Create missing topics", Args: base.NoArgs,
		Long: "Create missing topics: the sources, and those for dead letters, replays and outboxes. It prints its\n" +
			"plan first. Existing topics are not changed; if they differ from --partitions or --replication, it\n" +
			"says so. With -o json, \"wanted\" then has the numbers that were asked for.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if partitions < 0 || replication < 0 {
				return base.Misused("--partitions and --replication are positive numbers")
			}
			checks, err := topicChecks(cmd.Context(), g, func(lay *kafka.Layout) {
				lay.Partitions, lay.Replication = partitions, replication
			})
			if err != nil {
				return err
			}
			adm, want := checks.Admin, checks.Want
			defer adm.Close()
			missing, err := kafka.Missing(cmd.Context(), adm, want)
			if err != nil {
				return err
			}
			existing, err := kafka.Existing(cmd.Context(), adm, want)
			if err != nil {
				return err
			}
			if err := printPlan(g, want, missing, existing, partitions, replication); err != nil {
				return err
			}
			reportDifferences(g, existing, partitions, replication)
			switch {
			case dryRun:
				fmt.Fprintf(g.IO.Err, "dry run: nothing was created\n")
				return nil
			case len(missing) == 0:
				fmt.Fprintf(g.IO.Err, "nothing to do: all %d topics exist\n", len(want))
				return nil
			}
			if err := kafka.Create(cmd.Context(), adm, missing); err != nil {
				return err
			}
			if err := kafka.WaitUsable(cmd.Context(), adm, missing, 10*time.Second); err != nil {
				return err
			}
			fmt.Fprintf(g.IO.Err, "%s created\n", plural.Count(len(missing), "topic"))
			return nil
		},
	}
	f := cmd.Flags()
	f.Int32Var(&partitions, "partitions", 0, "of the sources (default 6)")
	f.Int16Var(&replication, "replication", 0, "of all topics (default 3, or as many as there are brokers)")
	f.BoolVar(&dryRun, "dry-run", false, "print the plan and create nothing")
	return cmd
}

// differences returns the numbers that the flags ask for (0: not set) and that an existing
// topic does not have.
func differences(s kafka.Shape, partitions int32, replication int16) map[string]int {
	wanted := make(map[string]int)
	if s.Role == kafka.RoleSource && partitions != 0 && partitions != s.Partitions {
		wanted["partitions"] = int(partitions)
	}
	if replication != 0 && replication != s.Replication {
		wanted["replication"] = int(replication)
	}
	return wanted
}

// reportDifferences reports existing topics that are not what the flags ask for.
func reportDifferences(g *base.Globals, existing []kafka.Shape, partitions int32, replication int16) {
	for _, s := range existing {
		wanted := differences(s, partitions, replication)
		if n, differs := wanted["partitions"]; differs {
			remedy := "Kafka cannot remove partitions: recreate the topic"
			if partitions > s.Partitions {
				remedy = fmt.Sprintf("add them with 'kafka-topics.sh --alter --topic %s --partitions %d'; events of a key then move to another partition", s.Topic, n)
			}
			fmt.Fprintf(g.IO.Err, "%s exists with %s, not %d: %s\n", s.Topic, plural.Count(int(s.Partitions), "partition"), n, remedy)
		}
		if n, differs := wanted["replication"]; differs {
			fmt.Fprintf(g.IO.Err, "%s exists with replication %d, not %d: change it with 'kafka-reassign-partitions.sh'\n", s.Topic, s.Replication, n)
		}
	}
}

func printPlan(g *base.Globals, want, missing, existing []kafka.Shape, partitions int32, replication int16) error {
	isMissing := func(s kafka.Shape) bool {
		return slices.ContainsFunc(missing, func(m kafka.Shape) bool { return m.Topic == s.Topic })
	}
	// now returns an existing topic with its present numbers.
	now := func(s kafka.Shape) kafka.Shape {
		if i := slices.IndexFunc(existing, func(e kafka.Shape) bool { return e.Topic == s.Topic }); i >= 0 {
			return existing[i]
		}
		return s
	}
	if g.JSON() {
		var list []any
		for _, s := range want {
			object := map[string]any{"topic": s.Topic, "action": "create", "configs": s.Configs}
			if !isMissing(s) {
				s = now(s)
				object["action"] = "keep"
				if wanted := differences(s, partitions, replication); len(wanted) > 0 {
					object["wanted"] = wanted
				}
			}
			object["partitions"], object["replication"] = s.Partitions, s.Replication
			list = append(list, object)
		}
		return base.EncodeAll(g.IO.Out, list)
	}
	t := term.Table{Head: []string{"", "TOPIC", "WHAT", "PARTS", "REPL"}}
	configs := make(map[string]bool)
	var lines []string
	for _, s := range want {
		if !isMissing(s) {
			s = now(s)
			t.Add("keep", s.Topic, roleWord(s.Role), fmt.Sprint(s.Partitions), fmt.Sprint(s.Replication))
			continue
		}
		t.Add("create", s.Topic, roleWord(s.Role), fmt.Sprint(s.Partitions), fmt.Sprint(s.Replication))
		var set []string
		for _, k := range slices.Sorted(maps.Keys(s.Configs)) {
			set = append(set, k+"="+s.Configs[k])
		}
		if line := roleWord(s.Role) + ": " + strings.Join(set, " "); len(set) > 0 && !configs[line] {
			configs[line] = true
			lines = append(lines, line)
		}
	}
	t.Write(g.IO.Out, g.Width())
	for _, line := range lines {
		fmt.Fprintln(g.IO.Out, strings.Join(term.Wrap(line, g.Width()-2), "\n  "))
	}
	return nil
}
