// Package parts runs the parts of the stack as processes of their own: each is a relaybox
// up --only, which is started again whenever it ends, and which can be killed, frozen and
// measured. Nothing is known of a part but what it prints, so the parts of an older checkout
// can be run as well.
package parts
