package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/algotrade/notifier/internal/secret"
)

// Bounds of a signing key, in bytes. Standard Webhooks asks for 24 to 64.
const (
	shortestKey    = 16
	recommendedKey = 24
)

// maxSecrets is how many secrets sign a request: while one replaces another.
const maxSecrets = 2

// decodeKey returns the key of a secret: base64, with or without whsec_ and padding
// as the official libraries read it, or raw: and the key itself. Errors do not
// contain the secret.
func decodeKey(text string) ([]byte, error) {
	const raw = "raw:"
	key := []byte(strings.TrimPrefix(text, raw))
	if !strings.HasPrefix(text, raw) {
		var err error
		if key, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimPrefix(text, "whsec_"), "=")); err != nil {
			return nil, errors.New("is not base64: copy it as the receiver shows it, or write raw: before a text that is the key itself")
		}
	}
	if len(key) < shortestKey {
		return nil, fmt.Errorf("is a key of %d bytes, which is too short: use %d or more, such as whsec_ and the output of 'openssl rand -base64 32'", len(key), recommendedKey)
	}
	return key, nil
}

// newSigners returns what signs with each of the secrets.
func newSigners(secrets []secret.String) ([]*standard.Webhook, error) {
	var signers []*standard.Webhook
	for _, s := range secrets {
		key, err := decodeKey(s.Current())
		if err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		signer, err := standard.NewWebhookRaw(key)
		if err != nil {
			return nil, errors.New("secret: is not accepted as a key")
		}
		signers = append(signers, signer)
	}
	return signers, nil
}
