// Package topology is which entities there are, and what they are: as somebody has configured them ([Config]), and as
// the broker and the administration interface know each of them ([Description]).
//
// What it promises: [Load] takes what the official emulator takes and reports all faults together, each with its key and
// the remedy. Whatever is left out has the emulator's default. [Description.Digest] is the same in every version: stores
// keep it. It knows no messages and nothing of how entities are asked for.
package topology
