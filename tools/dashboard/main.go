// Command dashboard writes Grafana's dashboard of notifier, with the types of
// Grafana's own SDK, to standard output. It is a module of its own, so that
// nothing of it comes near the daemon.
//
// The thresholds that colour a number are read from the alerting rules, so they
// are in one place. Start reading at build.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// rules is the file with the thresholds, seen from this directory.
const rules = "../../configs/prometheus/notifier.rules.yaml"

func main() {
	text, err := generate()
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

// generate returns the dashboard as JSON.
func generate() ([]byte, error) {
	text, err := os.ReadFile(rules)
	if err != nil {
		return nil, err
	}
	d, err := build(limitsOf(text)).Build()
	if err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(d, "", "  ")
	return append(out, '\n'), err
}

// limits are the thresholds of the rules by their names.
type limits map[string]float64

var limitRule = regexp.MustCompile(`record: "notifier:limit:([a-z_]+)", expr: vector\(([0-9.]+)\)`)

func limitsOf(rules []byte) limits {
	l := make(limits)
	for _, m := range limitRule.FindAllSubmatch(rules, -1) {
		l[string(m[1])], _ = strconv.ParseFloat(string(m[2]), 64)
	}
	return l
}

// of returns a threshold. One that is not there is a mistake of ours.
func (l limits) of(name string) float64 {
	v, ok := l[name]
	if !ok {
		panic("the rules have no notifier:limit:" + name)
	}
	return v
}
