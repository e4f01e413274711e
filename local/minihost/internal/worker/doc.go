// Package worker keeps the app's handler process alive and carries requests to it.
//
// It promises the real host's rules: the environment of the process, ready when
// anything at all answers GET /, the judgement of every exit and the third crash
// that ends it all. A process is stopped with SIGKILL and dies with the host. A
// request with a body is sent once; what happened on the connection is
// ErrTransport. What is sent and what an answer means is the caller's affair.
//
// Locks: Worker.mu and pool.mu are leaves; no code holds both.
package worker
