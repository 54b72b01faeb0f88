package templated_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/templated"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

var update = flag.Bool("update", false, "write the golden files")

// decode returns the configuration of a channel, as text in YAML's flow style.
func decode(text string) (templated.Config, yamldoc.Faults) {
	var file struct {
		HTTP templated.Config `yaml:"http"`
	}
	faults := yamldoc.Decode("f", "", []byte("http: {"+text+"}\n"), &file)
	return file.HTTP, faults
}

func newChannel(t testing.TB, config string) *templated.Channel {
	t.Helper()
	c, faults := decode(config)
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	ch, err := templated.New(c, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ch.Close() })
	return ch
}

func send(t testing.TB, c channel.Channel, m channel.Message) (channel.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return c.Send(ctx, m)
}

// large returns a message that is longer than every provider takes.
func large() channel.Message {
	m := channeltest.Message()
	long := strings.Repeat("ü<&`*_\\😀", 250)
	m.Alert.Title = alert.Text{{Text: "Rejected: "}, {Text: long, Value: true}}
	m.Alert.Text = nil
	m.Alert.Fields = nil
	for i := range 30 {
		m.Alert.Text = append(m.Alert.Text, alert.Part{Text: "\nline: "}, alert.Part{Text: long, Value: true})
		m.Alert.Fields = append(m.Alert.Fields, alert.Field{Label: fmt.Sprintf("field %d %s", i, long), Value: alert.Text{{Text: long, Value: true}}})
	}
	m.Alert.Runbook = "https://wiki.example.com/" + strings.Repeat("a", 1900)
	m.Alert.Bound()
	return m
}

// stormy returns a digest with more rows than every provider takes.
func stormy() channel.Message {
	m := channeltest.GroupDigest()
	item := large().Alert
	m.Digest.Items = slices.Repeat([]alert.Alert{item, m.Alert}, 100)
	m.Digest.Alerts = 5000
	return m
}

func bare() channel.Message {
	return channel.Message{Delivery: "dl_x", Now: time.Unix(1, 0)}
}

func TestPresetsAndStandInsAgree(t *testing.T) {
	if !slices.Equal(templated.Presets(), templatedtest.Providers()) {
		t.Errorf("the presets are %v, the stand-ins %v", templated.Presets(), templatedtest.Providers())
	}
}

func TestProvidersAcceptEveryMessage(t *testing.T) {
	for _, name := range templated.Presets() {
		t.Run(name, func(t *testing.T) {
			s := templatedtest.Start(t, name)
			c := newChannel(t, s.Config(name))
			test := channeltest.Message()
			test.Test = true
			for what, m := range map[string]channel.Message{
				"an alert": channeltest.Message(), "a hostile one": channeltest.Hostile(), "a large one": large(), "a digest": channeltest.GroupDigest(),
				"a large digest": stormy(), "a test": test, "one without texts": bare(),
			} {
				receipt, err := send(t, c, m)
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				if wanted := !slices.Contains([]string{"teams", "mattermost", "alertmanager"}, name); wanted != (receipt.ID != "") {
					t.Errorf("the receipt is %+v", receipt)
				}
			}
		})
	}
}

func TestBodiesAreAsRecorded(t *testing.T) {
	for _, name := range templated.Presets() {
		t.Run(name, func(t *testing.T) {
			s := templatedtest.Start(t, name)
			c := newChannel(t, s.Config(name))
			m := channeltest.Message()
			m.Alert.Text = alert.Text{{Text: "Venue: "}, {Text: "[XNAS](https://evil.example.com) @everyone", Value: true}, {Text: "\nsee the runbook"}}
			m.Suppressed, m.MayBeDuplicate = 14, true
			over := channeltest.Resolved()
			over.Zone = time.FixedZone("EST", -5*60*60)
			all := []channel.Message{m, channeltest.GroupDigest(), over, channeltest.Reminder(), channeltest.Instead()}
			for i, what := range []string{"", "-digest", "-resolved", "-reminder", "-instead"} {
				if _, err := send(t, c, all[i]); err != nil {
					t.Fatal(err)
				}
				channeltest.GoldenJSON(t, *update, name+what+".golden", s.Requests()[i].Body)
			}
		})
	}
}

func TestDigestsCountWhatHasNoRow(t *testing.T) {
	for _, name := range templated.Presets() {
		s := templatedtest.Start(t, name)
		if _, err := send(t, newChannel(t, s.Config(name)), stormy()); err != nil {
			t.Fatal(err)
		}
		body := string(s.Requests()[0].Body)
		if want := map[bool]string{true: `"truncatedAlerts":49`, false: "and 4,"}[name == "alertmanager"]; !strings.Contains(body, want) {
			t.Errorf("%s does not say how many more there are: %s", name, body[len(body)-600:])
		}
	}
}

func TestInvisibleCharactersAreShown(t *testing.T) {
	for _, name := range templated.Presets() {
		s := templatedtest.Start(t, name)
		if _, err := send(t, newChannel(t, s.Config(name)), channeltest.Hostile()); err != nil {
			t.Fatal(err)
		}
		channeltest.AssertEscaped(t, name, string(s.Requests()[0].Body))
	}
}
