package produce

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
)

// maxLine limits one document, in bytes.
const maxLine = 16 << 20

// line is one line of the input with its number, from 1.
type line struct {
	number int
	text   []byte
}

func (l line) String() string { return fmt.Sprintf("line %d", l.number) }

// lines yields the lines of r without their newlines. It ends with the first error,
// without the line it occurred in.
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

// readLine returns a copy of the next line. io.EOF comes with a last line without a
// newline, or with no line.
func readLine(in *bufio.Reader) (text []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case len(text) > maxLine+1:
			return nil, fmt.Errorf("longer than %d MiB: the input must have one document per line", maxLine>>20)
		case err == nil:
			return text[:len(text)-1], nil
		case err != bufio.ErrBufferFull:
			return text, err
		}
	}
}

// maxKept limits the memory of input that is repeated and cannot be rewound, in
// bytes. It is a variable for tests.
var maxKept = 64 << 20

// repeated yields the lines of r the given number of times. It ends with ctx, also
// while a read blocks.
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
			for l, err := range lines(&interruptible{ctx: ctx, reader: r}) {
				if times > 1 && !rewind {
					kept = append(kept, l)
					if size += len(l.text); size > maxKept && err == nil {
						err = fmt.Errorf("line %d: more than %d MiB to repeat: use -f with a file", l.number, maxKept>>20)
					}
				}
				if !yield(l, err) || err != nil {
					return
				}
			}
		}
	}
}

// interruptible reads in a goroutine and stops waiting when ctx ends. The goroutine
// may outlive it: reading from a terminal or pipe cannot be interrupted.
type interruptible struct {
	ctx     context.Context
	reader  io.Reader
	results chan result // buffered, so that the goroutine can end
}

type result struct {
	n   int
	err error
}

// Read implements io.Reader. It must not be called after ctx has ended.
func (i *interruptible) Read(p []byte) (int, error) {
	if i.results == nil {
		i.results = make(chan result, 1)
	}
	go func() {
		n, err := i.reader.Read(p)
		i.results <- result{n, err}
	}()
	select {
	case r := <-i.results:
		return r.n, r.err
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	}
}
