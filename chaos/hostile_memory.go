package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// memory holds a process to a limit. The kernel keeps the highest resident
// memory of a process itself (VmHWM, proc_pid_status(5)), so a peak between two
// looks is seen too. Above the limit the process is killed, as a container with
// this limit would be.
type memory struct {
	limit int64 // bytes

	mu     sync.Mutex
	peak   int64
	beyond time.Time // when it was seen above the limit; zero: never
}

// watch looks twenty times a second until ctx ends or the process is gone.
func (m *memory) watch(ctx context.Context, d *daemon) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.gone:
			return
		case <-tick.C:
		}
		peak, err := highWater(d.process.Process.Pid)
		if err != nil {
			continue // it ends just now
		}
		m.mu.Lock()
		m.peak = max(m.peak, peak)
		breach := m.peak > m.limit && m.beyond.IsZero()
		if breach {
			m.beyond = time.Now()
		}
		m.mu.Unlock()
		if breach {
			d.kill()
			return
		}
	}
}

// seen returns the peak, and when the limit was passed.
func (m *memory) seen() (peak int64, beyond time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak, m.beyond
}

// highWater returns the highest resident memory of a process, in bytes.
func highWater(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("process %d shows no VmHWM", pid)
}
