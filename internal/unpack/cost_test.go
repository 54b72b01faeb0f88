package unpack_test

import (
	"testing"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/unpack"
)

func TestCostsMatchKgo(t *testing.T) {
	record := int(unsafe.Sizeof(kgo.Record{}) + unsafe.Sizeof(&kgo.Record{}))
	header := int(unsafe.Sizeof(kgo.RecordHeader{}) + 16) // the smallest string that is allocated
	if unpack.RecordCost < record || unpack.RecordCost > record+16 {
		t.Errorf("a record takes %d bytes, not %d", record, unpack.RecordCost)
	}
	if unpack.HeaderCost < header || unpack.HeaderCost > header+16 {
		t.Errorf("a header takes %d bytes, not %d", header, unpack.HeaderCost)
	}
}
