package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/app"
	"github.com/relaybox/relaybox/local/minihost/internal/front"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

type hostStatus struct {
	ID              string `json:"id"`
	State           string `json:"state"`
	Version         string `json:"version"`
	VersionDetails  string `json:"versionDetails"`
	PlatformVersion string `json:"platformVersion"`
	InstanceID      string `json:"instanceId"`
	ComputerName    string `json:"computerName"`
	ProcessUptime   int64  `json:"processUptime"` // milliseconds
	Editing         string `json:"functionAppContentEditingState"`
}

func (a *API) hostStatus() hostStatus {
	machine, _ := os.Hostname()
	sum := sha256.Sum256([]byte(a.Root))
	id := strings.ToLower(machine)
	return hostStatus{
		ID: id[:min(len(id), 22)] + "-" + hex.EncodeToString(sum[:4]), State: "Running",
		Version: front.HostVersion, VersionDetails: front.HostVersion, ProcessUptime: time.Since(a.Started).Milliseconds(), Editing: "Unknown",
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

func (a *API) info(req *front.Request, f *app.Definition) functionInfo {
	host, _ := req.Fields.Get("Host")
	base := "http://" + host
	vfs := base + "/admin/vfs" + filepath.ToSlash(a.Root) + "/"
	config := f.JSON
	if !json.Valid(config) {
		config = json.RawMessage("null")
	}
	info := functionInfo{
		Name: f.Name, ScriptRoot: vfs + f.Name + "/", ConfigHref: vfs + f.Name + "/function.json", TestData: vfs + "data/" + f.Name + ".dat",
		Href: base + "/admin/functions/" + f.Name, Config: config, IsDisabled: f.Disabled,
	}
	if f.Trigger == app.HTTPTrigger {
		url := base + "/" + f.Route
		info.InvokeURL = &url
	}
	return info
}

func asJSON(v any) front.Response {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return front.Response{Status: http.StatusInternalServerError}
	}
	return front.Response{Status: http.StatusOK, Fields: wire.Fields{{Name: "Content-Type", Value: "application/json; charset=utf-8"}},
		Body: []byte(strings.TrimSuffix(out.String(), "\n"))}
}
