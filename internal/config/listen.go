package config

import (
	"cmp"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/secret"
)

// HTTPListen returns http.listen of a configuration, or the default if there is
// none. It reads no other setting, so other faults do not matter.
func HTTPListen(src Source) (string, error) {
	listen := Defaults().HTTP.Listen
	content, err := src.read()
	if err != nil && !errors.Is(err, ErrNoFile) {
		return "", err
	}
	var file struct {
		HTTP struct {
			Listen string `yaml:"listen"`
		} `yaml:"http"`
	}
	if err := yaml.Unmarshal(content.data, &file); err != nil {
		return "", fmt.Errorf("cannot read http.listen in %s: %s", content.name, secret.RedactInput(err.Error()))
	}
	listen = cmp.Or(src.Getenv("NOTIFIER_HTTP_LISTEN"), file.HTTP.Listen, listen)
	if err := admin.CheckListen(listen); err != nil {
		return "", fmt.Errorf("http.listen: %w", err)
	}
	return listen, nil
}
