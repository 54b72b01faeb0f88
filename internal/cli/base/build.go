package base

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set by the release build, such as 1.2.3.
var version string

// Build describes the program's build. Unknown values are empty.
type Build struct {
	Version  string `json:"version"` // of the release, else dev-REVISION
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision, RFC 3339
	Modified bool   `json:"modified"`       // uncommitted changes
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// Built reads the version control information that go build embeds.
func Built() Build {
	b := Build{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.time":
				b.Time = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = strings.TrimSuffix("dev-"+b.short(), "-")
	}
	return b
}

// short returns the abbreviated revision, marked when there were local changes.
func (b Build) short() string {
	short := b.Revision[:min(12, len(b.Revision))]
	if short != "" && b.Modified {
		short += "-modified"
	}
	return short
}

// String returns the build as one line.
func (b Build) String() string {
	var of []string
	if short := b.short(); short != "" && !strings.HasSuffix(b.Version, short) {
		of = append(of, short)
	}
	if day, _, ok := strings.Cut(b.Time, "T"); ok {
		of = append(of, day)
	}
	of = append(of, b.Go, b.OS+"/"+b.Arch)
	return fmt.Sprintf("notifier %s (%s)", b.Version, strings.Join(of, ", "))
}

func VersionText() string { return Built().Version }
