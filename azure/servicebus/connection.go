package servicebus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Connection says where the namespace is and who we are. Give a Namespace for Azure,
// where the app's identity is the credential, or a ConnectionString for an emulator.
type Connection struct {
	// ConnectionString is `Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…;UseDevelopmentEmulator=true`.
	ConnectionString string
	// Namespace is the fully qualified one, NAME.servicebus.windows.net.
	Namespace string
	// ClientID names a user-assigned managed identity.
	ClientID string
	// Credential is "managedidentity", or "" for azidentity's default chain (which ends at
	// the managed identity too, but asks the environment and developer tools first).
	Credential string
}

// Validate names the first fault of the connection. It never repeats the key.
func (c Connection) Validate() error {
	if c.ConnectionString != "" && c.Namespace != "" {
		return errors.New("both a namespace and a connection string are set: keep the namespace in Azure, the connection string for an emulator")
	}
	if c.ConnectionString != "" {
		return checkConnectionString(c.ConnectionString)
	}
	switch {
	case strings.ContainsAny(c.Namespace, ";="): // not repeated: it may hold a key
		return errors.New("it looks like a connection string and should be a name like NAME.servicebus.windows.net")
	case c.Namespace == "":
		return errors.New("neither a namespace nor a connection string is set")
	case strings.ContainsAny(c.Namespace, "/:; "):
		return fmt.Errorf("%q is not a name like NAME.servicebus.windows.net", c.Namespace)
	case c.Credential != "" && !strings.EqualFold(c.Credential, "managedidentity"):
		return fmt.Errorf("credential %q is not known: use managedidentity, or leave it out", c.Credential)
	}
	return nil
}

func checkConnectionString(s string) error {
	parts := map[string]string{}
	for part := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[strings.ToLower(name)] = value
	}
	if !strings.HasPrefix(parts["endpoint"], "sb://") {
		return errors.New("Endpoint is not a URL like sb://localhost:5672")
	}
	if parts["sharedaccesssignature"] != "" {
		return nil
	}
	for _, name := range []string{"SharedAccessKeyName", "SharedAccessKey"} {
		if parts[strings.ToLower(name)] == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return nil
}

// open builds an SDK client. It does no I/O.
func (c Connection) open(identity azcore.TokenCredential, opts *azservicebus.ClientOptions) (*azservicebus.Client, error) {
	if err := c.Validate(); err != nil {
		return nil, &settingError{err}
	}
	if c.ConnectionString != "" {
		client, err := azservicebus.NewClientFromConnectionString(strings.TrimSpace(c.ConnectionString), opts)
		if err != nil {
			return nil, &settingError{err}
		}
		return client, nil
	}
	if identity == nil {
		var err error
		if identity, err = c.identity(); err != nil {
			return nil, &settingError{fmt.Errorf("credential: %w", err)}
		}
	}
	return azservicebus.NewClient(c.Namespace, identityOf{identity}, opts)
}

func (c Connection) identity() (azcore.TokenCredential, error) {
	if c.ClientID == "" && !strings.EqualFold(c.Credential, "managedidentity") {
		return azidentity.NewDefaultAzureCredential(nil)
	}
	var opts azidentity.ManagedIdentityCredentialOptions
	if c.ClientID != "" {
		opts.ID = azidentity.ClientID(c.ClientID)
	}
	return azidentity.NewManagedIdentityCredential(&opts)
}
