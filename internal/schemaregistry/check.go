package schemaregistry

import (
	"context"
	"net/url"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/event"
)

// Check asks each instance of the registry as the daemon does.
func (c *Client) Check(ctx context.Context) []check.Result {
	var found []check.Result
	for _, text := range c.config.URLs {
		u, err := url.Parse(text)
		if err != nil {
			continue // config check reports it
		}
		if u.Scheme == "https" && c.connection != nil {
			for _, r := range c.connection.Verify(ctx, u) {
				r.Subject = u.Host + ", " + r.Subject
				found = append(found, r)
			}
		}
		found = append(found, c.ask(ctx, u))
	}
	return found
}

// ask fetches a schema, which need not exist.
func (c *Client) ask(ctx context.Context, u *url.URL) check.Result {
	api, err := sr.NewClient(append(c.api.Opts(), sr.URLs(u.String()))...)
	if err != nil {
		return check.Failedf(u.Host, "check schema_registry.urls", "cannot be asked")
	}
	_, err = api.SchemaByID(ctx, 1)
	one := Client{config: c.config, name: (&Config{URLs: []string{u.String()}}).name()}
	switch result, text := one.judge(event.SchemaID{Number: 1}, err); result {
	case resultOK, resultAbsent:
		return check.Okf(u.Host, "a schema registry; schemas can be read")
	default:
		return check.Failedf(u.Host, "records of schemas that are not in memory wait until it answers", "%s", text)
	}
}
