// Package fault has the faults and weaknesses that can be switched on: values that say what goes wrong, and the set that
// chooses which of them befall a request.
//
// It promises that a fault which makes no sense is refused with the remedy, that the choices are the same in each run, and
// that a request pays one check while nothing is switched on. It only chooses and counts: what a fault does to a request is
// done by package rest.
package fault
