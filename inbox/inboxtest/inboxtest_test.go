package inboxtest

import (
	"testing"

	"github.com/relaybox/relaybox/inbox"
)

func TestMemStoreConforms(t *testing.T) {
	t.Parallel()
	TestStore(t, func(*testing.T) inbox.Store { return &MemStore{} })
}
