package stack

import "errors"

// Sentinels of Assemble, Archive and FindSource.
var (
	// ErrNoSource: there is no source tree to build from. Change into a clone, or run an
	// app that was assembled before.
	ErrNoSource = errors.New("not inside the source tree (no folder here or above has go.mod, host.json, handler/ and functions/)")
	// ErrNotAnApp: the output folder holds something else than an app and stays as it
	// is. Name another folder, or empty it.
	ErrNotAnApp = errors.New("the folder is not empty and not an assembled app, so it is not replaced")
	// ErrNotPlain: the app's folder holds something that a Functions host does not need,
	// such as a local.settings.json with its keys. Assemble it anew.
	ErrNotPlain = errors.New("does not belong into a deployment; assemble the app anew and pack that")
)

// Sentinels of Start.
var (
	// ErrInUse: another stack runs on the same data. Stop that one, or use another
	// folder.
	ErrInUse = errors.New("another relaybox is running on this data folder")
	// ErrNotAFolder: the data folder, or one above it, is a file. Name another one.
	ErrNotAFolder = errors.New("the data folder would be inside or in place of a file")
	// ErrNoAccess: this user may not write in the data folder. Name another one, or get the
	// right to it.
	ErrNoAccess = errors.New("this user may not write in the data folder")
	// ErrOtherFormat: another version wrote the data, and this one would read it wrongly.
	// Start with Fresh, which forgets it, or use another folder.
	ErrOtherFormat = errors.New("the data folder was written by another version of relaybox")
)

// ErrNotRunning: no stack runs on the data folder, or it is another user's.
var ErrNotRunning = errors.New("no relaybox is running on this data folder")
