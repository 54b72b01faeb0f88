// Package compose_test holds compose.yaml against the compose specification's
// own loader. It is a module of its own, which keeps the program's go.mod short.
package compose_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "compose.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context()) // validates against the schema, too
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPortsListenOnLoopbackOnly(t *testing.T) {
	seen := 0
	for name, s := range load(t).Services {
		for _, port := range s.Ports {
			seen++
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q", name, port.Published, port.HostIP)
			}
		}
	}
	if seen < 5 {
		t.Errorf("only %d ports", seen)
	}
}

// TestMountedFilesExist: a file that is missing would become an empty
// directory.
func TestMountedFilesExist(t *testing.T) {
	seen := 0
	for name, s := range load(t).Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			seen++
			if !v.ReadOnly {
				t.Errorf("%s can write to %s", name, v.Source)
			}
			info, err := os.Stat(v.Source)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if info.IsDir() == (filepath.Ext(v.Target) != "") {
				t.Errorf("%s mounts %s as %s", name, v.Source, v.Target)
			}
		}
	}
	if seen < 6 {
		t.Errorf("only %d mounts", seen)
	}
}

// TestServicesStartInOrder: each service that another one waits for has a health
// check, or ends.
func TestServicesStartInOrder(t *testing.T) {
	p := load(t)
	after := func(name, on, condition string) {
		t.Helper()
		if got := p.Services[name].DependsOn[on].Condition; got != condition {
			t.Errorf("%s waits for %s until %q, want %s", name, on, got, condition)
		}
	}
	after("topics", "kafka", types.ServiceConditionHealthy)
	after("notifier", "topics", types.ServiceConditionCompletedSuccessfully)
	after("notifier", "mailpit", types.ServiceConditionHealthy)
	after("grafana", "prometheus", types.ServiceConditionHealthy)
	for name, s := range p.Services {
		switch {
		case name == "notifier": // as its image says
		case name == "topics":
			if s.HealthCheck == nil || !s.HealthCheck.Disable || s.Restart != "" {
				t.Error("topics runs once: it has no health and is not started again")
			}
		case s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Test[0] != "CMD":
			t.Errorf("%s has no health check", name)
		}
	}
}

func TestDaemonHasOnlyNeededPrivileges(t *testing.T) {
	p := load(t)
	for _, name := range []string{"notifier", "topics"} {
		s := p.Services[name]
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s: read only %v, without %v, %v", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
	}
	s := p.Services["notifier"]
	if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) != 45*time.Second {
		t.Errorf("it may take %v to stop: less than the unit's 45 s", s.StopGracePeriod)
	}
	if id := s.Environment["KAFKA_GROUP_INSTANCE_ID"]; id == nil || *id != s.Hostname || s.Hostname == "" {
		t.Errorf("the instance id is %v, the host %q", id, s.Hostname)
	}
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(dockerfile), "\nHEALTHCHECK ") {
		t.Error("the image does not say how it is")
	}
}

func TestImagesArePinned(t *testing.T) {
	p := load(t)
	pinned := regexp.MustCompile(`:v?\d+\.\d+`)
	for name, s := range p.Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s runs %s: pin it", name, s.Image)
		}
	}
	script, err := os.ReadFile(filepath.Join(root, "scripts", "kafka.sh"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^version=(\S+)`).FindSubmatch(script)
	if m == nil || p.Services["kafka"].Image != "apache/kafka:"+string(m[1]) {
		t.Errorf("it runs %s, the tests run version %s", p.Services["kafka"].Image, m[1])
	}
}

func TestComposeFileContainsNoSecret(t *testing.T) {
	secret := regexp.MustCompile(`(?i)password|passwd|token|secret|api_?key`)
	p := load(t)
	for name, s := range p.Services {
		for key, value := range s.Environment {
			if secret.MatchString(key) && value != nil && *value != "true" && *value != "false" {
				t.Errorf("%s sets %s", name, key)
			}
		}
	}
	if len(p.Secrets) > 0 {
		t.Errorf("secrets: %v", p.SecretNames())
	}
}

// TestImagesHaveFixedVersions, in compose.yaml and in the Dockerfile's stages:
// what was tried is what is started, today and in a year.
func TestImagesHaveFixedVersions(t *testing.T) {
	version := regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+\.\d+$`)
	images := map[string]string{}
	for name, s := range load(t).Services {
		if s.Build == nil {
			images[name] = s.Image
		} else if s.Image != "algotrade/notifier:local" {
			t.Errorf("%s is built here and called %s", name, s.Image)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^FROM (?:--\S+ )*(\S+)`).FindAllStringSubmatch(string(text), -1) {
		if m[1] != "scratch" {
			images["Dockerfile"] = m[1]
		}
	}
	if len(images) != 5 {
		t.Errorf("images are %v, want those of four services and of the Dockerfile", images)
	}
	for where, image := range images {
		if !version.MatchString(image) {
			t.Errorf("%s takes %s: name a whole version", where, image)
		}
	}
}
