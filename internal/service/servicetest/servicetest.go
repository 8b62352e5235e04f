// Package servicetest holds what every kind's tests need: an environment on this
// machine, a simple store for copies, the conformance suite and kinds that
// misbehave on purpose. It is imported by tests only.
package servicetest
