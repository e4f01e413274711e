// Package sqlfilter reads and evaluates the SQL of Service Bus subscription rules: the
// condition that decides whether a subscription gets a message, and the action that
// changes the copy it gets.
//
// The package promises the published grammar: NOT, AND and OR; = <> != > >= < <=;
// IS [NOT] NULL; [NOT] IN; [NOT] LIKE with ESCAPE; EXISTS; + - * / %; newid() and
// property(); names bare, [bracketed] or "quoted", in the scopes sys and user; and @name for
// parameters. What the grammar does not have is refused with its position.
//
// Logic has three values. A user property that a message lacks is unknown, what is
// computed from an unknown is unknown, and a condition that is unknown does not match. A
// system property that does not exist is an error, and the rule does not match either.
//
// A text and a number, a boolean or an id make a text with +, of at most 256 KB, and newid() is an id, which equals its text.
// Which system properties there are, and what a name may begin with, is for whoever has the messages to say: a Filter
// and an Action tell their [Name]s.
//
// What the documentation leaves open is decided so: text compares by its bytes, upper
// and lower case apart; values of different kinds compare as unknown; whole numbers
// divide as whole numbers, and a division by zero is an error.
package sqlfilter
