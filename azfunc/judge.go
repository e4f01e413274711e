package azfunc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// An Answer is a handler's successful answer over the default protocol.
type Answer struct {
	Outputs     map[string]json.RawMessage
	Logs        []string
	ReturnValue json.RawMessage
}

// DecodeAnswer judges an answer by the real host's rules (reference §3.6):
// success is a 2xx with the JSON media type and an object. The errors are
// ErrFailed, ErrNoAnswer and ErrInvalidAnswer, each with its detail.
func DecodeAnswer(status int, h http.Header, body []byte) (Answer, error) {
	if status < 200 || status > 299 {
		return Answer{}, fmt.Errorf("%w: status %d", ErrFailed, status)
	}
	if len(body) == 0 {
		return Answer{}, ErrNoAnswer
	}
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || (media != "application/json" && media != "text/json") {
		return Answer{}, fmt.Errorf("%w: content type %q is not application/json", ErrInvalidAnswer, h.Get("Content-Type"))
	}
	// The host reads one value and looks no further.
	d := json.NewDecoder(bytes.NewReader(body))
	var raw json.RawMessage
	if err := d.Decode(&raw); err == io.EOF {
		return Answer{}, ErrNoAnswer
	} else if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrInvalidAnswer, err)
	}
	if string(raw) == "null" {
		return Answer{}, ErrNoAnswer
	}
	return decodeAnswer(raw)
}

func decodeAnswer(raw json.RawMessage) (Answer, error) {
	var doc struct {
		Outputs     map[string]json.RawMessage
		Logs        []json.RawMessage
		ReturnValue json.RawMessage
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrInvalidAnswer, err)
	}
	a := Answer{Outputs: doc.Outputs, ReturnValue: doc.ReturnValue}
	for _, l := range doc.Logs {
		line, ok := logLine(l)
		if !ok {
			return Answer{}, fmt.Errorf("%w: Logs holds %.40s, not text", ErrInvalidAnswer, l)
		}
		a.Logs = append(a.Logs, line)
	}
	return a, nil
}

// logLine accepts what converts to text: strings and other scalars.
func logLine(raw json.RawMessage) (string, bool) {
	if strings.HasPrefix(string(raw), "{") || strings.HasPrefix(string(raw), "[") {
		return "", false
	}
	return text(raw), true
}
