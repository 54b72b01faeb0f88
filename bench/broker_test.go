package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/algotrade/notifier/internal/devbroker"
)

// What the test program is instead, so that what a benchmark measures of its process is
// the daemon alone: a broker with its data in a directory, which prints its address, or a
// load on a broker. Both end with their standard input.
const (
	brokerDir = "BENCH_BROKER_DIR"
	loadOf    = "BENCH_LOAD" // the broker's address and how many events a second
)

// realKafka is the address of an empty Kafka to use instead: the embedded broker answers
// fetches sooner, which costs an idle daemon five times as much.
const realKafka = "BENCH_KAFKA"

func TestMain(m *testing.M) {
	run := func() error { os.Exit(m.Run()); return nil }
	if dir := os.Getenv(brokerDir); dir != "" {
		run = func() error { return serveBroker(dir) }
	} else if of := os.Getenv(loadOf); of != "" {
		run = func() error { return produceLoad(of) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
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

// startBroker starts a broker in a process of its own, until the benchmark ends, unless
// there is a real one.
func startBroker(b *testing.B) (addr string) {
	b.Helper()
	if addr := os.Getenv(realKafka); addr != "" {
		return addr
	}
	out, _ := startChild(b, brokerDir+"="+b.TempDir())
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("the broker did not start: %v", err)
	}
	return strings.TrimSpace(addr)
}

// startChild starts this program with a variable, until stop is called or the benchmark
// ends.
func startChild(b *testing.B, variable string) (out io.Reader, stop func()) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), variable), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("%s: %v", variable, err)
		}
	})
	b.Cleanup(stop)
	return out, stop
}
