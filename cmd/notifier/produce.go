package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/produce"
	"github.com/algotrade/notifier/internal/topics"
)

func newProduce(g *globals) *cobra.Command {
	var file, key, sampleName string
	var p produce.Params
	cmd := &cobra.Command{
		Use:   "produce TOPIC",
		Short: "Send events: lines of a file or of standard input, or a sample",
		Long: "Send events to a source topic: one JSON document a line, from a file or standard input, or a\n" +
			"sample. Each is checked as the daemon would; the first that it could not read ends the command.\n" +
			"The key is the document's session_id.",
		Args: oneArg("a topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, err := topics.Parse(args[0])
			if err != nil {
				return misused("%w", err)
			}
			if p.Count < 0 || p.Rate < 0 {
				return misused("--count and --rate are positive numbers")
			}
			p.Topic = topic
			if cmd.Flags().Changed("key") {
				p.Key = &key
			}
			switch {
			case file != "" && sampleName != "":
				return misused("-f and --sample exclude each other")
			case sampleName != "":
				s, err := configs.FindSample(topic, sampleName)
				if err != nil {
					return misused("%w", err)
				}
				p.Sample = s.Data
			default:
				in, err := g.openLines(file)
				if err != nil {
					return err
				}
				defer in.Close()
				p.Lines = in
			}
			return g.produce(cmd, p)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "read from `FILE`, one document a line (default: standard input)")
	f.StringVar(&key, "key", "", "the record key (default: the document's session_id)")
	f.IntVar(&p.Count, "count", 0, "send everything so often (default 1)")
	f.Float64Var(&p.Rate, "rate", 0, "records a second (default: as fast as it goes)")
	f.StringVar(&sampleName, "sample", "", "send the sample `NAME`, such as order.rejected, as an event of now")
	f.BoolVar(&p.Raw, "raw", false, "send the bytes as they are, unchecked")
	return cmd
}

func (g *globals) openLines(file string) (io.ReadCloser, error) {
	if file == "" || file == "-" {
		if f, ok := g.io.in.(*os.File); ok && isTerminal(f) {
			fmt.Fprintln(g.io.err, "reading one JSON document a line; end with Ctrl-D")
		}
		return io.NopCloser(g.io.in), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, bare(err))
	}
	return f, nil
}

func (g *globals) produce(cmd *cobra.Command, p produce.Params) error {
	src := g.source()
	src.Shipped = true
	l, _, err := config.LoadBase(src)
	if err != nil {
		return fail(exitConfig, "%w", err)
	}
	c, err := g.kafka()
	if err != nil {
		return err
	}
	cl, err := g.reach(cmd.Context(), c, "produce", kgo.RecordDeliveryTimeout(30*time.Second), kgo.UnknownTopicRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	p.Client = cl
	p.Decode = event.NewDecoder(l.Events, nil, nil).Decode
	if isTerminal(g.io.err) {
		p.Progress = g.io.err
	}
	account, err := produce.Run(cmd.Context(), p)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.io.err, "%s sent to %s, %s\n", count(account.Sent, "record"), p.Topic, humanize.IBytes(uint64(account.Bytes)))
	return nil
}
