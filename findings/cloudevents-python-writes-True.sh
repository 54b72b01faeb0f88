#!/usr/bin/env bash
# CloudEvents' Python SDK writes a boolean attribute as True in a header.
#
# Guess:   a boolean extension attribute is `true` in both modes of the Kafka binding, as the
#          specification's canonical form of a Boolean says.
# Seen:    structured mode writes true, binary mode writes Python's True, over Kafka and HTTP.
#          Reading the message back gives the text True.
# Output:  structured  true
#          kafka       True
#          http        True
#          read back   'True'
# Pinned:  cloudevents 2.2.0 (PyPI)
# Date:    2026-11-30
# Source:  https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, "Type System":
#          Boolean, "String encoding"; cloudevents.core.bindings.kafka.to_binary
# Why:     producers mark events that are sent again, such as fills after a reconnect, with an
#          attribute. A rule that excludes them by comparing with "true" lets those of a Python
#          producer in binary mode through, and alerts on old fills.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
{ python3 -m venv venv && venv/bin/pip install -q cloudevents==2.2.0; } >/dev/null 2>&1
cat >modes.py <<'PY'
import json
from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

attributes = {"id": "1", "type": "order.filled", "source": "/oms", "specversion": "1.0", "replayed": True}
event, form = CloudEvent(attributes, {"account_id": "A7"}), JSONFormat()
binary = kafka.to_binary(event, form)
print("structured ", json.dumps(json.loads(kafka.to_structured(event, form).value)["replayed"]))
print("kafka      ", binary.headers["ce_replayed"].decode())
print("http       ", http.to_binary(event, form).headers["ce-replayed"])
print("read back  ", repr(kafka.from_binary(binary, form).get_extension("replayed")))
PY
got=$(venv/bin/python modes.py)
printf '%s\n' "$got"
want="structured  true
kafka       True
http        True
read back   'True'"
diff <(printf '%s\n' "$want") <(printf '%s\n' "$got")
