package minicosmos

import "github.com/relaybox/relaybox/local/minicosmos/internal/wire"

// Charge is what one kind of operation has cost on one container since the start, or since ResetCharges.
type Charge = wire.Charge

// Charges returns the totals of request units by container and operation, in that order.
func (s *Server) Charges() []Charge { return s.charges.List() }

// ResetCharges begins the totals anew and returns what they were.
func (s *Server) ResetCharges() []Charge { return s.charges.Reset() }
