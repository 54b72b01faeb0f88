package egress_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/egress"
)

func TestProxyOfSettingAndEnvironment(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://env.example.com:3128")
	t.Setenv("HTTP_PROXY", "http://env.example.com:3129")
	t.Setenv("NO_PROXY", "inside.example.com,10.0.0.0/8")
	for _, tt := range []struct{ setting, target, want string }{
		{"", "https://hooks.example.com/x", "http://env.example.com:3128"},
		{"", "http://hooks.example.com/x", "http://env.example.com:3129"},
		{"", "https://inside.example.com/x", "direct"},
		{"", "https://10.1.2.3/x", "direct"},
		{"", "https://127.0.0.1:8443/x", "direct"},
		{"none", "https://hooks.example.com/x", "direct"},
		{"http://user:pass@own.example.com:8080", "https://hooks.example.com/x", "http://user:pass@own.example.com:8080"},
		{"http://own.example.com:8080", "http://hooks.example.com/x", "http://own.example.com:8080"},
		{"http://own.example.com:8080", "https://inside.example.com/x", "http://own.example.com:8080"},
		{"http://own.example.com:8080", "https://127.0.0.1:8443/x", "http://own.example.com:8080"},
		{"http://own.example.com:8080", "http://localhost/x", "http://own.example.com:8080"},
		{"socks5://own.example.com", "https://hooks.example.com/x", "socks5://own.example.com"},
	} {
		proxy, err := egress.NewProxy(tt.setting)
		if err != nil {
			t.Fatal(err)
		}
		target, _ := url.Parse(tt.target)
		got := "direct"
		if u, err := proxy(target); err != nil {
			t.Error(err)
		} else if u != nil {
			got = u.String()
		}
		if got != tt.want {
			t.Errorf("%q, %s: %s, want %s", tt.setting, tt.target, got, tt.want)
		}
	}
}

func TestInvalidProxyIsNotShown(t *testing.T) {
	for _, setting := range []string{"proxy.example.com:3128", "ftp://hunter22@x", "http://", "http://x:hunter22", "off"} {
		if _, err := egress.NewProxy(setting); err == nil || !strings.Contains(err.Error(), "write none or a URL") || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestMetadataNamesAreBlockedThroughProxy(t *testing.T) {
	proxy, err := egress.NewProxy("http://proxy.example.com:3128")
	if err != nil {
		t.Fatal(err)
	}
	for host, blocked := range map[string]bool{
		"169.254.169.254": true, "[fd00:ec2::254]": true, "2852039166": true, "0xa9fea9fe": true, "169.16689662": true, "0251.0376.0251.0376": true,
		"metadata.google.internal": true, "Metadata.Google.Internal.": true, "instance-data": true,
		"10.1.2.3": false, "hooks.example.com": false, "metadata.example.com": false, "1.2.3.4.5": false,
	} {
		_, err := proxy(&url.URL{Scheme: "https", Host: host})
		if errors.Is(err, egress.ErrBlocked) != blocked {
			t.Errorf("%s: %v, want blocked %t", host, err, blocked)
		}
	}
}
