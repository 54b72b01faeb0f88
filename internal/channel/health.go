package channel

// What a channel is doing, in metrics, /readyz and commands.
const (
	Healthy     = "healthy"      // it works
	Waiting     = "waiting"      // its provider, or the server of a recipient, asked for later attempts
	Recovering  = "recovering"   // tried with single deliveries after a failure
	CircuitOpen = "circuit_open" // its provider fails; deliveries wait
	Suspended   = "suspended"    // its provider refuses us, an operator must act; deliveries wait
)

// Health are the values above.
func Health() []string { return []string{Healthy, Waiting, Recovering, CircuitOpen, Suspended} }
