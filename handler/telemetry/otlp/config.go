package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
)

// Config says where one kind of telemetry goes.
type Config struct {
	// URL takes the requests: the endpoint with its path.
	URL    string
	Header http.Header
	// Timeout bounds one export with its repetitions; default 10 s.
	Timeout time.Duration
	// Gzip compresses the bodies.
	Gzip bool
	// TLS is nil for the system's own certificates.
	TLS         *tls.Config
	Temporality Temporality
	// Logger hears when the collector cannot be reached any more, and when it can again.
	Logger *slog.Logger
}

// Temporality is how counters and histograms are counted: "cumulative" from the start, which
// is the default, "delta" from one export to the next, or "lowmemory".
type Temporality string

func (t Temporality) selector() metric.TemporalitySelector {
	switch t {
	case "delta":
		return metric.DeltaTemporalitySelector
	case "lowmemory":
		return metric.LowMemoryTemporalitySelector
	}
	return metric.CumulativeTemporalitySelector
}

// Environment reads the Config of "traces" or "metrics" from the standard variables
// (OTEL_EXPORTER_OTLP_*), of which those with the kind in their name win. ok is false if none
// names an endpoint.
func Environment(environment map[string]string, kind string) (cfg Config, ok bool, err error) {
	v := variables{environment, strings.ToUpper(kind) + "_"}
	if cfg.URL, err = v.url(kind); err != nil || cfg.URL == "" {
		return cfg, false, err
	}
	if p, name := v.get("PROTOCOL"); p != "" && p != "http/protobuf" {
		return cfg, false, fmt.Errorf("%s is %.40q: only http/protobuf is spoken here", name, p)
	}
	if cfg.Header, err = v.header(); err != nil {
		return cfg, false, err
	}
	if text, name := v.get("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms <= 0 {
			return cfg, false, fmt.Errorf("%s is %.40q, which is no number of milliseconds above zero", name, text)
		}
		cfg.Timeout = time.Duration(ms) * time.Millisecond
	}
	switch text, name := v.get("COMPRESSION"); text {
	case "", "none":
	case "gzip":
		cfg.Gzip = true
	default:
		return cfg, false, fmt.Errorf("%s is %.40q: use gzip or none", name, text)
	}
	if cfg.TLS, err = v.tls(); err != nil {
		return cfg, false, err
	}
	cfg.Temporality = Temporality(strings.ToLower(environment["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"]))
	return cfg, true, nil
}

// variables finds a setting of one kind of telemetry, or of all.
type variables struct {
	of   map[string]string
	kind string
}

func (v variables) get(what string) (value, name string) {
	const prefix = "OTEL_EXPORTER_OTLP_"
	for _, name = range []string{prefix + v.kind + what, prefix + what} {
		if value = strings.TrimSpace(v.of[name]); value != "" {
			return value, name
		}
	}
	return "", name
}

// url is the endpoint of the kind as it stands, or the common one with the kind's path.
func (v variables) url(kind string) (string, error) {
	text, name := v.get("ENDPOINT")
	if text == "" {
		return "", nil
	}
	at, err := url.Parse(text)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		// It may hold a secret, so it is not repeated.
		return "", fmt.Errorf("%s is no URL: write http://HOST:4318 or https://HOST", name)
	}
	if !strings.Contains(name, v.kind) {
		at = at.JoinPath("v1", kind)
	} else if at.Path == "" {
		at.Path = "/"
	}
	return at.String(), nil
}

// header reads name=value pairs with commas between them, their values encoded as in a URL.
func (v variables) header() (http.Header, error) {
	h := http.Header{}
	text, setting := v.get("HEADERS")
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || err != nil || name == "" {
			return nil, fmt.Errorf("%s is no list of NAME=VALUE with commas between, values encoded as in a URL", setting)
		}
		h.Set(name, value)
	}
	return h, nil
}

func (v variables) tls() (*tls.Config, error) {
	file, name := v.get("CERTIFICATE")
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s has no certificate in PEM", name, file)
	}
	return &tls.Config{RootCAs: pool}, nil
}
