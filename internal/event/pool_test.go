package event

import (
	"strings"
	"testing"
)

// TestGrownStacksAreNotPooled: the stack of a large document is released.
func TestGrownStacksAreNotPooled(t *testing.T) {
	q := newUnpacker(0).quota()
	for _, size := range []int{10, pooledStack - 100, 50_000} {
		if _, _, err := parseJSON([]byte(`[0`+strings.Repeat(",0", size-1)+`]`), nil, &q); err != nil {
			t.Fatal(err)
		}
		p := parsers.Get().(*parser)
		if cap(p.stack) > pooledStack {
			t.Errorf("after %d values the pool has a stack of %d", size, cap(p.stack))
		}
		for i, v := range p.stack[:cap(p.stack)] {
			if v.Kind() != Missing {
				t.Errorf("after %d values the pool holds value %d", size, i)
				break
			}
		}
		parsers.Put(p)
	}
}

// TestPooledReaderReleasesItsRecord: a pooled gzip reader does not hold
// the bytes of its last record.
func TestPooledReaderReleasesItsRecord(t *testing.T) {
	if _, err := gunzip([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"), 100); err != nil {
		t.Fatal(err)
	}
	g := gunzippers.Get().(*gunzipper)
	if n := g.source.Size(); n != 0 {
		t.Errorf("the pool holds %d bytes of a record", n)
	}
}
