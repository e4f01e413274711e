// Package atom is how the administration interface writes and reads things: its ATOM documents, the descriptions of
// entities and rules in them, the paths under which they are found, and its refusals.
//
// What it promises: elements stand in the service's order and are spelled as the service spells them. What a client may
// not say of an entity is refused with a text that names the element and the remedy ([Proposal]). What [TextOf] writes is
// read back by ReadText and [ReadRule], also by later versions: the store keeps what clients have changed in these words.
//
// It knows descriptions (package topology) and rules, and neither messages nor HTTP methods nor the broker, which imports it.
package atom
