package topology

// Tier is what a namespace is paid for: how large the messages are that its entities take.
type Tier struct {
	SKU       string
	MessageKB int // of an entity that says nothing else
	LargestKB int // that an entity may say
}

// The tiers.
var (
	Standard = Tier{"Standard", 256, 256}
	Premium  = Tier{"Premium", 1024, 100 << 10}
)
