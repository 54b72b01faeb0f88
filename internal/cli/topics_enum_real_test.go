//go:build real

package cli

import "testing"

// TestPythonEnumFormatsAsTopic: whichever way a member becomes text. An
// enum that formats as Topics.TRADE_EXECUTIONS sends events where nobody reads.
func TestPythonEnumFormatsAsTopic(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "topics.py", enums["python"]("1.2.3"))
	prints(t, dir, names(), "python3", "-c", `
import ast, copy, json, pickle
ast.parse(open("topics.py").read(), feature_version=(3, 8))
from topics import Topics

for topic in Topics:
    name = topic.value
    assert type(name) is str
    ways = [f"{topic}", f"{topic!s}", f"{topic:s}", "{}".format(topic), "%s" % topic, str(topic), "" + topic,
            "".join([topic]), topic.encode().decode(), json.loads(json.dumps(topic)), format(topic)]
    assert all(type(w) is str and w == name for w in ways), ways
    assert f"{topic:>30}" == name.rjust(30)
    assert topic == name and {name: 1}[topic] == 1 and {topic: 1}[name] == 1
    assert Topics(name) is topic and pickle.loads(pickle.dumps(topic)) is topic and copy.copy(topic) is topic
    assert isinstance(topic, str)
    print(topic)
`)
}

// TestTheTypeScriptCompiles: and its type takes nothing but the names.
func TestTheTypeScriptCompiles(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "package.json", `{"private": true, "type": "module"}`)
	put(t, dir, "topics.ts", enums["ts"]("1.2.3"))
	put(t, dir, "main.ts", `import { Topics, type Topic } from "./topics.js";

const all: Topic[] = [Topics.tradeExecutions, Topics.portfolioUpdates, Topics.forwardTestEvents, "trade-executions"];
// @ts-expect-error: no other string is a topic
const wrong: Topic = "Topics.TRADE_EXECUTIONS";
// @ts-expect-error: nor can a name be changed
Topics.tradeExecutions = "orders";
all.slice(0, 3).forEach((name) => console.log(name + (wrong ? "" : "!")));
`)
	prints(t, dir, "", "npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "typescript@5.9.3")
	prints(t, dir, "", "node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "main.ts")
	put(t, dir, "print.mjs", `import { Topics } from "./topics.js";
for (const name of Object.values(Topics)) console.log(name);
`)
	prints(t, dir, names(), "node", "print.mjs")
}
