package unpack

import "time"

// NewForTest returns a Decompressor with its own account.
func NewForTest(l Limits) *Decompressor { return newDecompressor(l, new(account)) }

// Bytes returns the used bytes of the account.
func (d *Decompressor) Bytes() int64 {
	d.account.mu.Lock()
	defer d.account.mu.Unlock()
	d.account.sweep()
	return d.account.used
}

// CollectAgain allows the account to start a collection at once.
func (d *Decompressor) CollectAgain() { d.account.collected = time.Time{} }
