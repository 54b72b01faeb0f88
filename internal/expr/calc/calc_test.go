package calc

import (
	"testing"

	"github.com/algotrade/notifier/internal/event"
)

func TestNumbersAreReadAsTradingSystemsWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"12000.50": "12,000.50", "12,000.50": "12,000.50", "(12000.50)": "-12,000.50", " -10000.01000000 USDT ": "-10,000.01000000 USDT", "+5": "5.00", "1e3": "1,000.00",
		"0,125": "", "1.2.3": "", "inf": "", "0x10": "", "1_000": "", "5 usd": "", "1.7976931348623157e308": "", "": "",
	} {
		got, ok := Money(event.StringValue(text))
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestWholeNumbersAreComparedExactly(t *testing.T) {
	a, b := event.StringValue("9007199254740993 USDT"), event.LiteralValue("9007199254740992", 9007199254740992)
	m := &Meter{}
	if sign, ok := m.Order(&a, &b); sign != 1 || !ok {
		t.Errorf("sign %d, ok %v", sign, ok)
	}
	if m.Equal(&a, &b) {
		t.Error("equal beyond 2^53")
	}
}

func TestAmountsInTwoCurrenciesHaveNoOrder(t *testing.T) {
	a, b := event.StringValue("5 USD"), event.StringValue("6 EUR")
	if _, ok := (&Meter{}).Order(&a, &b); ok {
		t.Error("5 USD and 6 EUR have an order")
	}
}

func TestMeterPanicsOnlyBeyondItsLimit(t *testing.T) {
	exceeds := func(m Meter, steps int) (exceeded bool) {
		defer func() { exceeded = recover() == any(OverBudget{}) }()
		m.Spend(steps)
		return false
	}
	for _, c := range []struct {
		limit, steps int
		want         bool
	}{{10, 10, false}, {10, 11, true}, {0, 1 << 40, false}} {
		if got := exceeds(Meter{Limit: c.limit}, c.steps); got != c.want {
			t.Errorf("%d steps of %d: panics %v, want %v", c.steps, c.limit, got, c.want)
		}
	}
}
