package app

import "errors"

// Loading an app.
var (
	// ErrNotAssembled: the folder is a source tree or holds no function. Run
	// relaybox assemble, and start the host on the folder that it writes.
	ErrNotAssembled = errors.New("not an assembled app")
	// ErrHostConfig: host.json, the executable or the environment keeps the
	// host from starting. The message lists every fault with its remedy.
	ErrHostConfig = errors.New("host configuration")
)
