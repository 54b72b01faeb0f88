package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// daemon is a notifier in a process of its own.
type daemon struct {
	name    string
	process *exec.Cmd
	started time.Time
	gone    chan struct{} // closed when it has ended; err says how
	err     error

	log *os.File

	mu      sync.Mutex
	line    []byte
	http    string
	running chan struct{} // closed once it says so
	hears   func(line logLine)
}

// logLine is what we look for in its log.
type logLine struct {
	Level, Msg, HTTP, Err string
	text                  string
}

// launch starts a daemon on the files in dir, as the supervisor would. With an
// instance its membership is static; env is added to our own environment. It is
// killed when we are.
func launch(binary, dir, name, instance string, hears func(logLine), env ...string) (*daemon, error) {
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	d := &daemon{name: name, log: log, gone: make(chan struct{}), running: make(chan struct{}), hears: hears}
	d.process = exec.Command(binary, "run", "--config", filepath.Join(dir, "notifier.yaml"), "--wait", "60s")
	d.process.Env = append(append(os.Environ(), "KAFKA_GROUP_INSTANCE_ID="+instance), env...)
	d.process.Stderr = d
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.started = time.Now()
	if err := d.process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	go func() {
		d.err = d.process.Wait()
		_ = log.Close()
		close(d.gone)
	}()
	return d, nil
}

// Write implements io.Writer: it is the daemon's log.
func (d *daemon) Write(p []byte) (int, error) {
	_, _ = d.log.Write(p)
	d.mu.Lock()
	d.line = append(d.line, p...)
	var lines []logLine
	for {
		text, rest, ok := bytes.Cut(d.line, []byte("\n"))
		if !ok {
			break
		}
		l := logLine{text: string(text)}
		if json.Unmarshal(text, &l) != nil {
			l.Level, l.Msg = "ERROR", "not a line of its log: a panic?"
		}
		if l.Msg == "running" && d.http == "" {
			d.http = "http://" + l.HTTP
			close(d.running)
		}
		lines = append(lines, l)
		d.line = rest
	}
	d.mu.Unlock()
	for _, l := range lines {
		d.hears(l)
	}
	return len(p), nil
}

// ready waits until it answers that it is.
func (d *daemon) ready(ctx context.Context) error {
	err := until(ctx, 2*time.Minute, d.name+" is ready", func(ctx context.Context) bool {
		select {
		case <-d.gone:
			return true
		case <-d.running:
		default:
			return false
		}
		status, _ := d.get(ctx, "/readyz")
		return status == http.StatusOK
	})
	select {
	case <-d.gone:
		return fmt.Errorf("%s ended before it was ready: %w", d.name, d.err)
	default:
		return err
	}
}

func (d *daemon) get(ctx context.Context, path string) (status int, body string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.http+path, http.NoBody)
	if err != nil {
		return 0, ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

func (d *daemon) signal(s os.Signal) error { return d.process.Process.Signal(s) }

// kill ends it at once and waits until it is gone.
func (d *daemon) kill() {
	_ = d.signal(syscall.SIGKILL)
	<-d.gone
}

// stop asks it to stop and waits. It has to end well, in the time that its
// unit gives it.
func (d *daemon) stop() error {
	if err := d.signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-d.gone:
		if d.err != nil {
			return fmt.Errorf("%s stopped with %w", d.name, d.err)
		}
		return nil
	case <-time.After(45 * time.Second):
		d.kill()
		return fmt.Errorf("%s did not stop within 45 s", d.name)
	}
}
