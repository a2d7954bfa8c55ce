// What the other shells use of libsodium.
export type { MemoryRange, PacketMemory } from './packet-memory.ts';
export { loadCrypto, SodiumCrypto } from './sodium-crypto.ts';
