// Package stack runs a whole function app on one machine: minicosmos, minibus and
// minihost, wired together, with the handler process under the host. The NATS server can
// stand in minibus' place.
//
// Promise: when Start returns, every part answers on its address. What the app was told
// is stored survives Close, kill -9 and a new Start on the same data folder. While a
// stack runs on a folder, a second one is refused; so is data of another version. A part
// that fails ends the stack with its error; nothing is retried silently.
//
// No promise: the stand-ins are one process, so they fail together. No version reads the
// data of another.
//
// # The platform
//
// The real host shuts itself down when the handler has crashed three times, and in Azure
// the platform then starts a new instance. Here the stack plays that part:
//
//	          three crashes
//	running ────────────────→ host gone ──(pause, 1 s to 30 s)──→ running
//	   │
//	   └── Close, or a fault that no restart mends ──→ ended
//
// # Lifetimes
//
// Start starts every goroutine and Close ends them: the host first (no new work), then
// the bus, then the store, then the lock on the data folder.
package stack
