package cosmos

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/relaybox/relaybox/azure/access"
)

// Connection says where the account is and who we are. Give an Endpoint for Azure,
// where the app's identity is the credential, or a ConnectionString for an emulator.
type Connection struct {
	// ConnectionString is `AccountEndpoint=…;AccountKey=…`. Further parts are ignored, but
	// for DisableServerCertificateValidation=True, which is honoured for a loopback address.
	ConnectionString string
	// Endpoint is the account's URL, https://NAME.documents.azure.com/.
	Endpoint string
	// ClientID names a user-assigned managed identity.
	ClientID string
	// Credential is "managedidentity", or "" for azidentity's default chain (which ends at
	// the managed identity too, but asks the environment and developer tools first).
	Credential string
}

// Emulator says whether the account is an emulator: a connection string whose host is
// none of Azure's. Then, and only then, the app creates its own database and containers.
func (c Connection) Emulator() bool {
	if c.ConnectionString == "" {
		return false
	}
	t, err := parseConnectionString(c.ConnectionString)
	if err != nil {
		return false
	}
	u, err := parseEndpoint(t.endpoint)
	// Every cloud of Azure: documents.azure.com, .azure.cn, .azure.us, .microsoftazure.de, …
	return err == nil && !strings.Contains(strings.ToLower(u.Hostname()), ".documents.")
}

// Validate names the first fault of the connection. It never repeats the key.
func (c Connection) Validate() error {
	_, err := c.resolve()
	return err
}

// target is a Connection taken apart.
type target struct {
	endpoint string
	key      string // base64; "" means identity
	tls      *tls.Config
}

func (c Connection) resolve() (target, error) {
	if c.ConnectionString != "" && c.Endpoint != "" {
		return target{}, errors.New("both an account endpoint and a connection string are set: keep the endpoint in Azure, the connection string for an emulator")
	}
	if c.ConnectionString == "" {
		if c.Endpoint == "" {
			return target{}, errors.New("neither an account endpoint nor a connection string is set")
		}
		if err := c.identity().Validate(); err != nil {
			return target{}, err
		}
		_, err := parseEndpoint(c.Endpoint)
		return target{endpoint: c.Endpoint}, err
	}
	return parseConnectionString(c.ConnectionString)
}

// parseConnectionString takes the parts in any order and case. azcosmos's own parser
// takes exactly two parts and would read a third one as the key's end.
func parseConnectionString(s string) (target, error) {
	t := target{endpoint: access.Part(s, "AccountEndpoint"), key: access.Part(s, "AccountKey")}
	insecure := strings.EqualFold(access.Part(s, "DisableServerCertificateValidation"), "true")
	u, err := parseEndpoint(t.endpoint)
	if err != nil {
		return target{}, fmt.Errorf("AccountEndpoint: %w", err)
	}
	if t.key == "" {
		return target{}, errors.New("AccountKey is missing")
	}
	if _, err := base64.StdEncoding.DecodeString(t.key); err != nil {
		return target{}, errors.New("AccountKey is not base64")
	}
	if insecure && loopback(u.Hostname()) {
		t.tls = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // an emulator's own certificate, and the packets never leave this machine
	}
	return t, nil
}

func parseEndpoint(s string) (*url.URL, error) {
	if err := access.CheckPlace(s, "a URL like https://NAME.documents.azure.com/"); err != nil {
		return nil, err
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not a URL like https://NAME.documents.azure.com/", s)
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
}

func (c Connection) identity() access.Identity {
	return access.Identity{ClientID: c.ClientID, Credential: c.Credential}
}
