package account

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
)

// The keys beside those of documents, of which package document has the list: what belongs to the account, and the
// counters of each container c.
//
//	0 'b'                                  boot epoch
//	0 'I'                                  boot epoch of the last version that kept terms
//	0 'n'                                  next database or container number
//	0 'D' database                         database as JSON
//	0 'C' container                        container as JSON
//	0 'O' database or container            offer as JSON
//	c 'n'                                  counters: next document number, LSN per range
const (
	kindEpoch     = 'b'
	kindIndexed   = 'I'
	kindNumbers   = 'n'
	kindDatabase  = 'D'
	kindContainer = 'C'
	kindOffer     = 'O'
)

func numberedKey(owner uint32, kind byte, number uint32) []byte {
	return binary.BigEndian.AppendUint32(document.Key(owner, kind), number)
}
