package servicebus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/relaybox/relaybox/azure/access"
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
	if err := access.CheckPlace(c.Namespace, "a name like NAME.servicebus.windows.net"); err != nil {
		return err
	}
	switch {
	case c.Namespace == "":
		return errors.New("neither a namespace nor a connection string is set")
	case strings.ContainsAny(c.Namespace, "/:; "):
		return fmt.Errorf("%q is not a name like NAME.servicebus.windows.net", c.Namespace)
	}
	return c.identity().Validate()
}

func checkConnectionString(s string) error {
	if !strings.HasPrefix(access.Part(s, "Endpoint"), "sb://") {
		return errors.New("Endpoint is not a URL like sb://localhost:5672")
	}
	if access.Part(s, "SharedAccessSignature") != "" {
		return nil
	}
	for _, name := range []string{"SharedAccessKeyName", "SharedAccessKey"} {
		if access.Part(s, name) == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return nil
}

// open builds an SDK client. It does no I/O.
func (c Connection) open(given azcore.TokenCredential, opts *azservicebus.ClientOptions) (*azservicebus.Client, error) {
	if err := c.Validate(); err != nil {
		return nil, &access.SettingError{Err: err}
	}
	if c.ConnectionString != "" {
		client, err := azservicebus.NewClientFromConnectionString(strings.TrimSpace(c.ConnectionString), opts)
		if err != nil {
			return nil, &access.SettingError{Err: err}
		}
		return client, nil
	}
	identity, err := c.identity().Open(given)
	if err != nil {
		return nil, err
	}
	return azservicebus.NewClient(c.Namespace, identity, opts)
}

func (c Connection) identity() access.Identity {
	return access.Identity{ClientID: c.ClientID, Credential: c.Credential}
}
