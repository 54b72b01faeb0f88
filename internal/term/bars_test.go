package term

import "testing"

func TestBarsAreRelativeToTheMost(t *testing.T) {
	for _, c := range []struct {
		values []int64
		most   int64
		want   string
	}{
		{[]int64{-1, 0, 1, 50, 99, 100}, 100, " ▁▁▄▇█"},
		{[]int64{0, 0}, 0, "▁▁"},
		{nil, 5, ""},
	} {
		if got := Bars(c.values, c.most); got != c.want {
			t.Errorf("%v of %d: %q, want %q", c.values, c.most, got, c.want)
		}
	}
}
