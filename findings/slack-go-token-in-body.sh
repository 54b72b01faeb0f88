#!/usr/bin/env bash
# slack-go sends the bot token in the body of every call, not in a header.
#
# Guess:   slack.New(token) sends `Authorization: Bearer xoxb-…`, as Slack's documentation
#          shows for JSON and form calls alike.
# Seen:    PostMessage, AuthTest and GetConversationInfo put token=… into the form body and
#          send no Authorization header. With an empty token and a header of one's own
#          the body still carries an empty `token=`.
# Output:  chat.postMessage    header="" body-token="xoxb-1-example"
#          auth.test           header="" body-token="xoxb-1-example"
#          conversations.info  header="" body-token="xoxb-1-example"
#          with-own-header     header="Bearer xoxb-1-example" body-token=""  field=present
# Pinned:  github.com/slack-go/slack v0.35.0, Go 1.26
# Date:    2026-11-29
# Source:  https://docs.slack.dev/authentication/tokens, "Sending tokens"; slack-go's chat.go, auth.go
# Why:     bodies are what proxies, gateways and error pages log or echo. A notifier behind
#          a proxy that repeats a refused request shows its token in logs and status pages,
#          unless a transport of its own moves the token into the header.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26

require github.com/slack-go/slack v0.35.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/slack-go/slack"
)

type adding struct{}

func (adding) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer xoxb-1-example")
	return http.DefaultTransport.RoundTrip(r)
}

func main() {
	const token = "xoxb-1-example"
	name := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		shown := strings.TrimPrefix(r.URL.Path, "/")
		if name != "" {
			shown = name
		}
		line := fmt.Sprintf("%-19s header=%q body-token=%q", shown, r.Header.Get("Authorization"), r.PostForm.Get("token"))
		if name != "" {
			field := "absent"
			if r.PostForm.Has("token") {
				field = "present"
			}
			line += "  field=" + field
		}
		fmt.Println(line)
		fmt.Fprint(w, `{"ok":true,"ts":"1.2","channel":{"id":"C0EXAMPLE"}}`)
	}))
	defer server.Close()
	api := slack.New(token, slack.OptionAPIURL(server.URL+"/"))
	_, _, _ = api.PostMessage("C0EXAMPLE", slack.MsgOptionText("hello", false))
	_, _ = api.AuthTest()
	_, _ = api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: "C0EXAMPLE"})
	name = "with-own-header"
	api = slack.New("", slack.OptionAPIURL(server.URL+"/"), slack.OptionHTTPClient(&http.Client{Transport: adding{}}))
	_, _, _ = api.PostMessage("C0EXAMPLE", slack.MsgOptionText("hello", false))
}
GO
go mod tidy >/dev/null 2>&1
got=$(go run .)
want='chat.postMessage    header="" body-token="xoxb-1-example"
auth.test           header="" body-token="xoxb-1-example"
conversations.info  header="" body-token="xoxb-1-example"
with-own-header     header="Bearer xoxb-1-example" body-token=""  field=present'
printf '%s\n' "$got"
diff <(printf '%s\n' "$want") <(printf '%s\n' "$got")
