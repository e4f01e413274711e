package outbox

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Incarnation is one life of an entity's numbers. It is drawn by the entity's first write,
// kept by its tombstones, and drawn anew by the first write that finds the entity in
// another container than it was last written in. So the events of a container that was
// made anew, or restored from a backup, are not taken for copies of those that were lost
// with the old one, and entity tags do not come back either.
type Incarnation struct {
	// ID is random.
	ID string `json:"id"`
	// First is the number of its first event.
	First int64 `json:"first"`
	// Since is the container's own time stamp, as the store tells it: of two incarnations
	// of a key the one with the later stamp came later. No writer's clock has a say in that.
	Since time.Time `json:"since"`
	// Drawn is the writer's clock. It decides only where Since is the same: in one container
	// whose documents were deleted by hand, or in two of the same second.
	Drawn time.Time `json:"drawn"`
}

// Place is the container of a key, as the store tells it.
type Place struct {
	// ID is another one for each container that ever was, whatever its name.
	ID string
	// Since is the container's own time stamp.
	Since time.Time
}

// draw begins an incarnation at the place.
func draw(at Place, first int64, now time.Time) Incarnation {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return Incarnation{ID: hex.EncodeToString(id[:]), First: first, Since: at.Since.UTC(), Drawn: now}
}
