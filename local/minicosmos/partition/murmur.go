package partition

import (
	"encoding/binary"
	"math/bits"
)

// murmur32 is MurmurHash3_x86_32 with seed 0.
func murmur32(data []byte) uint32 {
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	var h uint32
	scramble := func(k uint32) uint32 { return bits.RotateLeft32(k*c1, 15) * c2 }
	rest := data
	for ; len(rest) >= 4; rest = rest[4:] {
		h ^= scramble(binary.LittleEndian.Uint32(rest))
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	if len(rest) > 0 {
		var tail [4]byte
		copy(tail[:], rest)
		h ^= scramble(binary.LittleEndian.Uint32(tail[:]))
	}
	h ^= uint32(len(data))
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

// murmur128 is MurmurHash3_x64_128 with seed 0.
func murmur128(data []byte) (low, high uint64) {
	const c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f
	scramble1 := func(k uint64) uint64 { return bits.RotateLeft64(k*c1, 31) * c2 }
	scramble2 := func(k uint64) uint64 { return bits.RotateLeft64(k*c2, 33) * c1 }
	rest := data
	for ; len(rest) >= 16; rest = rest[16:] {
		low ^= scramble1(binary.LittleEndian.Uint64(rest))
		low = (bits.RotateLeft64(low, 27)+high)*5 + 0x52dce729
		high ^= scramble2(binary.LittleEndian.Uint64(rest[8:]))
		high = (bits.RotateLeft64(high, 31)+low)*5 + 0x38495ab5
	}
	var tail [16]byte
	copy(tail[:], rest)
	high ^= scramble2(binary.LittleEndian.Uint64(tail[8:]))
	low ^= scramble1(binary.LittleEndian.Uint64(tail[:8]))

	low ^= uint64(len(data))
	high ^= uint64(len(data))
	low += high
	high += low
	low, high = finish(low), finish(high)
	low += high
	return low, high + low
}

func finish(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
