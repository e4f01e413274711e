package stack

import "fmt"

// AddressError: a part cannot listen on its address. Stop what listens there, or give
// the part another address.
type AddressError struct {
	Part Part
	Addr string
	Err  error
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("%s cannot listen on %s: %v", e.Part, e.Addr, e.Err)
}

func (e *AddressError) Unwrap() error { return e.Err }
