//go:build real

package devbroker

import (
	"os/exec"
	"strings"
	"testing"
)

func TestKcatProducesAndConsumes(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Fatal("kcat is not installed: run make test-real, which installs it")
	}
	b := start(t, "")
	create(t, b, Topic{Name: "trades", Partitions: 3})
	run := func(stdin string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), kcat, append([]string{"-q", "-b", b.Addr(), "-t", "trades"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("kcat %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	run("k:first\n", "-P", "-K:", "-X", "partitioner=murmur2_random")
	if got := run("", "-C", "-e", "-o", "beginning"); got != "first\n" {
		t.Errorf("kcat reads %q", got)
	}
}
