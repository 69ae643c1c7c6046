// Package hugepage asks the operating system for huge pages behind memory that was just
// allocated. Faulting in a large buffer page by page costs about as much as computing on
// it, and small pages, of which any may lie anywhere, drive one another out of a cache
// that has room for them: products that pack into small pages are up to a tenth slower
// in one process than in the next.
package hugepage

// Size is that of a huge page of amd64, in bytes.
const Size = 2 << 20
