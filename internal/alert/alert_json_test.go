package alert

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestPartsSurviveJSON: short cuts for plain texts give what encoding/json gives.
func TestPartsSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]*`)).Draw(t, "text")
		for _, p := range []Part{{Text: text}, {Text: text, Value: true}} {
			b, err := p.MarshalJSON()
			if err != nil || !json.Valid(b) {
				t.Fatalf("%s, %v", b, err)
			}
			var got Part
			if err := json.Unmarshal(b, &got); err != nil || got != p {
				t.Fatalf("%s is read as %+v, %v", b, got, err)
			}
			var v any = text
			if p.Value {
				v = map[string]string{"v": text}
			}
			if want, _ := marshal(v); string(b) != string(want) {
				t.Fatalf("wrote %s, want %s", b, want)
			}
			spaced := append(append([]byte(" "), b...), '\n')
			if err := json.Unmarshal(spaced, &got); err != nil || got != p {
				t.Fatalf("%q is read as %+v, %v", spaced, got, err)
			}
		}
	})
	for _, wrong := range []string{`{"v":"a","w":"b"}`, `{"v": "a"}`, `{"v":"a" }`, `5`, `{"v":5}`, `{"v"`, `{"v":"`, `{"v":"a"`, `"`, ``} {
		var p Part
		if err := p.UnmarshalJSON([]byte(wrong)); (err == nil) != json.Valid([]byte(wrong)) && wrong != "5" && wrong != `{"v":5}` {
			t.Errorf("%s: %+v, %v", wrong, p, err)
		}
		if p.Text != "" && p.Text != "a" {
			t.Errorf("%s is read as %+v", wrong, p)
		}
	}
}
