package slacktest

import (
	"encoding/json"
	"regexp"
	"unicode/utf8"
)

// checkPayload checks Slack's limits of texts, blocks and attachments.
func checkPayload(m Message) string {
	switch {
	case m.Text == "" && m.Blocks == "":
		return "no_text"
	case utf8.RuneCountInString(m.Text) > 40_000:
		return "msg_too_long"
	}
	if m.Blocks != "" {
		var list []block
		if json.Unmarshal([]byte(m.Blocks), &list) != nil {
			return "invalid_blocks_format"
		}
		if problem := checkBlocks(list); problem != "" {
			return problem
		}
	}
	if m.Attachments == "" {
		return ""
	}
	var list []struct {
		Color  string
		Blocks []block
	}
	if json.Unmarshal([]byte(m.Attachments), &list) != nil || len(list) > 100 {
		return "too_many_attachments"
	}
	for _, a := range list {
		if problem := checkBlocks(a.Blocks); problem != "" || !colour.MatchString(a.Color) {
			return "invalid_attachments"
		}
	}
	return ""
}

var colour = regexp.MustCompile(`^#[0-9A-F]{6}$`)

type block struct {
	Type     string
	Text     *object
	Fields   []object
	Elements []object
}

func checkBlocks(list []block) string {
	if len(list) == 0 || len(list) > 50 {
		return "invalid_blocks_format"
	}
	for _, b := range list {
		most := map[string]int{"header": 150, "section": 3000, "context": 2000}[b.Type]
		if most == 0 || len(b.Fields) > 10 || len(b.Elements) > 10 || b.Type == "header" && (b.Text == nil || b.Text.Type != "plain_text") {
			return "invalid_blocks"
		}
		if b.Type == "section" && b.Text == nil && len(b.Fields) == 0 || b.Text != nil && !b.Text.fits(most) {
			return "invalid_blocks"
		}
		for _, o := range append(b.Fields, b.Elements...) {
			if !o.fits(2000) {
				return "invalid_blocks"
			}
		}
	}
	return ""
}

type object struct{ Type, Text string }

func (o object) fits(most int) bool {
	n := utf8.RuneCountInString(o.Text)
	return n > 0 && n <= most && (o.Type == "plain_text" || o.Type == "mrkdwn")
}
