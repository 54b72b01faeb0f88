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

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/kafka"
)

func newTopics(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "topics", Short: "List, check and create the topics", Args: subcommand, RunE: help}
	cmd.AddCommand(newTopicsList(g), newTopicsCheck(g), newTopicsCreate(g))
	return cmd
}

// layout loads what the topics' shapes follow from. Without a file that is
// the shipped configuration.
func loadLayout(g *globals) (*config.Loaded, kafka.Layout, error) {
	src := g.source()
	src.Shipped = true
	l, faults, err := config.LoadBase(src)
	if err != nil {
		return nil, kafka.Layout{}, fail(exitConfig, "%w", err)
	}
	if err := g.reportFaults("the configuration", faults); err != nil {
		return nil, kafka.Layout{}, err
	}
	if l.File == "" {
		fmt.Fprintln(g.io.err, "no configuration here: using the shipped one, with the channel desk")
	}
	g.inUse = l.Kafka.Group
	return l, l.Layout(), nil
}

func newTopicsList(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Print the central list of topics; needs no broker", Args: noArgs,
		Long: "Print the central list of topics; needs no broker. With -o env, python, go or ts it writes the\n" +
			"sources for other services, as their enum, so that nobody spells them a second time.",
		Annotations: map[string]string{moreFormats: "env python go ts"},
		RunE: func(*cobra.Command, []string) error {
			if write, ok := enums[g.output]; ok {
				_, err := io.WriteString(g.io.out, write(versionText()))
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

func listTopics(g *globals, shapes []kafka.Shape) error {
	if g.json() {
		enc := newEncoder(g.io.out)
		for _, s := range shapes {
			err := enc.Encode(map[string]any{"topic": s.Topic, "role": roleWord(s.Role), "partitions": s.Partitions, "configs": s.Configs})
			if err != nil {
				return err
			}
		}
		return nil
	}
	t := table{head: []string{"TOPIC", "WHAT", "PARTITIONS"}}
	for _, s := range shapes {
		t.add(s.Topic, roleWord(s.Role), fmt.Sprint(s.Partitions))
	}
	t.write(g.io.out, g.width())
	return nil
}

func roleWord(r kafka.Role) string {
	switch r {
	case kafka.RoleSource:
		return "source"
	case kafka.RoleDeadLetter:
		return "dead letters"
	case kafka.RoleReplay:
		return "replay requests"
	}
	return "outbox"
}

func newTopicsCheck(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Say what is missing or misconfigured", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			adm, want, err := wantedTopics(g, cmd.Context(), nil)
			if err != nil {
				return err
			}
			defer adm.Close()
			findings, err := kafka.Check(cmd.Context(), adm, want)
			if err != nil {
				return err
			}
			return reportFindings(g, findings, len(want))
		},
	}
}

func reportFindings(g *globals, findings []kafka.Finding, checked int) error {
	faults := 0
	for _, f := range findings {
		severity := "error"
		if f.Warning {
			severity = "warning"
		} else {
			faults++
		}
		if g.json() {
			err := newEncoder(g.io.out).Encode(map[string]string{"topic": f.Topic, "severity": severity, "finding": f.Text})
			if err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(g.io.out, "%-8s %s: %s\n", severity, visible(f.Topic), visible(f.Text))
	}
	if faults > 0 {
		return fail(exitFailed, "%s of %s", count(faults, "fault"), count(checked, "topic"))
	}
	fmt.Fprintf(g.io.err, "%s checked, %s\n", count(checked, "topic"), count(len(findings), "warning"))
	return nil
}

// wanted connects and returns the topics as they should be there.
func wantedTopics(g *globals, ctx context.Context, change func(*kafka.Layout)) (*kadm.Client, []kafka.Shape, error) {
	l, lay, err := loadLayout(g)
	if err != nil {
		return nil, nil, err
	}
	if change != nil {
		change(&lay)
	}
	cl, err := g.reach(ctx, &l.Kafka, "topics")
	if err != nil {
		return nil, nil, err
	}
	adm := kadm.NewClient(cl)
	want, err := kafka.Want(ctx, adm, lay)
	if err != nil {
		adm.Close()
		return nil, nil, err
	}
	return adm, want, nil
}

func newTopicsCreate(g *globals) *cobra.Command {
	var partitions int32
	var replication int16
	var dryRun bool
	cmd := &cobra.Command{
		Use: "create", Short: "Make the topics that are missing", Args: noArgs,
		Long: "Make the topics that are missing: the sources, and our own for dead letters and outboxes. It\n" +
			"prints its plan first; what is there already stays as it is.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if partitions < 0 || replication < 0 {
				return misused("--partitions and --replication are positive numbers")
			}
			adm, want, err := wantedTopics(g, cmd.Context(), func(lay *kafka.Layout) {
				lay.Partitions, lay.Replication = partitions, replication
			})
			if err != nil {
				return err
			}
			defer adm.Close()
			missing, err := kafka.Missing(cmd.Context(), adm, want)
			if err != nil {
				return err
			}
			printPlan(g, want, missing)
			switch {
			case dryRun:
				fmt.Fprintf(g.io.err, "dry run: nothing was made\n")
				return nil
			case len(missing) == 0:
				fmt.Fprintf(g.io.err, "nothing to do: all %d topics are there\n", len(want))
				return nil
			}
			if err := kafka.Create(cmd.Context(), adm, missing); err != nil {
				return err
			}
			if err := kafka.WaitUsable(cmd.Context(), adm, missing, 10*time.Second); err != nil {
				return err
			}
			fmt.Fprintf(g.io.err, "%s made\n", count(len(missing), "topic"))
			return nil
		},
	}
	f := cmd.Flags()
	f.Int32Var(&partitions, "partitions", 0, "of the sources (default 6)")
	f.Int16Var(&replication, "replication", 0, "of all topics (default 3, or as many as there are brokers)")
	f.BoolVar(&dryRun, "dry-run", false, "print the plan and make nothing")
	return cmd
}

func printPlan(g *globals, want, missing []kafka.Shape) {
	isMissing := func(s kafka.Shape) bool {
		return slices.ContainsFunc(missing, func(m kafka.Shape) bool { return m.Topic == s.Topic })
	}
	if g.json() {
		enc := newEncoder(g.io.out)
		for _, s := range want {
			action := "keep"
			if isMissing(s) {
				action = "create"
			}
			_ = enc.Encode(map[string]any{"topic": s.Topic, "action": action, "partitions": s.Partitions, "replication": s.Replication, "configs": s.Configs})
		}
		return
	}
	t := table{head: []string{"", "TOPIC", "WHAT", "PARTITIONS", "REPLICATION"}}
	configs := make(map[string]bool)
	var lines []string
	for _, s := range want {
		if !isMissing(s) {
			t.add("keep", s.Topic, roleWord(s.Role), "", "")
			continue
		}
		t.add("create", s.Topic, roleWord(s.Role), fmt.Sprint(s.Partitions), fmt.Sprint(s.Replication))
		var set []string
		for _, k := range slices.Sorted(maps.Keys(s.Configs)) {
			set = append(set, k+"="+s.Configs[k])
		}
		if line := roleWord(s.Role) + ": " + strings.Join(set, " "); len(set) > 0 && !configs[line] {
			configs[line] = true
			lines = append(lines, line)
		}
	}
	t.write(g.io.out, g.width())
	for _, line := range lines {
		fmt.Fprintln(g.io.out, line)
	}
}
