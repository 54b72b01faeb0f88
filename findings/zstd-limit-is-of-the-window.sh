#!/usr/bin/env bash
# A memory limit of klauspost's zstd decoder refuses a frame of a hundred bytes for the
# window that its encoder declares.
#
# Guess:   zstd.WithDecoderMaxMemory(8 MiB) bounds how much a frame may unpack to. An event of
#          100 bytes passes, however it was packed.
# Seen:    what is compared first is the window in the frame's header. A streaming encoder
#          does not know the size when it begins, so it declares its whole window. The frame
#          of 100 bytes with a window of 32 MiB is refused; packed with EncodeAll, which knows
#          the size, the same bytes pass.
# Output:  streamed, window  1 MiB: 100 bytes
#          streamed, window  8 MiB: 100 bytes
#          streamed, window 32 MiB: window size exceeded
#          at once,  window 32 MiB: 100 bytes
# Pinned:  github.com/klauspost/compress v1.20.3, Go 1.26
# Date:    2026-11-29
# Source:  RFC 8878, 3.1.1.1.2 (window descriptor); klauspost/compress zstd/decoder_options.go
# Why:     a consumer that bounds what one Kafka value may unpack to would dead-letter the
#          ordinary events of a producer that streams with a large window, and call them too
#          large. The bound has to be on the output.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26

require github.com/klauspost/compress v1.20.3
MOD
cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

func main() {
	event := bytes.Repeat([]byte("0123456789"), 10)
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(8<<20), zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	show := func(how string, mib int, frame []byte) {
		out, err := decoder.DecodeAll(frame, nil)
		if err != nil {
			fmt.Printf("%s window %2d MiB: %v\n", how, mib, err)
			return
		}
		fmt.Printf("%s window %2d MiB: %d bytes\n", how, mib, len(out))
	}
	for _, mib := range []int{1, 8, 32} {
		var frame bytes.Buffer
		w, err := zstd.NewWriter(&frame, zstd.WithWindowSize(mib<<20))
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(event)
		_ = w.Flush() // what a stream does that sends what it has
		_ = w.Close()
		show("streamed,", mib, frame.Bytes())
	}
	w, err := zstd.NewWriter(nil, zstd.WithWindowSize(32<<20))
	if err != nil {
		panic(err)
	}
	show("at once, ", 32, w.EncodeAll(event, nil))
}
GO
go mod tidy >/dev/null 2>&1
got=$(go run .)
want='streamed, window  1 MiB: 100 bytes
streamed, window  8 MiB: 100 bytes
streamed, window 32 MiB: window size exceeded
at once,  window 32 MiB: 100 bytes'
printf '%s\n' "$got"
diff <(printf '%s\n' "$want") <(printf '%s\n' "$got")
