package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The programs that are compared.
const (
	peer     = "peer"
	notifier = "notifier"
)

// program is a process of the peer or the notifier.
type program struct {
	process *exec.Cmd
	started time.Time
	log     *os.File
	metrics string // the notifier's socket
}

const rules = `version: 1
rules:
  - name: rejected
    topic: trade-executions
    when: event.status == "REJECTED" and event.quantity * event.price > 10000
    severity: warning
    key: [event.order_id]
    to: [hook]
    title: "Rejected {{ event.symbol }} {{ event.order_id }}"
`

// start starts a program as a static member of a group, which reads from start
// ("earliest" or "latest") when it is new. channel has more settings of the
// notifier's channel.
func (l *lab) start(ctx context.Context, name, group, start, channel string) (*program, error) {
	p := &program{}
	var cmd *exec.Cmd
	if name == peer {
		cmd = exec.Command(l.python, filepath.Join(yardstickDir, "peer", "main.py"))
		cmd.Env = append(os.Environ(), "BROKERS="+strings.Join(l.node.addrs, ","), "TOPIC="+topic, "DLQ="+peerDLQ, "HOOK="+l.sink.url,
			"GROUP="+group, "INSTANCE_ID="+group, "START="+start)
	} else {
		p.metrics = filepath.Join(l.dir, "http.sock")
		config := filepath.Join(l.dir, group+".yaml")
		text := fmt.Sprintf(`kafka: { brokers: [%s], group: %s, instance_id: %s, start: %s }
rules: rules.yaml
channels:
  hook: { webhook: { url: %q }, concurrency: 64, %s }
http: { listen: "unix:%s" }
`, strings.Join(l.node.addrs, ", "), group, group, start, l.sink.url, channel, p.metrics)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return nil, err
		}
		if _, err := command(ctx, l.notifier, "topics", "create", "-c", config); err != nil {
			return nil, err
		}
		cmd = exec.Command(l.notifier, "run", "-c", config)
	}
	var err error
	if p.log, err = os.OpenFile(filepath.Join(l.dir, group+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.process, p.started = cmd, time.Now()
	if err := cmd.Start(); err != nil {
		_ = p.log.Close()
		return nil, err
	}
	return p, nil
}

// end sends a signal and waits; after half a minute it kills.
func (p *program) end(s os.Signal) {
	_ = p.process.Process.Signal(s)
	kill := time.AfterFunc(30*time.Second, func() { _ = p.process.Process.Kill() })
	_ = p.process.Wait()
	kill.Stop()
	_ = p.log.Close()
}

// usage is what a process has used since its start.
type usage struct {
	cpu       time.Duration
	rss, peak float64 // MiB
	allocs    float64 // objects; the notifier's only
}

func (p *program) usage() (u usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", p.process.Process.Pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, err
	}
	_, after, _ := bytes.Cut(stat, []byte(") ")) // 42 (python3) R 1 …, proc_pid_stat(5)
	fields := strings.Fields(string(after))
	for _, f := range fields[11:13] { // utime and stime, in 1/100 s
		ticks, err := strconv.Atoi(f)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return u, err
	}
	for name, of := range map[string]*float64{"VmRSS:": &u.rss, "VmHWM:": &u.peak} {
		kilobytes, err := number(status, name)
		if err != nil {
			return u, err
		}
		*of = kilobytes / 1024
	}
	if p.metrics != "" {
		u.allocs, err = p.allocs()
	}
	return u, err
}

// allocs returns how many objects the notifier has allocated.
func (p *program) allocs() (float64, error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", p.metrics)
		},
	}}
	resp, err := client.Get("http://localhost/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		return 0, err
	}
	return number(b.Bytes(), "go_memstats_mallocs_total")
}

// number returns the number behind a name at the beginning of a line.
func number(text []byte, name string) (float64, error) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == name {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, fmt.Errorf("there is no %s", name)
}
