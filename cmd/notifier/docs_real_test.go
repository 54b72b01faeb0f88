//go:build real

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandsForOtherClientsWork runs the blocks that need kcat, which
// scripts/test-real.sh installs.
func TestCommandsForOtherClientsWork(t *testing.T) { runBlocks(t, "sh real", 1) }

// TestThePythonInTheReadmeWorks runs it with the client that it names, in an
// environment of its own.
func TestThePythonInTheReadmeWorks(t *testing.T) {
	dev := spawnDev(t)
	env := filepath.Join(t.TempDir(), "venv")
	for _, args := range [][]string{{"python3", "-m", "venv", env}, {env + "/bin/pip", "install", "--quiet", "kafka-python"}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	for _, b := range blocks(t) {
		if b.info != "python" {
			continue
		}
		cmd := exec.Command(env+"/bin/python", "-c", strings.ReplaceAll(b.text, "127.0.0.1:9092", dev.kafka))
		cmd.Env = os.Environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	t.Error("there is no Python in the README")
}
