// Command notices writes the licences of everything that is in the program to
// standard output, as their authors ask of those who hand on a binary: of each
// module and of Go itself, from the module cache. With -sbom FILE it reads a
// bill of materials (CycloneDX, JSON) instead, and writes it with the licences
// of every component.
//
//	go -C tools/notices run . >THIRD_PARTY_NOTICES
//	go -C tools/notices run . -sbom notifier.cdx.json
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", "../..", "the repository")
	bill := flag.String("sbom", "", "a bill of materials to write with licences")
	flag.Parse()
	if err := run(*root, *bill); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(root, bill string) error {
	modules, err := linked(root)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	if bill == "" {
		write(out, modules)
		return out.Flush()
	}
	data, err := os.ReadFile(bill)
	if err != nil {
		return err
	}
	if data, err = license(data, modules); err != nil {
		return fmt.Errorf("%s: %w", bill, err)
	}
	_, _ = out.Write(data)
	return out.Flush()
}
