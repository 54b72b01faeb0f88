package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// The colours can be read on white and on black.
const (
	ink   = "#767676"
	good  = "#2f9e58"
	bad   = "#d9730d"
	style = `font-family="system-ui,sans-serif" font-size="13" fill="` + ink + `"`
)

// chart returns a drawing of the ratios: a bar each, on a logarithmic scale,
// to the right of 1 where the notifier is better than the peer.
func (r *result) chart() string {
	const (
		width, top, step   = 800, 64, 24
		begin, end, labels = 230, 540, 590 // of the bars; where the values stand
	)
	var rows []*figure
	low, high := 0.0, 1.0 // powers of two
	for _, f := range r.Figures {
		if v := f.ratio(); v > 0 {
			rows = append(rows, f)
			low, high = math.Min(low, math.Floor(math.Log2(v))), math.Max(high, math.Ceil(math.Log2(v)))
		}
	}
	x := func(ratio float64) float64 { return begin + (math.Log2(ratio)-low)/(high-low)*(end-begin) }
	bottom := top + step*len(rows)
	var b strings.Builder
	text := func(x float64, y int, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" %s>`+"\n", width, bottom+56, style)
	fmt.Fprintln(&b, "<title>The notifier beside a Python script on the same work</title>")
	text(begin, 20, "start", "How many times better than a Python script (aiokafka) on the same work")
	text(labels, 44, "start", "notifier / script")
	for p := low; p <= high; p++ {
		v := math.Exp2(p)
		opacity := 0.25
		if p == 0 {
			opacity = 1
		}
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="%s" stroke-opacity="%g"/>`+"\n", x(v), top-8, bottom, ink, opacity)
		text(x(v), 44, "middle", fmt.Sprintf("%g", v))
	}
	before := ""
	for i, f := range rows {
		y := top + step*i
		if f.Case != before {
			text(8, y+13, "start", f.Case)
			before = f.Case
		}
		text(begin-12, y+13, "end", f.Name)
		ratio, colour := f.ratio(), good
		if ratio < 1 {
			colour = bad
		}
		left, right := math.Min(x(1), x(ratio)), math.Max(x(1), x(ratio))
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="16" rx="2" fill="%s"/>`+"\n", left, y, math.Max(right-left, 1), colour)
		text(right+6, y+13, "start", fmt.Sprintf("%.2f", ratio))
		text(labels, y+13, "start", readable(f.Notifier)+" / "+readable(f.Peer))
	}
	text(8, bottom+24, "start", fmt.Sprintf("Medians of %s; Kafka %s, load, receiver and program share %s.", plural(r.Runs, "run"), r.cluster(), r.Machine))
	text(8, bottom+44, "start", fmt.Sprintf("Commit %s, %s. Logarithmic scale.", r.Commit, r.Date.Format(time.DateOnly)))
	b.WriteString("</svg>\n")
	return b.String()
}
