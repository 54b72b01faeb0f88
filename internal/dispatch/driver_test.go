package dispatch

import (
	"sync"
	"testing"
	"testing/synctest"
)

// TestGoroutinesAreUsedAgain: work beyond the idle ones starts at once, and none is
// left behind Wait.
func TestGoroutinesAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Goroutines
		var begun, ended sync.WaitGroup
		var release chan struct{}
		start := func(n int) {
			release = make(chan struct{})
			until := release
			begun.Add(n)
			ended.Add(n)
			for range n {
				g.Go(Work{Do: func() { begun.Done(); <-until; ended.Done() }})
			}
			begun.Wait()
		}
		for _, n := range []int{1, 2 * maxIdle, maxIdle, 3} {
			start(n)
			close(release)
			ended.Wait()
			synctest.Wait()
			if idle := int(g.idle.Load()); idle > maxIdle || n > maxIdle && idle != maxIdle {
				t.Errorf("%d goroutines are idle after %d at once", idle, n)
			}
		}
		start(2)
		waited := make(chan struct{})
		go func() { g.Wait(); close(waited) }()
		synctest.Wait()
		select {
		case <-waited:
			t.Error("work was not waited for")
		default:
		}
		close(release)
		<-waited
	})
}
