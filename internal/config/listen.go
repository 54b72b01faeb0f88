package config

import (
	"cmp"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/secret"
)

// HTTPListen returns where a daemon with this configuration serves HTTP, or
// the default where there is none. It looks at http.listen alone: no rules, no
// secrets, and faults elsewhere do not matter.
func HTTPListen(src Source) (string, error) {
	listen := Defaults().HTTP.Listen
	found, err := src.read()
	if err != nil && !errors.Is(err, ErrNoFile) {
		return "", err
	}
	var file struct {
		HTTP struct {
			Listen string `yaml:"listen"`
		} `yaml:"http"`
	}
	if err := yaml.Unmarshal(found.data, &file); err != nil {
		return "", fmt.Errorf("cannot read http.listen in %s: %s", found.name, secret.RedactInput(err.Error()))
	}
	listen = cmp.Or(src.Getenv("NOTIFIER_HTTP_LISTEN"), file.HTTP.Listen, listen)
	if err := admin.CheckListen(listen); err != nil {
		return "", fmt.Errorf("http.listen: %w", err)
	}
	return listen, nil
}
