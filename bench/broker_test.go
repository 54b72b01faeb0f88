package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/devbroker"
)

// brokerDir has the test program be a broker with its data there: it prints its address
// and ends with its standard input. So what a benchmark measures of its process is the
// daemon alone.
const brokerDir = "BENCH_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(brokerDir); dir != "" {
		if err := serveBroker(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveBroker(dir string) error {
	br, err := devbroker.Start(context.Background(), devbroker.Config{Addr: "127.0.0.1:0", DataDir: dir})
	if err != nil {
		return err
	}
	fmt.Println(br.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return br.Close()
}

// startBroker starts a broker in a process of its own, until the benchmark ends.
func startBroker(b *testing.B) (addr string) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), brokerDir+"="+b.TempDir()), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("the broker: %v", err)
		}
	})
	if addr, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Fatalf("the broker did not start: %v", err)
	}
	return strings.TrimSpace(addr)
}
