package doctor

import (
	"context"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/relaybox/relaybox/azure/access"
)

// identities gives each service its credential: the signed-in person's, one for all, or
// the app's managed identity.
type identities struct {
	managed bool
	given   azcore.TokenCredential // instead of either
	person  func() (azcore.TokenCredential, error)
}

func (o Options) identities() identities {
	return identities{managed: o.ManagedIdentity, given: o.Credential, person: sync.OnceValues(func() (azcore.TokenCredential, error) {
		return access.Identity{}.Open(nil)
	})}
}

// of returns the credential for a connection whose settings name clientID.
func (i identities) of(clientID string) azcore.TokenCredential {
	if i.given != nil {
		return i.given
	}
	credential := i.person
	if i.managed {
		credential = func() (azcore.TokenCredential, error) {
			return access.Identity{ClientID: clientID, Credential: access.Managed}.Open(nil)
		}
	}
	c, err := credential()
	if err != nil {
		return tokenless{err}
	}
	return c
}

// tokenless tells at its first use why there is no credential.
type tokenless struct{ err error }

func (t tokenless) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, t.err
}
