package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
)

func newDLQShow(g *globals) *cobra.Command {
	var payload bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show everything about one dead letter",
		Long:  "Show everything about one dead letter. The beginning of an id is enough where no other begins so.",
		Args:  oneArg("the id of a dead letter"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reader, err := g.letters(cmd.Context())
			if err != nil {
				return err
			}
			defer reader.client.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			e, err := reader.Find(ctx, args[0])
			switch {
			case err != nil:
				return err
			case payload:
				_, err = g.io.out.Write(e.Envelope.Source.Value)
				return err
			case g.json():
				return json.NewEncoder(g.io.out).Encode(toJSON(e))
			}
			showEntry(g.io.out, e)
			return nil
		},
	}
	cmd.Flags().BoolVar(&payload, "payload", false, "print the source record's value, byte for byte, and nothing else")
	return cmd
}

func showEntry(w io.Writer, e *dlq.Entry) {
	s := e.Envelope.Source
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s %s\n", name, visible(fmt.Sprintf(format, args...)))
	}
	row("id", "%s", e.ID)
	row("state", "%s, %d replays", e.State, e.Replays)
	row("why", "%s", inWords(e))
	if e.Detail != "" {
		row("detail", "%s", e.Detail)
	}
	row("reason", "%s · cause %s · scope %s · fingerprint %s", e.Reason, e.Cause, e.Scope, e.Fingerprint())
	row("attempts", "%d, from %s to %s", e.Attempts, stamp(e.FirstFailed), stamp(e.LastFailed))
	if len(e.Recipients) > 0 {
		row("recipients", "%s", strings.Join(e.Recipients, ", "))
	}
	if a := e.Envelope.Alert; a != nil {
		row("alert", "%s: %s", a.Severity, a.Title.String())
		row("rule", "%s · channel %s · alert key %s", a.Rule, e.Envelope.Channel, a.KeyText())
	}
	row("source", "%s of %s, key %s", s.String(), stamp(s.Time), keyText(s.Key))
	for _, h := range s.Headers {
		row("header", "%s: %s", h.Key, headerText(h.Value))
	}
	fmt.Fprintln(w)
	switch {
	case e.Pointer:
		fmt.Fprintln(w, "value: not kept here, it was too large; read it at its source")
	case s.Value == nil:
		fmt.Fprintln(w, "value: null")
	default:
		fmt.Fprintf(w, "value (%d bytes):\n%s\n", len(s.Value), valueText(s.Value))
	}
}

// inWords says what a reason means for the reader.
func inWords(e *dlq.Entry) string {
	switch e.Reason {
	case outcome.Undecodable:
		return "the record's bytes are not an event, so no rule has seen it"
	case outcome.RulePanic:
		return "a rule or the decoder failed on this event; that is a defect of the notifier's"
	case outcome.Refused:
		return "the provider refuses this message for its content; others are sent"
	case outcome.TooLarge:
		return "the message is too large for where it has to go"
	case outcome.BadRecipient:
		return "some recipients refuse it; the others have got it"
	case outcome.Exhausted:
		return "all attempts failed while other messages were delivered"
	case outcome.Unconfirmed:
		return "it may have been delivered: the connection ended before the provider's answer"
	case outcome.NoLongerRouted:
		return "its rule or channel is no longer configured"
	case outcome.Schema:
		return "the event does not follow its schema"
	}
	if e.State == dlq.Malformed {
		return "this record was not written by a notifier that we know"
	}
	return string(e.Reason)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func headerText(b []byte) string {
	if b == nil {
		return "null"
	}
	if !utf8.Valid(b) {
		return "0x" + hex.EncodeToString(b)
	}
	return string(b)
}

// valueText is JSON indented, other text as it is with control characters
// shown, and bytes as a hex dump.
func valueText(b []byte) string {
	var pretty bytes.Buffer
	if json.Indent(&pretty, b, "", "  ") == nil {
		return visibleLines(pretty.String())
	}
	if utf8.Valid(b) {
		return visibleLines(string(b))
	}
	if len(b) > 2048 {
		return hex.Dump(b[:2048]) + fmt.Sprintf("… %d more bytes: --payload prints them all", len(b)-2048)
	}
	return strings.TrimSuffix(hex.Dump(b), "\n")
}

func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}
