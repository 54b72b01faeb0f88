// Package lag is the command lag: what waits for consumer groups, once or drawn
// again and again.
package lag
