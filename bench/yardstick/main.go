// Command yardstick measures the notifier of the checkout beside a peer, a
// script of 170 lines that a team would write instead (peer/main.py), on the
// same events and a real Kafka node. See ../README.md.
//
// It is started in the repository's root. Everything runs on 127.0.0.1 and ends
// with it. Start reading at cases.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// caseLimit bounds one case's run of all programs.
const caseLimit = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "yardstick:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	f := flag.NewFlagSet("yardstick", flag.ContinueOnError)
	names := f.String("cases", strings.Join(caseNames(), ","), "cases, separated by commas")
	runs := f.Int("runs", 3, "runs of each case")
	nodes := f.Int("nodes", 1, "Kafka nodes: 1, or 3 with replication 3, whose result is kept apart and compared with none")
	outDir := f.String("out", "", "write DATE-COMMIT.json and chart.svg to this directory")
	checkDir := f.String("check", "", "compare with the newest result in this directory; fail when the notifier has become worse")
	costsFile := f.String("costs", "", "only draw what go test -bench Cost ./bench wrote to this file: charts to the directory of -out, tables to standard output")
	if err := f.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if *costsFile != "" {
		return drawCosts(*costsFile, *outDir, out)
	}
	chosen, err := choose(*names)
	if err != nil {
		return err
	}
	if *runs < 1 {
		return errors.New("-runs is at least 1")
	}
	if *nodes != 1 && (*nodes != 3 || *checkDir != "") {
		return errors.New("-nodes is 1 or 3, and 1 with -check")
	}
	var committed *result
	if *checkDir != "" {
		if committed, err = newest(*checkDir); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(*runs*len(chosen))*caseLimit)
	defer cancel()
	r, err := describe(ctx, *runs)
	if err != nil {
		return err
	}
	if *nodes > 1 {
		r.Nodes = *nodes
	}
	var l *lab
	for _, c := range chosen {
		if c.alone != nil {
			if err := r.alone(ctx, c, progress); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			continue
		}
		if l == nil {
			if l, err = newLab(ctx); err != nil {
				return err
			}
			defer l.close()
		}
		if err := l.measure(ctx, c, r, progress); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	r.table(out)
	if *outDir != "" {
		if err := r.write(*outDir); err != nil {
			return err
		}
	}
	if committed != nil {
		return check(out, committed, r)
	}
	return nil
}

func choose(names string) ([]benchCase, error) {
	var chosen []benchCase
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(cases, func(c benchCase) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown case %q: use %s", name, strings.Join(caseNames(), ", "))
		}
		chosen = append(chosen, cases[i])
	}
	return chosen, nil
}

func caseNames() []string {
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
	}
	return names
}
