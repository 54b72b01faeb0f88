package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/cli/clitest"
)

// block is a fenced block of the documentation.
type block struct {
	file, info, text string
	line             int
}

var fence = regexp.MustCompile("(?ms)^```([a-z ]*)\n(.*?)^```$")

// blocks returns the blocks of all documents in the repository.
func blocks(t *testing.T) []block {
	t.Helper()
	files, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"docs", "bench"} {
		more, err := filepath.Glob("../../" + dir + "/*.md")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	var all []block
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllSubmatchIndex(text, -1) {
			all = append(all, block{
				file: strings.TrimPrefix(file, "../../"), info: string(text[m[2]:m[3]]), text: string(text[m[4]:m[5]]),
				line: bytes.Count(text[:m[0]], []byte("\n")) + 1,
			})
		}
	}
	return all
}

// TestCommandsInTheDocumentationWork runs every block marked sh in a directory
// that shows the repository, so that what it writes is not kept, beside a running `notifier dev` on ports of the test's own.
// What runs until it is stopped is stopped after a while; make is asked what
// it would do, since a test cannot run all tests.
func TestCommandsInTheDocumentationWork(t *testing.T) { runBlocks(t, "sh", 7) }

func runBlocks(t *testing.T, info string, least int) {
	t.Helper()
	dev := spawnDev(t)
	bin := t.TempDir()
	wrap := func(name, script string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// In the foreground, since timeout would else interrupt the program twice,
	// itself and as one of its group, and the second time ends it at once.
	wrap("notifier", fmt.Sprintf(`export %s=1
case $1 in
dev) timeout --foreground --preserve-status -s INT 3 %q "$@" --kafka 127.0.0.1:0 --http 127.0.0.1:0 ;;
run) timeout --foreground --preserve-status -s INT 3 %q "$@" --group from-the-docs --create-topics ;;
*) exec %q "$@" ;;
esac`, asMain, exe, exe, exe))
	wrap("go", `[ "$1 $2" = "run ./cmd/notifier" ] || exit 64; shift 2; exec notifier "$@"`)
	makePath, err := exec.LookPath("make")
	if err != nil {
		t.Fatal(err)
	}
	wrap("make", fmt.Sprintf(`exec %q -n "$@"`, makePath))
	dir := t.TempDir()
	top, err := filepath.Glob("../../*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range top {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		here := filepath.Join(dir, filepath.Base(path))
		if filepath.Base(path) == "configs" { // one that is a link is not used
			err = os.CopyFS(here, os.DirFS(path))
		} else {
			err = os.Symlink(path, here)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for _, b := range blocks(t) {
		if b.info != info {
			continue
		}
		ran++
		t.Run(fmt.Sprintf("%s:%d", b.file, b.line), func(t *testing.T) {
			text := strings.NewReplacer("127.0.0.1:9092", dev.kafka, "127.0.0.1:9464", dev.http).Replace(b.text)
			cmd := exec.Command("bash", "-euo", "pipefail", "-c", text)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KAFKA_BOOTSTRAP_SERVERS="+dev.kafka, "NOTIFIER_HTTP_LISTEN=127.0.0.1:0")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s\n%s", err, text, out)
			}
		})
	}
	if ran < least {
		t.Errorf("only %d blocks were found", ran)
	}
}

// devProcess is a running `notifier dev`.
type devProcess struct{ kafka, http string }

var head = regexp.MustCompile(`kafka (\S+)  http://(\S+)`)

func spawnDev(t *testing.T) devProcess {
	t.Helper()
	out := clitest.NewLines()
	cmd := exec.Command(os.Args[0], "dev", "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), asMain+"=1")
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, "../.."
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if text := out.String(); !strings.Contains(text, "stopped after") {
			t.Errorf("dev ends without its account:\n%s", text)
		}
	})
	m := head.FindStringSubmatch(out.Wait(t, 20*time.Second, "notifier dev"))
	if m == nil {
		t.Fatalf("the head is %s", out)
	}
	out.Wait(t, 20*time.Second, "Rejected: NVDA") // the story has begun
	return devProcess{kafka: m[1], http: m[2]}
}

// TestReadmeShowsDevScreen holds the README's screen against the golden one.
func TestReadmeShowsDevScreen(t *testing.T) {
	golden, err := os.ReadFile("testdata/screen.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks(t) {
		if b.file == "README.md" && strings.HasPrefix(b.text, "notifier dev ") {
			if !strings.HasPrefix(string(golden), b.text) {
				t.Errorf("the README shows\n%s\nthe program\n%s", b.text, golden)
			}
			return
		}
	}
	t.Error("the README shows no screen")
}
