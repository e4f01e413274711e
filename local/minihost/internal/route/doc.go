// Package route matches decoded paths with ASP.NET route templates.
//
// It promises the parameters, constraints, optional ends and defaults of the real
// host and the order in which it tries its routes; a template that this host
// cannot honour is an error when it is read, never a silent mismatch. A parsed
// Route is immutable. It knows paths and nothing of requests or functions.
package route
