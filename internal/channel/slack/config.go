package slack

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures a Slack channel: a bot's token and a channel's id, or an
// incoming webhook.
type Config struct {
	// Token is a bot's token (xoxb-…) with the scope chat:write.
	Token secret.String `yaml:"token"`
	// Channel is the channel's id, not its name: ids survive a rename.
	Channel string `yaml:"channel"`
	// Webhook is the URL of an incoming webhook, instead of token and channel.
	Webhook secret.String `yaml:"webhook"`
	// Mentions lists, by severity, whom a message notifies: ids of users (U…)
	// and groups (S…), here or channel.
	Mentions map[string][]string `yaml:"mentions"`
	// API is the Web API's URL, for GovSlack or a proxy; default:
	// https://slack.com/api/.
	API string `yaml:"api"`
	// Proxy is the URL of a proxy, or none; empty: that of the environment. It is
	// read at the start.
	Proxy secret.String `yaml:"proxy"`
	// Insecure allows http:// to other hosts. It does not disable certificate
	// verification.
	Insecure bool `yaml:"insecure"`
}

var (
	channelID = regexp.MustCompile(`^[CGD][A-Z0-9]{6,}$`)
	mentionID = regexp.MustCompile(`^([UW][A-Z0-9]{6,}|S[A-Z0-9]{6,}|here|channel)$`)
)

func (c *Config) api() string {
	if c.API == "" {
		return slack.APIURL
	}
	return strings.TrimSuffix(c.API, "/") + "/"
}

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if c.Webhook.IsZero() && c.Token.IsZero() {
		at.Fault("needs token and channel, or webhook")
	}
	if !c.Webhook.IsZero() && (!c.Token.IsZero() || c.Channel != "") {
		at.Field("webhook").Fault("excludes token and channel: keep one of them")
	}
	if !c.Token.IsZero() {
		switch {
		case c.Channel == "":
			at.Field("channel").Fault("is missing")
		case !channelID.MatchString(c.Channel):
			at.Field("channel").Fault("%q is not a channel id, such as C0123456789: see the end of the channel's details in Slack", c.Channel)
		}
	}
	if w := c.Webhook.Reveal(); w != "" {
		if err := c.checkWebhook(w); err != nil {
			at.Field("webhook").Fault("%v", err)
		}
	}
	if c.API != "" {
		if err := c.checkAPI(); err != nil {
			at.Field("api").Fault("%v", err)
		}
	}
	if _, err := egress.NewProxy(c.Proxy.Reveal()); err != nil {
		at.Field("proxy").Fault("%v", err)
	}
	for severity, ids := range c.Mentions {
		place := at.Field("mentions").Field(severity)
		if alert.Severity(severity).Rank() == 0 {
			names := []string{string(alert.Info), string(alert.Warning), string(alert.Critical)}
			if s := suggest.Closest(severity, names); s != "" {
				place.Fault("is not a severity: did you mean %s?", s)
			} else {
				place.Fault("is not a severity: use one of %s", strings.Join(names, ", "))
			}
		}
		for _, id := range ids {
			if !mentionID.MatchString(id) {
				place.Fault("%q is not the id of a user (U…) or a group (S…), here or channel", id)
			}
		}
	}
}

func httpURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("is not a URL: it must begin with https://")
	}
	if u.User != nil {
		return nil, errors.New("contains a user, which Slack does not use: remove it")
	}
	return u, nil
}

// checkWebhook validates a webhook's URL. The URL is secret and not in the
// error.
func (c *Config) checkWebhook(text string) error {
	u, err := httpURL(text)
	if err == nil && c.inTheClear(u) {
		err = errors.New("begins with http://: it would travel in the clear, and it is a credential; use https://, or set insecure: true if the network is trusted")
	}
	return err
}

func (c *Config) checkAPI() error {
	u, err := httpURL(c.API)
	if err == nil && c.inTheClear(u) && !c.Token.IsZero() {
		err = errors.New("begins with http://: the token would travel in the clear; use https://, or set insecure: true if the network is trusted")
	}
	return err
}

// inTheClear reports whether u leads to another host without encryption and
// Insecure does not allow it.
func (c *Config) inTheClear(u *url.URL) bool {
	return u.Scheme == "http" && !egress.IsLocal(u.Hostname()) && !c.Insecure
}

func (c *Config) check() error {
	switch {
	case c.Webhook.IsZero() == c.Token.IsZero():
		return errors.New("slack: needs token and channel, or webhook")
	case !c.Webhook.IsZero():
		return c.checkWebhook(c.Webhook.Reveal())
	case c.API != "":
		return c.checkAPI()
	}
	return nil
}
