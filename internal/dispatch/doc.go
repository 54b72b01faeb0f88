// Package dispatch takes deliveries from outbox topics and
// brings each to its channel, in order per lane, paced, with retries and
// behind a circuit breaker, until it is delivered, suppressed by policy or a
// dead letter. Start reading at Dispatcher.
package dispatch
