//go:build !linux

package chaos

func mount(string) error         { return ErrUnsupported }
func unmount(string, bool) error { return ErrUnsupported }
func fill(string) error          { return ErrUnsupported }
func empty(string) error         { return ErrUnsupported }
