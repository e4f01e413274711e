package admin

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minihost/internal/front"
)

// manualRun starts a function and answers 202 before it has run, whatever
// comes of it.
func (a *API) manualRun(req *front.Request, name string) front.Response {
	if v, _ := req.Fields.Get("Content-Type"); !jsonMedia(v) {
		return front.Response{Status: http.StatusUnsupportedMediaType}
	}
	body, err := req.Body()
	if err != nil {
		return front.Response{Status: http.StatusBadRequest}
	}
	input, err := manualInput(body)
	if err != nil {
		return front.Response{Status: http.StatusBadRequest}
	}
	f := a.byName(name)
	if f == nil || len(f.Errors) > 0 {
		return front.Response{Status: http.StatusNotFound}
	}
	a.Run(f, input)
	return front.Response{Status: http.StatusAccepted}
}

func jsonMedia(v string) bool {
	media, _, err := mime.ParseMediaType(v)
	return err == nil && (media == "application/json" || media == "text/json" ||
		(strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")))
}

var errManualInput = errors.New(`the body must be an object such as {"input":"…"}`)

// manualInput reads {"input":…}: text, or a scalar as its text.
func manualInput(body []byte) (*string, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil || doc == nil {
		return nil, errManualInput
	}
	for name, raw := range doc {
		if !strings.EqualFold(name, "input") || string(raw) == "null" {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return &text, nil
		}
		if raw[0] == '{' || raw[0] == '[' {
			return nil, errManualInput
		}
		text = string(raw)
		return &text, nil
	}
	return nil, nil
}
