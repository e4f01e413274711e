package access

import "fmt"

// SettingError: the connection's settings are wrong. An operator has to mend them.
type SettingError struct{ Err error }

// Error is what is wrong with the setting.
func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *SettingError) Unwrap() error { return e.Err }

// TokenError: the identity gave no token, so nothing was asked.
type TokenError struct{ Err error }

// Error says that the identity is to blame, and what it said.
func (e *TokenError) Error() string { return fmt.Sprintf("identity: %v", e.Err) }

// Unwrap returns Err.
func (e *TokenError) Unwrap() error { return e.Err }

// NonRetriable tells the SDKs what azidentity's own errors tell them: an identity without
// a token has none a second later.
func (e *TokenError) NonRetriable() {}
