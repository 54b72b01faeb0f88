package produce

import (
	"bufio"
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
