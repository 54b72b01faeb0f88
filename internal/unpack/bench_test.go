package unpack_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/unpack"
)

// BenchmarkDecompress compares the decompressor with kgo's own on batches of events.
func BenchmarkDecompress(b *testing.B) {
	for _, codec := range codecs {
		for _, size := range []int{16 << 10, 1 << 20, 16 << 20} {
			body := events(size)
			src := pack(b, body, codec)
			for _, d := range []struct {
				name string
				d    kgo.Decompressor
			}{{"kgo", kgo.DefaultDecompressor()}, {"unpack", unpack.New(unpack.Limits{Batch: 64 << 20, Total: 128 << 20})}} {
				b.Run(fmt.Sprintf("%s/%dKiB/%s", name(codec), size>>10, d.name), func(b *testing.B) {
					b.SetBytes(int64(len(body)))
					b.ReportAllocs()
					for b.Loop() {
						if _, err := d.d.Decompress(src, codec); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
