package schema

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/event"
)

// The largest decimals that are read: far more digits than money has, and few enough
// that a text is made of them in no time.
const maxDecimalSize, maxDecimalScale = 256, 1000 // bytes, digits

// decimal returns a decimal of Avro or Confluent as exact text, such as 0.10: unscaled is
// a big-endian two's complement.
func (r *reader) decimal(unscaled []byte, scale int) (event.Value, error) {
	if len(unscaled) > maxDecimalSize || scale > maxDecimalScale || scale < -maxDecimalScale {
		return event.Value{}, mismatch("a decimal of %d bytes with scale %d is too large", len(unscaled), scale)
	}
	n := new(big.Int).SetBytes(unscaled)
	if len(unscaled) > 0 && unscaled[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(unscaled)))) //nolint:gosec // at most maxDecimalSize
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	digits := n.Abs(n).String()
	if scale < 0 && n.Sign() != 0 {
		digits += strings.Repeat("0", -scale)
	}
	if scale > 0 {
		if missing := scale + 1 - len(digits); missing > 0 {
			digits = strings.Repeat("0", missing) + digits
		}
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if err := r.quota.TakeBytes("decimals as text", len(digits)); err != nil {
		return event.Value{}, err
	}
	return event.StringValue(sign + digits), nil
}

// moment returns a time as text in a layout; n as a number if it is not in the years 1 to
// 9999, which have four digits.
func moment(t time.Time, layout string, n int64) event.Value {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return integer(n)
	}
	return event.StringValue(t.Format(layout))
}

const (
	withZone    = time.RFC3339Nano
	withoutZone = "2006-01-02T15:04:05.999999999"
)

// timeOfDay returns a time since midnight as text; n as a number if it is none.
func timeOfDay(since time.Duration, n int64) event.Value {
	if since < 0 || since >= 24*time.Hour {
		return integer(n)
	}
	return event.StringValue(time.Time{}.Add(since).Format("15:04:05.999999999"))
}

// uuid returns 16 bytes in the form of RFC 9562.
func uuid(b []byte) event.Value {
	s := hex.EncodeToString(b)
	return event.StringValue(s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:])
}

// period returns a time span of Avro in the form of ISO 8601.
func period(months, days, millis uint32) event.Value {
	return event.StringValue(fmt.Sprintf("P%dM%dDT%d.%03dS", months, days, millis/1000, millis%1000))
}
