// Package throttle decides which alerts of a channel are counted instead of sent: it
// remembers, per rule and alert key, what was told last and which episode is open, and
// reads and writes that as records of the state topic. It does not decide when something
// is sent, saved or settled, and knows neither lanes nor clocks: package dispatch asks it
// in the order of a lane, and tells it what became of each alert.
package throttle
