package device

// NewKey returns the key of a stream chosen by seed.
func NewKey(seed uint64) Key { return Key{mix(seed), mix(seed ^ 0x6a09e667f3bcc909)} }

// Fold returns the key of a stream of its own for the thing called name. Different
// names, and the same name folded into different keys, give unrelated streams.
func (k Key) Fold(name string) Key {
	h := uint64(14695981039346656037) // FNV-1a
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return k.fold(h, 0xbb67ae8584caa73b^uint64(len(name)))
}

// FoldInt returns the key of a stream of its own for the i-th thing, such as a
// step or a layer.
func (k Key) FoldInt(i int) Key { return k.fold(uint64(i), 0x3c6ef372fe94f82b) }

func (k Key) fold(h, salt uint64) Key {
	lo := mix(k.Lo ^ mix(h+salt))
	hi := mix(k.Hi ^ mix(h^salt) ^ lo)
	return Key{lo, hi}
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, 2014) after one step of its counter.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
