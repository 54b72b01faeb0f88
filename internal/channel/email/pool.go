package email

import (
	"context"
	"sync"
	"time"
)

const (
	// keepIdle is how long a session waits for its next mail. Servers hang up
	// after 5 min at the earliest (RFC 5321, 4.5.3.2.7), some much sooner.
	keepIdle = 30 * time.Second
	// maxMails is how many mails one session carries: many servers set a limit
	// of 100.
	maxMails = 50
)

// pool keeps sessions between mails and bounds how many there are.
type pool struct {
	slots chan struct{} // as many as connections: an element per session in use

	mu     sync.Mutex
	idle   []*session // the one used last at the end
	closed bool
}

// acquire waits for the right to use a session.
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

// take returns the idle session that was used last, or nil.
func (p *pool) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		s := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if s.idle.Stop() {
			return s
		} // else its timer is about to end it
	}
	return nil
}

// put keeps s for the next mail, or ends it if it is not fit for one.
func (p *pool) put(s *session) {
	if s.broken {
		s.close()
		return
	}
	p.mu.Lock()
	keep := !p.closed && s.mails < maxMails
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
	for i, other := range p.idle {
		if other == s {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	s.quit()
}

// close ends the idle sessions; those in use end when they are put back.
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
