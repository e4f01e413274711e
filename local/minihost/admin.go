package minihost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/app"
	"github.com/relaybox/relaybox/local/minihost/internal/front"
	"github.com/relaybox/relaybox/local/minihost/internal/timer"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// admin serves /admin/… (reference §5): what a developer needs locally. The
// path has lost its prefix and outer slashes.
func (h *run) admin(ctx context.Context, req *front.Request, path string) front.Response {
	parts := strings.Split(strings.ToLower(path), "/")
	get := req.Method == http.MethodGet || req.Method == http.MethodHead
	post := req.Method == http.MethodPost
	if len(parts) == 2 && parts[0] == "host" && parts[1] == "ping" && (get || post) {
		return front.Response{Status: http.StatusOK, Fields: wire.Fields{{Name: "Cache-Control", Value: "no-store,no-cache"}, {Name: "Pragma", Value: "no-cache"}}}
	}
	if !h.allowed(req, true) {
		return unauthorized()
	}
	switch {
	case get && path != "" && strings.EqualFold(path, "host/status"):
		return asJSON(h.hostStatus())
	case get && len(parts) == 1 && parts[0] == "functions":
		list := []functionInfo{}
		for _, f := range h.functions {
			list = append(list, h.info(req, f))
		}
		return asJSON(list)
	case parts[0] != "functions" || len(parts) > 3:
		return front.Response{Status: http.StatusNotFound}
	case post && len(parts) == 2:
		return h.manualRun(ctx, req, parts[1])
	}
	f := h.byName(parts[1])
	switch {
	case f == nil || !get:
		return front.Response{Status: http.StatusNotFound}
	case len(parts) == 2:
		return asJSON(h.info(req, f))
	case parts[2] == "status":
		return asJSON(struct {
			Errors []string `json:"errors,omitempty"`
		}{f.Errors})
	}
	return front.Response{Status: http.StatusNotFound}
}

func (h *Host) byName(name string) *app.Definition {
	for _, f := range h.functions {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

type hostStatus struct {
	ID              string `json:"id"`
	State           string `json:"state"`
	Version         string `json:"version"`
	VersionDetails  string `json:"versionDetails"`
	PlatformVersion string `json:"platformVersion"`
	InstanceID      string `json:"instanceId"`
	ComputerName    string `json:"computerName"`
	ProcessUptime   int64  `json:"processUptime"`
	Editing         string `json:"functionAppContentEditingState"`
}

func (h *run) hostStatus() hostStatus {
	machine, _ := os.Hostname()
	sum := sha256.Sum256([]byte(h.config.Root))
	id := strings.ToLower(machine)
	return hostStatus{
		ID: id[:min(len(id), 22)] + "-" + hex.EncodeToString(sum[:4]), State: "Running",
		Version: front.HostVersion, VersionDetails: front.HostVersion, ProcessUptime: h.uptime(), Editing: "Unknown",
	}
}

type functionInfo struct {
	Name       string          `json:"name"`
	ScriptRoot string          `json:"script_root_path_href"`
	Script     *string         `json:"script_href"`
	ConfigHref string          `json:"config_href"`
	TestData   string          `json:"test_data_href"`
	Href       string          `json:"href"`
	InvokeURL  *string         `json:"invoke_url_template"`
	Language   *string         `json:"language"`
	Config     json.RawMessage `json:"config"`
	Files      *string         `json:"files"`
	Test       string          `json:"test_data"`
	IsDisabled bool            `json:"isDisabled"`
	IsDirect   bool            `json:"isDirect"`
	IsProxy    bool            `json:"isProxy"`
}

func (h *run) info(req *front.Request, f *app.Definition) functionInfo {
	host, _ := req.Fields.Get("Host")
	base := "http://" + host
	vfs := base + "/admin/vfs" + filepath.ToSlash(h.config.Root) + "/"
	config := f.JSON
	if !json.Valid(config) {
		config = json.RawMessage("null")
	}
	info := functionInfo{
		Name: f.Name, ScriptRoot: vfs + f.Name + "/", ConfigHref: vfs + f.Name + "/function.json", TestData: vfs + "data/" + f.Name + ".dat",
		Href: base + "/admin/functions/" + f.Name, Config: config, IsDisabled: f.Disabled,
	}
	if f.Trigger == HTTPTrigger {
		url := base + "/" + f.Route
		info.InvokeURL = &url
	}
	return info
}

// manualRun starts a function and answers 202 before it has run, whatever
// comes of it.
func (h *run) manualRun(ctx context.Context, req *front.Request, name string) front.Response {
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
	f := h.byName(name)
	if f == nil || len(f.Errors) > 0 {
		return front.Response{Status: http.StatusNotFound}
	}
	h.manual.Go(func() { h.runManually(ctx, f, input) })
	return front.Response{Status: http.StatusAccepted}
}

func (h *run) runManually(ctx context.Context, f *app.Definition, input *string) {
	switch f.Trigger {
	case TimerTrigger:
		status, ok := h.status.Get(f.Name)
		if !ok {
			status.Next = f.Timer.Schedule.Next(h.started)
		}
		_, _ = h.invoke(ctx, f, azfunc.EncodeTimer(h.call(f), timer.Data(f.Timer, status, false), input))
	case ServiceBusTrigger:
		d := azfunc.Delivery{Namespace: f.Bus.Connection.Namespace}
		if input != nil {
			d.Body = []byte(*input)
		}
		payload := azfunc.TextTwice
		if f.Bus.Binary {
			payload = azfunc.Binary
		}
		_, _ = h.invoke(ctx, f, azfunc.EncodeMessage(h.call(f), d, payload))
	default:
		h.log.ErrorContext(ctx, "an HTTP function cannot be run from text; call its URL", "function", f.Name)
	}
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
