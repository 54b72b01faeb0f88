package schema

import (
	"github.com/algotrade/notifier/internal/channel/templated"
	"github.com/algotrade/notifier/internal/event"
)

// amendments add to the schemas of structs what their checks demand and no tag says: the
// keys that must be there, and words that are known elsewhere.
var amendments = map[string]func(s *Schema){
	"config.Config": func(s *Schema) {
		s.Properties["rules"] = keep(s.Properties["rules"], path())
		s.Properties["notify_trouble"].Examples = words("off")
	},
	"kafka.SASL":        func(s *Schema) { s.enum("mechanism", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER") },
	"dispatch.Fallback": func(s *Schema) { s.require("to") },
	"email.Config": func(s *Schema) {
		s.require("server", "from", "to")
		s.enum("auth", "auto", "plain", "login", "scram", "cram-md5", "xoauth2", "none")
		s.enum("tls", "mandatory", "implicit", "none")
	},
	"webhook.Config":   func(s *Schema) { s.require("url") },
	"pagerduty.Config": func(s *Schema) { s.require("routing_key") },
	"slack.Config": func(s *Schema) {
		s.oneOf([]string{"webhook"}, []string{"token", "channel"})
		mentions := s.Properties["mentions"]
		mentions.Names = &Schema{Enum: severities()}
		mentions.Others = listOf(&Schema{Type: "string", Pattern: `^([UWS][A-Z0-9]{6,}|here|channel)$`})
	},
	"templated.Config": func(s *Schema) {
		s.oneOf([]string{"preset"}, []string{"url", "body"})
		s.enum("preset", templated.Presets()...)
	},
	"templated.BodyMatch": pointer,
	"templated.Place":     pointer,
	"rulesfile.Document": func(s *Schema) {
		s.Properties["calendars"].Names = name()
		s.Properties["defaults"].Names = topic()
	},
	"rulesfile.Entry": func(s *Schema) {
		s.require("name", "when", "title", "to")
		s.Properties["name"] = keep(s.Properties["name"], &Schema{Type: "string", Pattern: name().Pattern, MaxLength: 64, Not: &Schema{Enum: words("notifier")}})
		s.Properties["severity"].Examples = append(severities(), `event.x > 5 ? "critical" : "warning"`)
	},
	"rulesfile.Quiet": func(s *Schema) {
		s.require("during", "severity", "do")
		s.Properties["severity"] = keep(s.Properties["severity"], listOf(&Schema{Enum: severities()}))
		s.enum("do", "reroute", "drop")
	},
	"ruletest.Test": func(s *Schema) {
		s.require("name")
		s.oneOf([]string{"sample"}, []string{"event"}, []string{"events"})
	},
	"ruletest.Message": func(s *Schema) {
		s.enum("state", "firing", "resolved", "reminder")
		s.Properties["severity"] = keep(s.Properties["severity"], &Schema{Enum: append(severities(), "", nil)})
	},
	"ruletest.Suppressed": func(s *Schema) {
		s.require("rule", "decision")
		s.Properties["decision"] = keep(s.Properties["decision"], &Schema{Enum: words("throttled", "digested", "silenced", "expired")})
	},
	"event.SchemaRef": func(s *Schema) { s.enum("mode", event.Warn, event.Reject) },
	"event.Fields":    func(s *Schema) { s.enum("types", event.Warn, event.Strict) },
	"ruletest.Expected": func(s *Schema) {
		s.require("rule")
		s.Properties["severity"] = keep(s.Properties["severity"], &Schema{Enum: severities()})
		s.enum("state", "firing", "resolved")
	},
}

// pointer says that the key of this name is a JSON pointer (RFC 6901).
func pointer(s *Schema) {
	s.Properties["pointer"] = keep(s.Properties["pointer"], &Schema{Type: orNull("string"), Pattern: "^(/.*)?$"})
}

// keep gives a schema the description of another.
func keep(old, s *Schema) *Schema {
	s.Description, s.Default = old.Description, old.Default
	return s
}

// require names the keys that must be there.
func (s *Schema) require(keys ...string) { s.Type, s.Required = "object", keys }

// oneOf demands all keys of one of the lists.
func (s *Schema) oneOf(lists ...[]string) {
	s.Type = "object"
	for _, keys := range lists {
		s.AnyOf = append(s.AnyOf, &Schema{Required: keys})
	}
}

// enum limits a text, which may be empty, to words.
func (s *Schema) enum(key string, list ...string) {
	p := s.Properties[key]
	p.Not, p.Enum = nil, append(words(list...), "", nil)
}
