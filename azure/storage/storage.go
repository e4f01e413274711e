// Package storage asks the storage account of the Functions host one cheap question:
// whether it can be reached and lets us in. The app itself stores nothing there; the host
// keeps its timers' status, locks and keys in it.
package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/azure/probe"
)

// hostContainer is where the Functions host keeps locks and timers.
const hostContainer = "azure-webjobs-hosts"

// developmentStorage is what UseDevelopmentStorage=true stands for: Azurite's public
// account at its usual place.
const developmentStorage = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;" +
	"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" +
	"BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"

// Connection says where the account is. Give a ConnectionString, or one of the others,
// which go with an identity.
type Connection struct {
	ConnectionString string
	AccountName      string
	BlobURI          string
}

// ConnectionOf reads a setting that is a connection string, or a section of settings.
func ConnectionOf(settings map[string]string, name string) Connection {
	return Connection{ConnectionString: settings[name], AccountName: settings[name+"__accountName"], BlobURI: settings[name+"__blobServiceUri"]}
}

// Set says whether there is a connection at all.
func (c Connection) Set() bool { return c != Connection{} }

// Development says whether the connection is the shorthand for Azurite.
func (c Connection) Development() bool {
	return strings.EqualFold(access.Part(c.ConnectionString, "UseDevelopmentStorage"), "true")
}

// Secret says whether the connection holds a key or signature of an account in Azure.
func (c Connection) Secret() bool {
	return c.ConnectionString != "" && !c.Development() && !strings.HasPrefix(c.ConnectionString, "@Microsoft.KeyVault") && access.Part(c.ConnectionString, "AccountName") != "devstoreaccount1"
}

// Options tunes Ask; the zero value works with a connection string.
type Options struct {
	Credential azcore.TokenCredential
	Transport  http.RoundTripper // replaces the SDK's
}

// Ask reads the properties of the host's container. That there is none yet is an answer,
// too: the host makes it. place is where was asked; the error is judged.
func Ask(ctx context.Context, conn Connection, opts Options) (place string, err error) {
	client, err := open(conn, opts)
	if err != nil {
		return "", &probe.Error{Verdict: probe.Faulty, Err: err}
	}
	if u, err := url.Parse(client.URL()); err == nil {
		place = u.Host
	}
	_, err = client.GetProperties(ctx, nil)
	err = probe.Judge(err)
	if err != nil && probe.Of(err) == probe.Missing {
		return place, nil
	}
	return place, err
}

func open(conn Connection, opts Options) (*container.Client, error) {
	o := &container.ClientOptions{ClientOptions: azcore.ClientOptions{
		Retry:     policy.RetryOptions{MaxRetries: -1}, // the caller's time is short
		Telemetry: policy.TelemetryOptions{ApplicationID: "relaybox"},
	}}
	if opts.Transport != nil {
		o.Transport = transporter{opts.Transport}
	}
	switch {
	case conn.Development():
		return container.NewClientFromConnectionString(developmentStorage, hostContainer, o)
	case conn.ConnectionString != "":
		client, err := container.NewClientFromConnectionString(conn.ConnectionString, hostContainer, o)
		if err != nil {
			return nil, errors.New("the connection string cannot be read: it needs AccountName and AccountKey, or BlobEndpoint and SharedAccessSignature") // err may repeat the key
		}
		return client, nil
	case conn.BlobURI == "" && conn.AccountName == "":
		return nil, errors.New("no account is named")
	}
	service := conn.BlobURI
	if service == "" {
		service = fmt.Sprintf("https://%s.blob.core.windows.net", conn.AccountName)
	}
	return container.NewClient(strings.TrimSuffix(service, "/")+"/"+hostContainer, access.Mark(opts.Credential), o)
}

type transporter struct{ http.RoundTripper }

func (t transporter) Do(req *http.Request) (*http.Response, error) { return t.RoundTrip(req) }
