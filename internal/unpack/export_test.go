package unpack

import "time"

// NewForTest returns a Decompressor with an account of its own.
func NewForTest(l Limits) *Decompressor { return newDecompressor(l, new(account)) }

// Bytes is what is in the Decompressor's account.
func (d *Decompressor) Bytes() int64 {
	d.account.mu.Lock()
	defer d.account.mu.Unlock()
	d.account.look()
	return d.account.used
}

// CollectAgain lets the account ask for a collection at once.
func (d *Decompressor) CollectAgain() { d.account.collected = time.Time{} }
