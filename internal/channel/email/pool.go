package email

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// keepIdle is how long an idle session is kept. Servers should keep it for
	// 5 min (RFC 5321, 4.5.3.2.7), some close it much sooner.
	keepIdle = 30 * time.Second
	// maxMails is the number of mails per session; many servers allow 100.
	maxMails = 50
)

// pool keeps idle sessions and bounds the number of sessions in use.
type pool struct {
	slots chan struct{} // one element per session in use

	mu     sync.Mutex
	idle   []*session // most recently used last
	closed bool
}

// acquire waits for a slot.
func (p *pool) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) release() { <-p.slots }

// take returns the most recently used idle session, or nil.
func (p *pool) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		s := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if s.idle.Stop() {
			return s
		} // else it is expiring
	}
	return nil
}

// put keeps s for the next mail, or closes it if it is not reusable.
func (p *pool) put(s *session) {
	if s.broken {
		s.close()
		return
	}
	p.mu.Lock()
	keep := !p.closed && !s.last && s.mails < maxMails
	if keep {
		s.idle = time.AfterFunc(keepIdle, func() { p.expire(s) })
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	if !keep {
		s.quit()
	}
}

func (p *pool) expire(s *session) {
	p.mu.Lock()
	p.idle = slices.DeleteFunc(p.idle, func(other *session) bool { return other == s })
	p.mu.Unlock()
	s.quit()
}

// close closes the idle sessions; those in use are closed by put.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, s := range idle {
		if s.idle.Stop() {
			s.quit()
		}
	}
}
