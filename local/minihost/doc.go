// Package minihost is a Functions host for custom handlers that runs an
// assembled app folder on this machine.
//
// # What it promises
//
// A handler that works here meets the same contract in Azure: discovery of
// functions, %SETTING% and connection look-up, the handler's environment, the
// bytes of every invocation, the judgement of every answer, the exit rules of
// the process and the schedule of timers follow the real host, whose recorded
// exchanges are replayed by the tests (testdata/host-invocations.json,
// internal/timer/testdata/ncrontab.json). A message is completed only after the handler
// answered success, so a crash of the host or the handler redelivers and loses
// nothing. Every fault of the app is named together with its remedy.
//
// # What it does not promise
//
// It listens without TLS and asks for no key unless told to; web pages are kept out by the
// Host header (Options.Hosts). Triggers are
// http, timer and Service Bus with cardinality one; output bindings other than
// http are refused. Where the real host waits in silence, for an answer without a body
// or one that is cut short, this one fails the invocation at once and says
// so; while the handler is being restarted it holds new invocations back
// instead of failing them. The timer's status is a file, not a blob lease: one
// host per data folder.
//
// # The handler process
//
//	starting ──answers on its port──→ ready ──exit 0──→ gone (calls fail, nothing restarts it)
//	   ↑  └─initializationTimeout─┐     │
//	   │                          ↓     ├─functionTimeout, exit 200──→ starting (not counted)
//	   └──first and second────── counted ←──any other exit or signal
//	                              └─third within 30 minutes──→ Run returns ErrHandlerCrashed,
//	                                 and ErrHandlerNeverReady if it had not answered once
//
// The process is stopped with SIGKILL, as in Azure.
//
// # Where is what
//
// This package puts the rooms together: a Host, its run, which function serves a
// request (serve.go, table.go), an invocation from its bytes to its judgement
// (invoke.go) and what a trigger does when it fires (triggers.go). The rooms are
// below internal, each with its promise in its doc; they import downwards only:
//
//	admin    /admin/…: status, functions and runs by hand
//	app      host.json, function.json and the settings; Load and Inspect
//	front    the web server; requests and answers translated, forwarded or as JSON
//	bus      Service Bus listeners, with sessions and without
//	timer    timer listeners, NCRONTAB and the schedule monitor
//	worker   the handler process, and the connections to it
//	route    route templates and what they match
//	wire     HTTP/1.1 as bytes
//
// Locks: every lock of the rooms is a leaf; no code holds two of them.
package minihost
