package sqlfilter

// Message is what a condition sees of a message. Names are given as they are written;
// they mean the same in any case.
type Message interface {
	// System returns a system property; false means that there is none of that name. One
	// that exists and is not set is nil.
	System(name string) (any, bool)
	// User returns an application property; false means that the message lacks it.
	User(name string) (any, bool)
}

// Changeable is a message that an action can change.
type Changeable interface {
	Message
	// SetSystem sets a system property; nil removes its value. False means that there is
	// none of that name, that it may not be changed, or not to a value of this kind.
	SetSystem(name string, value any) bool
	// SetUser sets an application property.
	SetUser(name string, value any)
	// RemoveUser removes an application property if it is there.
	RemoveUser(name string)
}

// canonical makes every integer an int64 and every float a float64. Other kinds pass.
func canonical(v any) any {
	switch v := v.(type) {
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case int:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		if v > 1<<63-1 {
			return float64(v)
		}
		return int64(v)
	case float32:
		return float64(v)
	}
	return v
}
