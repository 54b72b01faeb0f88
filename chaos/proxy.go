package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// proxy is a toxiproxy in this process: what is behind it can be cut off,
// slowed down, and swallowed.
type proxy struct {
	name, addr string
	behind     string
	toxi       *toxiproxy.Proxy
}

var toxics = func() *toxiproxy.ApiServer {
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics write to the global logger
	return toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
}()

// newProxy returns a proxy that listens on a port of its own and leads nowhere
// until to is called.
func newProxy(name string) (*proxy, error) {
	p := &proxy{name: name, toxi: toxiproxy.NewProxy(toxics, name, "127.0.0.1:0", "127.0.0.1:1")}
	if err := p.toxi.Start(); err != nil {
		return nil, fmt.Errorf("proxy for %s: %w", name, err)
	}
	p.addr = p.toxi.Listen
	return p, nil
}

// to leads the proxy to an address.
func (p *proxy) to(address string) error {
	p.behind = address
	return p.restore()
}

// cut ends every connection and refuses new ones.
func (p *proxy) cut() { p.toxi.Stop() }

// restore takes connections again.
func (p *proxy) restore() error {
	p.toxi.Stop()
	// A proxy that was stopped keeps its list of closed connections: a new one
	// takes over its address.
	p.toxi = toxiproxy.NewProxy(toxics, p.name, p.addr, p.behind)
	if err := p.toxi.Start(); err != nil {
		return fmt.Errorf("proxy for %s: %w", p.name, err)
	}
	return nil
}

// downstream is from the server to its client, upstream to the server.
const (
	downstream = "downstream"
	upstream   = "upstream"
)

// add makes one direction toxic: latency, bandwidth, timeout, limit_data,
// reset_peer, with toxiproxy's own attributes. toxicity is the part of the
// connections that is concerned, up to 1.
func (p *proxy) add(kind, stream string, toxicity float64, attributes map[string]int) error {
	doc, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes})
	if err != nil {
		return err
	}
	_, err = p.toxi.Toxics.AddToxicJson(bytes.NewReader(doc))
	return err
}

// reset removes every toxic.
func (p *proxy) reset(ctx context.Context) { p.toxi.Toxics.ResetToxics(ctx) }
