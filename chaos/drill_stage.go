package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// script runs one of the repository's scripts and returns what it prints. What
// it starts outlives it.
func script(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join("scripts", name), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// node is one node of Kafka.
type node struct{ dir, addr string }

func startNode(ctx context.Context, dir string) (*node, error) {
	addr, err := script(ctx, "kafka.sh", "start", dir)
	return &node{dir, addr}, err
}

func (n *node) stop(ctx context.Context) error {
	_, err := script(ctx, "kafka.sh", "stop", n.dir)
	return err
}

// again starts it with the data it has.
func (n *node) again(ctx context.Context) error {
	_, err := script(ctx, "kafka.sh", "node", n.dir)
	return err
}

// signal sends a signal to its process.
func (n *node) signal(s syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(n.dir, "pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, s)
}

func (n *node) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = n.stop(ctx)
}

// receiver takes webhooks, and answers as it is told to.
type receiver struct {
	url    string
	server *http.Server
	count  atomic.Int64
	mu     sync.Mutex
	status map[string]func(n int64) int // by channel; n counts the requests
}

func newReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String(), status: make(map[string]func(int64) int)}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(listener) }()
	return r, nil
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	answer := r.status[strings.TrimPrefix(req.URL.Path, "/")]
	r.mu.Unlock()
	if n := r.count.Add(1); answer != nil {
		w.WriteHeader(answer(n))
	}
}

// answer has a channel's requests answered so from now on; nil: as it should be.
func (r *receiver) answer(channel string, with func(n int64) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status[channel] = with
}

func always(status int) func(int64) int { return func(int64) int { return status } }
