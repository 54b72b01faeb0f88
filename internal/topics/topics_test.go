package topics_test

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/topics"
)

func TestTopicNames(t *testing.T) {
	var all []string
	for _, n := range topics.All() {
		all = append(all, string(n))
	}
	if got := strings.Join(all, " "); got != "trade-executions portfolio-updates forward-test-events" {
		t.Errorf("topics: %s", got)
	}
	const group = "notification-service"
	for got, want := range map[string]string{
		topics.DeadLetter(group, topics.TradeExecutions): "notification-service.dlq.trade-executions",
		topics.Outbox(group, "desk"):                     "notification-service.outbox.desk",
		topics.OutboxGroup(group):                        "notification-service.outbox",
		topics.Deliveries(group):                         "notification-service.deliveries",
		topics.State(group):                              "notification-service.state",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestParseSuggestsTopicForOtherSpelling(t *testing.T) {
	for spelling, want := range map[string]string{
		"trade-executions":        "",
		"TRADE_EXECUTIONS":        `"TRADE_EXECUTIONS" is not a topic: write "trade-executions"`,
		"Topics.TRADE_EXECUTIONS": `"Topics.TRADE_EXECUTIONS" is not a topic: write "trade-executions"`,
		"Topic::PortfolioUpdates": `"Topic::PortfolioUpdates" is not a topic: write "portfolio-updates"`,
		"forward_test_events":     `"forward_test_events" is not a topic: write "forward-test-events"`,
		"orders":                  `"orders" is not one of the topics trade-executions, portfolio-updates and forward-test-events`,
		"":                        `"" is not one of the topics trade-executions, portfolio-updates and forward-test-events`,
	} {
		_, err := topics.Parse(spelling)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s\nwant %s", spelling, got, want)
		}
	}
}

func TestCheckGroupBoundsDerivedNames(t *testing.T) {
	for group, ok := range map[string]bool{"notification-service": true, "a.b_C-1": true, "": false, "a b": false, "ä": false, strings.Repeat("g", 225): true, strings.Repeat("g", 226): false} {
		if err := topics.CheckGroup(group, "desk"); (err == nil) != ok {
			t.Errorf("%q: %v", group, err)
		}
	}
	if err := topics.CheckGroup(strings.Repeat("g", 100), strings.Repeat("c", 200)); err == nil {
		t.Error("a channel name is accepted whose outbox name is too long")
	}
}

// TestDerivedTopicsAreNeverSources: no derived topic has the name of a source.
func TestDerivedTopicsAreNeverSources(t *testing.T) {
	for _, group := range []string{"notification-service", "trade-executions", ".", "a", "trade"} {
		own := []string{topics.Replay(group), topics.Deliveries(group), topics.State(group)}
		for _, name := range topics.All() {
			own = append(own, topics.DeadLetter(group, name), topics.Outbox(group, string(name)))
		}
		for _, topic := range own {
			if _, err := topics.Parse(topic); err == nil || !strings.HasPrefix(topic, group+".") {
				t.Errorf("%s of group %q is a source topic", topic, group)
			}
		}
	}
}
