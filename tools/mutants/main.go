// Program mutants breaks the product on purpose, one small change at a time,
// and checks that the test named for each change fails. The changes are listed
// in mutants.txt. The working tree stays as it is: each changed file is a copy
// that the go command reads through its -overlay flag.
//
// It fails when a change no longer applies, does not compile, or turns nothing
// red.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	root := flag.String("root", "../..", "the repository")
	part := flag.String("part", "", "run a part of the mutants only: 0/12 is every twelfth, from the first on")
	only := flag.String("only", "", "run the mutants only whose name contains this")
	limit := flag.Duration("limit", 4*time.Minute, "how long one mutant's command may take")
	verbose := flag.Bool("v", false, "show what each command printed")
	flag.Parse()
	if err := run(*root, *part, *only, *limit, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(root, part, only string, limit time.Duration, verbose bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	first, parts, err := parsePart(part)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "tools/mutants/mutants.txt"))
	if err != nil {
		return err
	}
	list, err := parse(string(text))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	began, ran, bad := time.Now(), 0, 0
	for i, m := range list {
		if parts > 1 && m.long || i%parts != first || !strings.Contains(m.name, only) {
			continue
		}
		ran++
		start := time.Now()
		result, output := m.try(root, dir, limit)
		if result != killed {
			bad++
		}
		fmt.Printf("%-14s %5.1f s  %s\n", result, time.Since(start).Seconds(), m.name)
		if verbose || result != killed {
			fmt.Print(indent(output))
		}
	}
	fmt.Printf("%d of %d mutants ran in %.0f s: %d killed, %d not\n", ran, len(list), time.Since(began).Seconds(), ran-bad, bad)
	if bad > 0 {
		return fmt.Errorf("%d mutants were not killed", bad)
	}
	return nil
}

// parsePart reads a part such as 3/12; "" is all.
func parsePart(part string) (first, parts int, err error) {
	if part == "" {
		return 0, 1, nil
	}
	of, all, _ := strings.Cut(part, "/")
	first, err = strconv.Atoi(of)
	if err == nil {
		parts, err = strconv.Atoi(all)
	}
	if err != nil || first < 0 || parts <= first {
		return 0, 0, fmt.Errorf("%q is not a part: write 0/12 to 11/12", part)
	}
	return first, parts, nil
}

// indent returns the last lines of a command's output, set off from the list.
func indent(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if output == "" {
		return ""
	}
	return "    " + strings.Join(lines[max(0, len(lines)-40):], "\n    ") + "\n"
}
