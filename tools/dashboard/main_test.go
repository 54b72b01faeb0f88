package main

import (
	"bytes"
	"os"
	"testing"
)

func TestDashboardIsUpToDate(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../configs/grafana/dashboards/notifier.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("configs/grafana/dashboards/notifier.json is not what this module writes: run 'make dashboard'")
	}
}
