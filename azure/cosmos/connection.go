package cosmos

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
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
		if c.Credential != "" && !strings.EqualFold(c.Credential, "managedidentity") {
			return target{}, fmt.Errorf("credential %q is not known: use managedidentity, or leave it out", c.Credential)
		}
		_, err := parseEndpoint(c.Endpoint)
		return target{endpoint: c.Endpoint}, err
	}
	return parseConnectionString(c.ConnectionString)
}

// parseConnectionString takes the parts in any order and case. azcosmos's own parser
// takes exactly two parts and would read a third one as the key's end.
func parseConnectionString(s string) (target, error) {
	var t target
	insecure := false
	for part := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(name) {
		case "accountendpoint":
			t.endpoint = value
		case "accountkey":
			t.key = value
		case "disableservercertificatevalidation":
			insecure = strings.EqualFold(value, "true")
		}
	}
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
	if strings.ContainsAny(s, ";=") { // not repeated: it may hold a key
		return nil, errors.New("it looks like a connection string and should be a URL like https://NAME.documents.azure.com/")
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

// credential returns the identity of the app.
func (c Connection) credential() (azcore.TokenCredential, error) {
	if c.ClientID == "" && !strings.EqualFold(c.Credential, "managedidentity") {
		return azidentity.NewDefaultAzureCredential(nil)
	}
	var opts azidentity.ManagedIdentityCredentialOptions
	if c.ClientID != "" {
		opts.ID = azidentity.ClientID(c.ClientID)
	}
	return azidentity.NewManagedIdentityCredential(&opts)
}
