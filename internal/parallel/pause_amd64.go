package parallel

// pause waits for n > 0 of the processor's spin-loop hints, tens of cycles
// each, in which a hardware thread beside this one gets the core.
//
//go:noescape
func pause(n uint32)
