package probe

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Credential marks the errors of a credential, which have no type in common, as NoToken.
// A nil one has no token.
func Credential(c azcore.TokenCredential) azcore.TokenCredential { return credential{c} }

type credential struct{ azcore.TokenCredential }

func (c credential) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if c.TokenCredential == nil {
		return azcore.AccessToken{}, &Error{NoToken, errors.New("no credential was given")}
	}
	token, err := c.TokenCredential.GetToken(ctx, opts)
	if err != nil {
		err = &Error{NoToken, err}
	}
	return token, err
}
