package sim

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"time"
)

// skewed lets an instance believe in another time. All processes of a run share the
// bubble's clock, so the instance's clock is moved where it meets that of others: the stamp
// of a writer, which a sweep compares with its own time, is moved in what the instance
// stores, and back in what it reads.
type skewed struct {
	http *http.Transport
	by   time.Duration
}

var stamp = regexp.MustCompile(`"(createdAt)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"`)

// RoundTrip implements http.RoundTripper.
func (s *skewed) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.by == 0 {
		return s.http.RoundTrip(r)
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		body = shift(body, s.by)
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	res, err := s.http.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	body = shift(body, -s.by)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Del("Content-Length")
	return res, nil
}

// CloseIdleConnections is what cosmos.Client.Close asks for.
func (s *skewed) CloseIdleConnections() { s.http.CloseIdleConnections() }

func shift(body []byte, by time.Duration) []byte {
	return stamp.ReplaceAllFunc(body, func(found []byte) []byte {
		part := stamp.FindSubmatch(found)
		at, err := time.Parse(time.RFC3339Nano, string(part[2]))
		if err != nil {
			return found
		}
		return []byte(`"` + string(part[1]) + `":"` + at.Add(by).Format(time.RFC3339Nano) + `"`)
	})
}
