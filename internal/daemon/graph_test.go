package daemon

import (
	"testing"

	"go.uber.org/fx"
)

func TestGraphIsComplete(t *testing.T) {
	if err := fx.ValidateApp(graph(&Daemon{}, &cluster{}), fx.Invoke(func(parts) {})); err != nil {
		t.Fatal(err)
	}
}
