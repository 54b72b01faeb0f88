package main

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// drawing is an SVG in the colours of all charts.
type drawing struct{ strings.Builder }

func newDrawing(width, height int, title string) *drawing {
	d := &drawing{}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" %s>`+"\n", width, height, style)
	fmt.Fprintf(d, "<title>%s</title>\n", html.EscapeString(title))
	return d
}

func (d *drawing) text(x, y float64, anchor, s string) {
	fmt.Fprintf(d, `<text x="%.0f" y="%.0f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
}

func (d *drawing) line(path string, opacity float64) {
	fmt.Fprintf(d, `<path d="%s" fill="none" stroke="%s" stroke-opacity="%g"/>`+"\n", path, ink, opacity)
}

func (d *drawing) end() string {
	d.WriteString("</svg>\n")
	return d.String()
}

// tick returns a number of a scale: 0.1, 10 or 1,000.
func tick(v float64) string {
	if v >= 1000 {
		return readable([]float64{v})
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// palette has a colour for each series; all can be read on white and on black.
var palette = []string{good, bad, "#3b82c4", "#a855b5"}

// lines draws the series over numbers, both axes logarithmic.
func (c *costChart) lines(title, unit string) string {
	const left, right, top, bottom = 70.0, 600.0, 50.0, 330.0
	d := newDrawing(800, 380, title)
	lowX, highX, lowY, highY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range c.series {
		for _, p := range s.points {
			lowX, highX = math.Min(lowX, p.x), math.Max(highX, p.x)
			lowY, highY = math.Min(lowY, p.microseconds), math.Max(highY, p.microseconds)
		}
	}
	lowY, highY = math.Pow(10, math.Floor(math.Log10(lowY))), math.Pow(10, math.Ceil(math.Log10(highY)))
	x := func(v float64) float64 {
		return left + (math.Log(v)-math.Log(lowX))/(math.Log(highX)-math.Log(lowX))*(right-left)
	}
	y := func(v float64) float64 {
		return bottom - (math.Log(v)-math.Log(lowY))/(math.Log(highY)-math.Log(lowY))*(bottom-top)
	}
	d.text(8, 20, "start", title+": µs of CPU time")
	for v := lowY; v <= highY*1.001; v *= 10 {
		d.line(fmt.Sprintf("M%.1f %.1fH%.1f", left, y(v), right), 0.25)
		d.text(left-8, y(v)+4, "end", tick(v))
	}
	for _, p := range c.series[0].points {
		d.line(fmt.Sprintf("M%.1f %.1fV%.1f", x(p.x), bottom, bottom+5), 1)
		d.text(x(p.x), bottom+20, "middle", tick(p.x))
	}
	d.text(right, bottom+40, "end", unit+", both scales logarithmic")
	used := make(map[int]bool) // places of labels, in steps of 16
	for i, s := range c.series {
		colour, path := palette[i%len(palette)], ""
		for j, p := range s.points {
			path += fmt.Sprintf("%c%.1f %.1f", "ML"[min(j, 1)], x(p.x), y(p.microseconds))
			fmt.Fprintf(d, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(p.x), y(p.microseconds), colour)
		}
		fmt.Fprintf(d, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path, colour)
		last := s.points[len(s.points)-1]
		place := int(y(last.microseconds)) / 16
		for used[place] {
			place++
		}
		used[place] = true
		fmt.Fprintf(d, `<text x="%.0f" y="%d" fill="%s">%s</text>`+"\n", right+10, place*16+12, colour, html.EscapeString(s.name+" "+readable([]float64{last.microseconds})))
	}
	return d.end()
}

// bars draws a bar for each point, on a logarithmic scale.
func (c *costChart) bars(title string) string {
	const begin, end, top, step = 320.0, 700.0, 64.0, 18.0
	rows, low, high := 0, math.Inf(1), 0.0
	for _, s := range c.series {
		rows += len(s.points)
		for _, p := range s.points {
			low, high = math.Min(low, p.microseconds), math.Max(high, p.microseconds)
		}
	}
	low, high = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)))
	x := func(v float64) float64 {
		return begin + (math.Log(v)-math.Log(low))/(math.Log(high)-math.Log(low))*(end-begin)
	}
	bottom := top + step*float64(rows+len(c.series))
	d := newDrawing(800, int(bottom)+10, title)
	d.text(8, 20, "start", title+": µs of CPU time, logarithmic scale")
	for v := low; v <= high*1.001; v *= 10 {
		d.line(fmt.Sprintf("M%.1f %.1fV%.1f", x(v), top-8, bottom), 0.25)
		d.text(x(v), top-14, "middle", tick(v))
	}
	y := top
	for i, s := range c.series {
		d.text(8, y+13, "start", s.name)
		y += step
		for _, p := range s.points {
			d.text(begin-8, y+13, "end", p.label)
			fmt.Fprintf(d, `<rect x="%.0f" y="%.0f" width="%.1f" height="13" rx="2" fill="%s"/>`+"\n", begin, y+2, x(p.microseconds)-begin, palette[(len(c.series)-1-i)%len(palette)])
			d.text(x(p.microseconds)+6, y+13, "start", readable([]float64{p.microseconds}))
			y += step
		}
	}
	return d.end()
}
