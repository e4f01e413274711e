// Package fault is what goes wrong on purpose: faults as values, and the set of those that are switched on.
//
// What it promises: without a fault each operation pays a nil check. A fault happens at its moment to its entity, as
// often and as likely as it says, with the same choices in each run; of several that could happen the first does. What a
// Stall holds back goes out when the set is cleared.
//
// It knows answers and moments, not messages: who asks [Set.Next] does what the fault says, or lets [Armed.Around] do it.
// Lock order: the broker's lock, then the set's own, which is taken last.
package fault
