package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// diskRows fill the brokers' disks.
func diskRows() []*row {
	return []*row{
		{
			name: "disk-full", what: "one broker's disk is full until it dies; then there is room and it starts again", static: true, replays: true,
			during: func(ctx context.Context, s *scene) error { return s.fill(ctx, 2) },
		},
		{
			name: "disk-full-all", what: "the same of all three brokers at once", static: true,
			during: func(ctx context.Context, s *scene) error { return s.fill(ctx, 0, 1, 2) },
		},
	}
}

// fill fills the disks of some nodes, waits until they are dead, makes room
// and starts them again.
func (s *scene) fill(ctx context.Context, which ...int) error {
	c := s.cluster
	for _, i := range which {
		if err := c.confine(ctx, i); err != nil {
			return err
		}
	}
	if err := c.whole(ctx); err != nil {
		return err
	}
	if err := s.delivered(ctx, 100); err != nil {
		return err
	}
	pids := make(map[int]int)
	for _, i := range which {
		var err error
		if pids[i], err = c.pid(i); err != nil {
			return err
		}
		if err := fillDisk(c.filler(i)); err != nil {
			return err
		}
	}
	died := time.Now()
	for _, i := range which {
		// A log that has its room already continues without more; so it may take a
		// while.
		err := until(ctx, 90*time.Second, fmt.Sprintf("node %d has died of its full disk", i+1), func(context.Context) bool {
			_ = fillDisk(c.filler(i))
			return !alive(pids[i])
		})
		if err != nil {
			s.note("%v: it lives on with a full disk", err)
		}
	}
	s.note("dead of a full disk after %.0f s", time.Since(died).Seconds())
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	for _, i := range which {
		if err := os.Remove(c.filler(i)); err != nil {
			return err
		}
		if alive(pids[i]) {
			if err := c.killNode(ctx, i); err != nil {
				return err
			}
		}
	}
	for _, i := range which {
		if err := c.startNode(ctx, i); err != nil {
			return err
		}
	}
	return c.whole(ctx)
}

func (c *cluster) filler(i int) string { return filepath.Join(c.node(i), "data", "filler") }

// room is what a confined node has left on its disk.
const room = 32 << 20

// confine moves a node's data to a small file system in memory.
func (c *cluster) confine(ctx context.Context, i int) error {
	data := filepath.Join(c.node(i), "data")
	for _, m := range c.mounts {
		if m == data {
			return nil
		}
	}
	if err := c.stopNode(ctx, i); err != nil {
		return err
	}
	var used int64
	err := filepath.WalkDir(data, func(_ string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := e.Info(); err == nil && e.Type().IsRegular() {
			used += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	if err != nil {
		return err
	}
	aside := data + ".aside"
	if err := os.Rename(data, aside); err != nil {
		return err
	}
	if err := os.Mkdir(data, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, fmt.Sprintf("size=%d", used+room)); err != nil {
		return fmt.Errorf("mount a small file system (it takes root): %w", err)
	}
	c.mounts = append(c.mounts, data)
	// Index files are allocated ahead and empty for the most part: cp keeps the
	// holes.
	if out, err := exec.CommandContext(ctx, "cp", "-a", "--sparse=always", aside+"/.", data).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the data of node %d: %w: %s", i+1, err, out)
	}
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	return c.startNode(ctx, i)
}

// fillDisk writes to a file until there is no room.
func fillDisk(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return nil
		}
		return err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); err != nil {
			if errors.Is(err, syscall.ENOSPC) || errors.Is(err, io.ErrShortWrite) {
				return nil
			}
			return err
		}
	}
}
