package produce

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
)

// maxLine bounds one document, above what any broker takes as it is shipped
// (message.max.bytes, 1 MiB).
const maxLine = 16 << 20

// line is one line of the input with its number, from 1.
type line struct {
	number int
	text   []byte
}

func (l line) String() string { return fmt.Sprintf("line %d", l.number) }

// lines yields the lines of r without their newlines but with every other
// byte. An error ends them; what was read of that line is not yielded.
func lines(r io.Reader) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			text, err := readLine(in)
			switch {
			case err == io.EOF && len(text) == 0:
				return
			case err != nil && err != io.EOF:
				yield(line{}, fmt.Errorf("read line %d: %w", n, err))
				return
			}
			if !yield(line{n, text}, nil) || err == io.EOF {
				return
			}
		}
	}
}

// readLine returns the next line in memory of its own; io.EOF comes with the
// last one, when it has no newline, or with none.
func readLine(in *bufio.Reader) (text []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case len(text) > maxLine+1:
			return nil, fmt.Errorf("longer than %d MiB: is there one document a line?", maxLine>>20)
		case err == nil:
			return text[:len(text)-1], nil
		case err != bufio.ErrBufferFull:
			return text, err
		}
	}
}

// keepAtMost bounds what is kept of input that is sent several times and cannot
// be rewound. It is a variable for tests.
var keepAtMost = 64 << 20

// repeated yields the lines of r so many times, with their numbers. Reading ends
// with ctx, even where it would wait for ever.
func repeated(ctx context.Context, r io.Reader, times int) iter.Seq2[line, error] {
	start, rewind := int64(0), false
	seeker, ok := r.(io.Seeker)
	if ok {
		var err error
		start, err = seeker.Seek(0, io.SeekCurrent)
		rewind = err == nil // pipes cannot
	}
	return func(yield func(line, error) bool) {
		var kept []line
		size := 0
		for round := range times {
			if round > 0 && !rewind {
				for _, l := range kept {
					if !yield(l, nil) {
						return
					}
				}
				continue
			}
			if round > 0 {
				if _, err := seeker.Seek(start, io.SeekStart); err != nil {
					yield(line{}, fmt.Errorf("read from the beginning again: %w", err))
					return
				}
			}
			for l, err := range lines(&interruptible{ctx: ctx, from: r}) {
				if times > 1 && !rewind {
					kept = append(kept, l)
					if size += len(l.text); size > keepAtMost && err == nil {
						err = fmt.Errorf("line %d: more than %d MiB to send again: put them into a file and use -f", l.number, keepAtMost>>20)
					}
				}
				if !yield(l, err) || err != nil {
					return
				}
			}
		}
	}
}

// interruptible reads from another reader in a goroutine, and stops waiting when
// ctx ends. The goroutine may outlive that: nothing but the end of the process
// interrupts reading from a terminal or a pipe.
type interruptible struct {
	ctx  context.Context
	from io.Reader
	done chan read // holds what the goroutine returns, when nobody waits any more
}

type read struct {
	n   int
	err error
}

// Read implements io.Reader. It is not called again after ctx has ended.
func (i *interruptible) Read(p []byte) (int, error) {
	if i.done == nil {
		i.done = make(chan read, 1)
	}
	go func() {
		n, err := i.from.Read(p)
		i.done <- read{n, err}
	}()
	select {
	case r := <-i.done:
		return r.n, r.err
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	}
}
