package offsets

import "testing"

func TestCrashMarkReadsBack(t *testing.T) {
	for _, k := range []CrashMark{
		Unmarked,
		Owned,
		{Owned: true, First: 0, Last: 0},
		{Owned: true, First: 17, Last: 1041},
		{Owned: true, First: 5, Last: 5, Deaths: 1},
		{Owned: true, First: 5, Last: 5, Alone: true},
		{Owned: true, First: 1 << 40, Last: 1 << 40, Alone: true, Deaths: 7},
	} {
		text := Metadata{Cluster: "c", TopicID: "t", Gaps: NoGaps, Crash: k}.Encode(0)
		if got, err := DecodeMetadata(text, 0); err != nil || got.Cluster != "c" || got.TopicID != "t" || got.Crash != k {
			t.Errorf("%q reads back as %+v, want %+v, %v", text, got, k, err)
		}
	}
}

func TestDamagedCrashMarkIsRefused(t *testing.T) {
	for _, text := range []string{"", "x", "+x", "+5", "+5-", "+5-7", "+-5-7?0", "+7-5?0", "+5-5!", "+5-5!-1", "+5-5!1x", "+5-6!0", "+5-5 0", "+99999999999999999999-1?0"} {
		if got, err := DecodeMetadata("notifier/2 c t - - "+text, 0); err == nil {
			t.Errorf("%q counts as %+v", text, got.Crash)
		}
	}
}
