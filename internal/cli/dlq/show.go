package dlq

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/term"
)

func newShow(g *base.Globals) *cobra.Command {
	var payload bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show everything about one dead letter",
		Long: "Show everything about one dead letter: why it failed, its content, what a replay would do. The id may\n" +
			"be abbreviated to a unique prefix. Closed ones are shown while the topic has them.",
		Args: base.OneArg("the id of a dead letter"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return base.Misused("the id is empty")
			}
			st, err := openStore(g, cmd.Context())
			if err != nil {
				return err
			}
			defer st.client.Close()
			e, err := replay.Find(cmd.Context(), st.Reader, args[0])
			switch {
			case err != nil:
				return err
			case payload:
				return writePayload(g, e)
			case g.JSON():
				return base.NewEncoder(g.IO.Out).Encode(toShownJSON(e))
			}
			page := page{width: g.Width(), self: g.Self()}
			page.entry(e)
			_, err = g.IO.Out.Write(page.Bytes())
			return err
		},
	}
	cmd.ValidArgsFunction = completeID(g)
	cmd.Flags().BoolVar(&payload, "payload", false, "print only the source record's value, byte for byte; on a terminal with control characters escaped")
	return cmd
}

// writePayload prints the value of the source record. A missing value is an error.
func writePayload(g *base.Globals, e *dlq.Entry) error {
	switch {
	case e.Pointer:
		return fmt.Errorf("its value was too large to store: read it from its source, %s", e.Where())
	case !hasRecord(e):
		return errors.New("its value is gone: only its tombstone is left")
	case e.Envelope.Source.Value == nil:
		fmt.Fprintln(g.IO.Err, "its value is null")
	}
	value := e.Envelope.Source.Value
	if !term.IsTerminal(g.IO.Out) {
		_, err := g.IO.Out.Write(value)
		return err
	}
	shown := term.VisibleLines(string(value))
	if !utf8.Valid(value) {
		shown = hex.Dump(value)
	}
	if !strings.HasSuffix(shown, "\n") {
		shown += "\n"
	}
	if _, err := io.WriteString(g.IO.Out, shown); err != nil {
		return err
	}
	if !bytes.Equal([]byte(shown), value) && shown != string(value)+"\n" {
		fmt.Fprintln(g.IO.Err, "escaped for the terminal: redirect the output to get the original bytes")
	}
	return nil
}

// hasRecord reports whether more than the tombstone of an entry is left.
func hasRecord(e *dlq.Entry) bool {
	return e.Closed == nil || e.Envelope.Source.Topic != "" || e.Envelope.Source.Value != nil
}

// shownJSON is the complete JSON of an entry.
type shownJSON struct {
	entryJSON
	TraceID     string          `json:"trace_id,omitempty"`
	Headers     []headerJSON    `json:"headers"`
	Alert       *alert.Alert    `json:"alert"`
	Value       json.RawMessage `json:"value,omitempty"`
	ValueBase64 *string         `json:"value_base64,omitempty"` // if the value is not JSON
}

// headerJSON is one header; a null header has no value.
type headerJSON struct {
	Name        string  `json:"name"`
	NameBase64  string  `json:"name_base64,omitempty"`
	Value       *string `json:"value"`
	ValueBase64 string  `json:"value_base64,omitempty"`
}

func toShownJSON(e *dlq.Entry) shownJSON {
	s := e.Envelope.Source
	j := shownJSON{entryJSON: toJSON(e), TraceID: tracing.TraceID(e.Envelope.Trace), Headers: []headerJSON{}, Alert: e.Envelope.Alert}
	for _, h := range s.Headers {
		var shown headerJSON
		if utf8.ValidString(h.Key) {
			shown.Name = h.Key
		} else {
			shown.NameBase64 = base64.StdEncoding.EncodeToString([]byte(h.Key))
		}
		shown.Value, shown.ValueBase64 = textOrBase64(h.Value)
		j.Headers = append(j.Headers, shown)
	}
	switch {
	case s.Value == nil || e.Pointer:
		j.Value = json.RawMessage("null")
	case json.Valid(s.Value) && utf8.Valid(s.Value):
		j.Value = s.Value
	default:
		coded := base64.StdEncoding.EncodeToString(s.Value)
		j.ValueBase64 = &coded
	}
	return j
}
