// Package doctor is the command doctor: every check that can be made from here,
// and what to do.
package doctor
