package minicosmos

import "github.com/relaybox/relaybox/local/minicosmos/internal/wire"

// Charge is what one kind of operation has cost on one container since the start, or since ResetCharges.
// JSON has the same fields in camel case.
//
//	Database     string // "": the account itself
//	Container    string // "": the database itself
//	Operation    Operation
//	Requests     int64   // that were let in
//	Refused      int64   // of these, with a status of 400 and more, rolled back batches too
//	Throttled    int64   // of these, with 429
//	Items        int64   // operations of batches that were stored
//	RequestUnits float64 // sum of all charges
type Charge = wire.Charge

// Charges returns the totals of request units by container and operation, in that order.
func (s *Server) Charges() []Charge { return s.charges.List() }

// ResetCharges begins the totals anew and returns what they were.
func (s *Server) ResetCharges() []Charge { return s.charges.Reset() }
