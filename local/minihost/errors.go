package minihost

import (
	"github.com/relaybox/relaybox/local/minihost/internal/app"
	"github.com/relaybox/relaybox/local/minihost/internal/worker"
)

// Loading an app.
var (
	// ErrNotAssembled: the folder is a source tree or holds no function. Run
	// relaybox assemble, and start the host on the folder that it writes.
	ErrNotAssembled = app.ErrNotAssembled
	// ErrHostConfig: host.json, the executable or the environment keeps the
	// host from starting. The message lists every fault with its remedy.
	ErrHostConfig = app.ErrHostConfig
)

// Running an app.
var (
	// ErrHandlerCrashed: the handler exited three times within the host's
	// memory of 30 minutes. The real host shuts down here and the platform
	// starts another; whoever runs this one does the same.
	ErrHandlerCrashed = worker.ErrCrashed
	// ErrHandlerNeverReady: with ErrHandlerCrashed, the handler ended by itself each time
	// before it had ever answered. The platform would go on trying; a person would not.
	ErrHandlerNeverReady = worker.ErrNeverReady
	// ErrHandlerNotReady: an invocation waited four times initializationTimeout
	// for a handler that answers on its port. The host stops.
	ErrHandlerNotReady = worker.ErrNotReady
	// ErrHandlerStart: the operating system refused to start the executable.
	ErrHandlerStart = worker.ErrStart
)

// An invocation, seen from its trigger: failed.
var (
	// ErrTimeout: functionTimeout passed. The handler is killed and started
	// again, which is not counted as a crash.
	ErrTimeout = worker.ErrTimeout
)
