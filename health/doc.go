// Package health tells how an app is, from the state itself: what the store holds that is not
// sent, and what lies in the subscription. Nothing is remembered of earlier events, so it is red
// as long as the state is, and no longer.
//
// It promises:
//
//   - what could not be looked at is told, and is never a pass;
//   - many who ask at once cause one look, whose answer stands for a moment (Fresh), and nobody
//     waits for it longer than its own context allows;
//   - a look is bounded, in time and in what it reads: a count that has reached its bound says so;
//   - no text of an error is shown, for it may name what is secret. The log has it.
//
// It does not promise that the answer is of this very moment: it is at most Fresh old.
//
//	        look ends                       Fresh is over
//	idle ──────────────▶ known for a moment ──────────────▶ idle; the next who asks looks
package health
