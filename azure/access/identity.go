package access

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Managed is the Credential of an Identity that asks nothing but the managed identity.
const Managed = "managedidentity"

// Identity is who the app is, by its settings; the zero value is whoever azidentity's
// default chain finds.
type Identity struct {
	// ClientID names a user-assigned managed identity.
	ClientID string
	// Credential is Managed, in any case, or "" for the default chain.
	Credential string
}

// Validate names the fault of the settings.
func (i Identity) Validate() error {
	if i.Credential != "" && !i.managed() {
		return fmt.Errorf("credential %q is not known: use %s, or leave it out", i.Credential, Managed)
	}
	return nil
}

// Open returns the identity's credential, or given if there is one, with marked errors.
// It does no I/O. Its own error is a *SettingError.
func (i Identity) Open(given azcore.TokenCredential) (azcore.TokenCredential, error) {
	if given != nil {
		return Mark(given), nil
	}
	c, err := i.credential()
	if err != nil {
		return nil, &SettingError{fmt.Errorf("credential: %w", err)}
	}
	return Mark(c), nil
}

func (i Identity) credential() (azcore.TokenCredential, error) {
	if i.ClientID == "" && !i.managed() {
		return azidentity.NewDefaultAzureCredential(nil)
	}
	var opts azidentity.ManagedIdentityCredentialOptions
	if i.ClientID != "" {
		opts.ID = azidentity.ClientID(i.ClientID)
	}
	return azidentity.NewManagedIdentityCredential(&opts)
}

func (i Identity) managed() bool { return strings.EqualFold(i.Credential, Managed) }

// Mark makes the errors of a credential, which have no type in common, a *TokenError. A
// nil credential has no token. What is marked already stays as it is.
func Mark(c azcore.TokenCredential) azcore.TokenCredential {
	if m, ok := c.(marked); ok {
		return m
	}
	return marked{c}
}

type marked struct{ azcore.TokenCredential }

func (m marked) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if m.TokenCredential == nil {
		return azcore.AccessToken{}, &TokenError{errors.New("no credential was given")}
	}
	token, err := m.TokenCredential.GetToken(ctx, opts)
	if err != nil {
		return token, &TokenError{err}
	}
	return token, nil
}
