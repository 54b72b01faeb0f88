#!/usr/bin/env bash
# The official Standard Webhooks libraries do not read one secret alike.
#
# Guess:   the Go, Python and JavaScript libraries accept the same secrets and derive the
#          same key: base64 after whsec_, and anything else is an error.
# Seen:    whsec_ is optional in all three. Unpadded base64 is a key in Python and
#          JavaScript and an error in Go.
# Output:  whsec_padded  go      v1,f/Y+daDm
#          padded        go      v1,f/Y+daDm
#          unpadded      go      error
#          whsec_padded  python  v1,f/Y+daDm
#          padded        python  v1,f/Y+daDm
#          unpadded      python  v1,f/Y+daDm
#          whsec_padded  js      v1,f/Y+daDm
#          padded        js      v1,f/Y+daDm
#          unpadded      js      v1,f/Y+daDm
# Pinned:  standard-webhooks/libraries v0.0.1 (Go 1.26), standardwebhooks 1.1.0 (PyPI),
#          standardwebhooks 1.0.0 (npm)
# Date:    2026-11-30
# Source:  https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
#          "Signature scheme"; each library's constructor
# Why:     a notifier signs what many receivers verify. A secret that it takes for text, or
#          refuses for its padding, is one with which no receiver verifies a single alert.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >secrets.txt <<'TXT'
whsec_padded   whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
padded         MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
unpadded       MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE
TXT
cat >go.mod <<'MOD'
module finding

go 1.26

require github.com/standard-webhooks/standard-webhooks/libraries v0.0.1
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	data, _ := os.ReadFile("secrets.txt")
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		got := "error"
		if w, err := standard.NewWebhook(f[1]); err == nil {
			got, _ = w.Sign("msg_1", time.Unix(1700000000, 0), []byte("{}"))
			got = got[:11]
		}
		fmt.Printf("%-13s %-7s %s\n", f[0], "go", got)
	}
}
GO
cat >sign.py <<'PY'
import datetime, sys
from standardwebhooks.webhooks import Webhook
for line in open("secrets.txt"):
    name, secret = line.split()
    try:
        got = Webhook(secret).sign("msg_1", datetime.datetime.fromtimestamp(1700000000, datetime.timezone.utc), "{}")[:11]
    except Exception:
        got = "error"
    print(f"{name:13} {'python':7} {got}")
PY
cat >sign.js <<'JS'
const { Webhook } = require("standardwebhooks");
for (const line of require("fs").readFileSync("secrets.txt", "utf8").trim().split("\n")) {
  const [name, secret] = line.split(/\s+/);
  let got = "error";
  try { got = new Webhook(secret).sign("msg_1", new Date(1700000000000), "{}").slice(0, 11); } catch {}
  console.log(`${name.padEnd(13)} ${"js".padEnd(7)} ${got}`);
}
JS
{
	go mod tidy
	python3 -m venv venv && venv/bin/pip install -q standardwebhooks==1.1.0
	npm install --no-audit --no-fund standardwebhooks@1.0.0
} >/dev/null 2>&1
got=$(go run . && venv/bin/python sign.py && node sign.js)
printf '%s\n' "$got"
want='whsec_padded  go      v1,f/Y+daDm
padded        go      v1,f/Y+daDm
unpadded      go      error
whsec_padded  python  v1,f/Y+daDm
padded        python  v1,f/Y+daDm
unpadded      python  v1,f/Y+daDm
whsec_padded  js      v1,f/Y+daDm
padded        js      v1,f/Y+daDm
unpadded      js      v1,f/Y+daDm'
diff <(printf '%s\n' "$want") <(printf '%s\n' "$got")
