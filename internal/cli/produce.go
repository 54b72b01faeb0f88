package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/produce"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

func newProduce(g *base.Globals) *cobra.Command {
	var file, key, sampleName string
	var dry bool
	var p produce.Params
	cmd := &cobra.Command{
		Use:   "produce TOPIC",
		Short: "Send events: lines of a file or of standard input, or a sample",
		Long: "Send events to a source topic: one JSON document per line, from a file or standard input, or a\n" +
			"sample. The first document that the notifier, or another reader (NaN), cannot decode ends the\n" +
			"command; so does Ctrl-C, once the records in flight are acknowledged. The number of records that all\n" +
			"replicas have is printed. The key is the document's session_id; the partition is the one that the\n" +
			"Java client would choose (murmur2). With --dry-run the documents are only checked.",
		Args: base.OneArg("a topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, err := topics.Parse(args[0])
			if err != nil {
				return base.Misused("%w", err)
			}
			if p.Count < 0 || p.Rate < 0 {
				return base.Misused("--count and --rate are positive numbers")
			}
			p.Topic = topic
			if cmd.Flags().Changed("key") {
				p.Key = &key
			}
			src := g.Source()
			src.Shipped = true
			l, _, err := config.LoadBase(src) // 'config check' reports its faults
			if err != nil {
				return base.Fail(base.ExitConfig, "%w", err)
			}
			if file := l.Events.Topics[string(topic)].Schema.File; file != "" && l.Schemas.ByTopic[topic] == nil && !p.Raw {
				return fmt.Errorf("the schema %s has a fault: see 'config check', or use --raw", file)
			}
			samples, _ := l.ReadSamples() // 'config check' reports its faults
			p.Decode, p.Fields = l.Decoder(nil).Decode, l.Events.Topics[string(topic)]
			p.Types = knownTypes(samples, event.NewDecoder(&l.Events, nil, nil).Decode)
			switch {
			case file != "" && sampleName != "":
				return base.Misused("use either -f or --sample")
			case sampleName != "":
				s, err := configs.FindSample(samples, topic, sampleName)
				if err != nil {
					return base.Misused("%w", err)
				}
				p.Sample = s.Data
			default:
				in, err := openLines(g, file)
				if err != nil {
					return err
				}
				defer in.Close()
				p.Lines = in
			}
			return runProduce(g, cmd, p, dry)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "read from `FILE`, one document per line (default: standard input)")
	f.StringVar(&key, "key", "", "the record key (default: the document's session_id)")
	f.IntVar(&p.Count, "count", 0, "how often to send the input (default 1)")
	f.Float64Var(&p.Rate, "rate", 0, "records per second (default: no limit)")
	f.StringVar(&sampleName, "sample", "", "send the sample `NAME`, such as order.rejected, with the current time")
	f.BoolVar(&p.KeepGoing, "keep-going", false, "skip and report refused documents; exit 1 if there are any")
	f.BoolVar(&dry, "dry-run", false, "check the documents without sending them; needs no broker")
	f.BoolVar(&p.Raw, "raw", false, "send the bytes unchecked")
	return cmd
}

func openLines(g *base.Globals, file string) (io.ReadCloser, error) {
	if file == "" || file == "-" {
		if f, ok := g.IO.In.(*os.File); ok && term.IsTerminal(f) {
			fmt.Fprintln(g.IO.Err, "reading one JSON document per line; end with Ctrl-D")
		}
		return io.NopCloser(g.IO.In), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, safefile.Reason(err))
	}
	return f, nil
}

func runProduce(g *base.Globals, cmd *cobra.Command, p produce.Params, dry bool) error {
	if !dry {
		var err error
		if p.Client, err = reachToProduce(g, cmd.Context(), p.Topic); err != nil {
			return err
		}
		defer p.Client.Close()
	}
	p.Report = func(text string) error {
		_, err := fmt.Fprintln(g.IO.Err, term.Visible(text))
		return err
	}
	if term.IsTerminal(g.IO.Err) {
		p.Progress = g.IO.Err
	}
	// A closed standard error must not kill the process while records are in flight.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	start := time.Now()
	result, err := produce.Run(cmd.Context(), p)
	if err == nil && result.Refused > 0 {
		err = fmt.Errorf("%s skipped", plural.Count(result.Refused, "document"))
	}
	if err := summarise(g, p, result, time.Since(start), err); err != nil {
		return err
	}
	return err
}

// reachToProduce returns a client whose batches are as large as the topic allows.
func reachToProduce(g *base.Globals, ctx context.Context, topic topics.Name) (*kgo.Client, error) {
	c, err := g.Kafka()
	if err != nil {
		return nil, err
	}
	size := int32(kafka.DefaultMaxMessage) // of a batch; read once the cluster is reached
	cl, err := g.Reach(ctx, c, "produce", kgo.RecordDeliveryTimeout(produce.DeliveryTimeout), kgo.UnknownTopicRetries(0),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return size }))
	if err != nil {
		return nil, err
	}
	size = kafka.MaxMessage(ctx, kadm.NewClient(cl), string(topic))
	return cl, nil
}

// summarise prints the result; failure is why the run ended, or nil.
func summarise(g *base.Globals, p produce.Params, r produce.Result, took time.Duration, failure error) error {
	if g.JSON() {
		object := map[string]any{
			"topic": p.Topic, "sent": r.Sent, "bytes": r.Bytes, "refused": r.Refused, "unacknowledged": r.Unacknowledged,
			"dry_run": p.Client == nil, "lines": r.Line, "seconds": math.Round(took.Seconds()*1000) / 1000, "error": nil,
		}
		if failure != nil {
			object["error"] = failure.Error()
		}
		return base.NewEncoder(g.IO.Out).Encode(object)
	}
	if failure == nil || r.Refused > 0 {
		format := "%s sent to %s, %s\n"
		if p.Client == nil {
			format = "%s accepted for %s, %s: nothing was sent\n"
		}
		fmt.Fprintf(g.IO.Err, format, plural.Count(r.Sent, "record"), p.Topic, humanize.IBytes(uint64(r.Bytes)))
	}
	return nil
}

// knownTypes returns the event types of the samples.
func knownTypes(samples []configs.Sample, decode func(event.Record) (event.Event, error)) map[string]topics.Name {
	known := make(map[string]topics.Name)
	for _, s := range samples {
		if e, err := decode(event.Record{Topic: string(s.Topic), Value: s.Data}); err == nil && e.Type != "" {
			known[e.Type] = s.Topic
		}
	}
	return known
}
