package servicebus

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

var (
	// errClosed: Publish was called after Close, or Close cut it.
	errClosed = errors.New("the publisher is closed")
	// errNoAnswer: the broker did not confirm in time.
	errNoAnswer = errors.New("the broker did not answer in time")
)

// settingError: the connection's settings are wrong. An operator has to mend them.
type settingError struct{ err error }

func (e *settingError) Error() string { return e.err.Error() }
func (e *settingError) Unwrap() error { return e.err }

// identityError: the identity gave no token.
type identityError struct{ err error }

func (e *identityError) Error() string { return fmt.Sprintf("identity: %v", e.err) }
func (e *identityError) Unwrap() error { return e.err }

// NonRetriable tells the SDK what it is told by azidentity's own errors.
func (e *identityError) NonRetriable() {}

// identityOf marks the errors of a credential, which have no type in common.
type identityOf struct{ azcore.TokenCredential }

func (i identityOf) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := i.TokenCredential.GetToken(ctx, opts)
	if err != nil {
		return token, &identityError{err}
	}
	return token, nil
}
