package silence_test

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // before anything looks at the clock
	os.Exit(m.Run())
}
