// Package hybridrow reads and writes HybridRow, the binary rows in which Microsoft's .NET client sends batches, and RecordIO,
// the stream of such rows. Facts and test data are those of github.com/microsoft/HybridRow.
//
// A row is a header (version, schema), a bit for each fixed or variable column that says whether it is there, the fixed
// columns, the variable ones, each behind its length, and then sparse columns: type, name and value.
// Columns are scalars here: what a batch needs. A row with an array, an object or another row inside is refused.
//
// Nothing that is read is longer than its input, and values are parts of it.
package hybridrow
