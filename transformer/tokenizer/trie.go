package tokenizer

// table is a map with open addressing from keys that are not all ones to small numbers. It is several times as fast as
// Go's, and looking things up in it is most of what a tokenizer does for a word that it has not seen.
type table struct {
	keys   []uint64 // empty: none
	values []int32
	count  int
}

const none = ^uint64(0)

func newTable(size int) table {
	n := 16
	for n < 2*size {
		n *= 2
	}
	t := table{keys: make([]uint64, n), values: make([]int32, n)}
	for i := range t.keys {
		t.keys[i] = none
	}
	return t
}

// slot returns where a key is or would be.
func (t *table) slot(key uint64) int {
	h := key * 0x9E3779B97F4A7C15
	for i := int(h^h>>32) & (len(t.keys) - 1); ; i = (i + 1) & (len(t.keys) - 1) {
		if t.keys[i] == key || t.keys[i] == none {
			return i
		}
	}
}

func (t *table) get(key uint64) (int32, bool) {
	i := t.slot(key)
	return t.values[i], t.keys[i] == key
}

func (t *table) set(key uint64, value int32) {
	if 2*(t.count+1) > len(t.keys) {
		larger := newTable(len(t.keys))
		for i, k := range t.keys {
			if k != none {
				larger.set(k, t.values[i])
			}
		}
		*t = larger
	}
	i := t.slot(key)
	if t.keys[i] == none {
		t.count++
	}
	t.keys[i], t.values[i] = key, value
}

// trie finds the entries that a text begins with.
type trie struct {
	edges table   // node<<8 | byte to node
	value []int32 // by node, -1 where no entry ends
}

func newTrie() *trie { return &trie{newTable(0), []int32{-1}} }

func (t *trie) add(entry string, value int32) {
	node := int32(0)
	for i := range len(entry) {
		key := uint64(node)<<8 | uint64(entry[i])
		to, ok := t.edges.get(key)
		if !ok {
			to = int32(len(t.value))
			t.value = append(t.value, -1)
			t.edges.set(key, to)
		}
		node = to
	}
	t.value[node] = value
}

// longest returns the value and the length of the longest entry that text begins with; of none, a length of 0.
func (t *trie) longest(text string) (value int32, length int) {
	value = -1
	node := int32(0)
	for i := range len(text) {
		var ok bool
		if node, ok = t.edges.get(uint64(node)<<8 | uint64(text[i])); !ok {
			break
		}
		if t.value[node] >= 0 {
			value, length = t.value[node], i+1
		}
	}
	return value, length
}
