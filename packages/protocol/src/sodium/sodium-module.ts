// The one place that loads libsodium's WebAssembly: its raw functions, and one block of its memory that is taken at
// once and divided up here. Nothing is allocated in there afterwards, so the memory never grows; growing would cut off
// every view of it, those that sockets are sending from included.
//
//   offset of the block   size
//   0                     32     key of the running call
//   32                    12     nonce of a packet: four zeros, sequence as 8 bytes little endian
//   48                    24     nonce of a token
//   80                    32     public key of the running call
//   112                   32     result of the running call
//   144                   ..     nothing
//   1 KiB                 64 KiB copy of a range that lies elsewhere
//   65 KiB                ..     memory for datagrams (packet-memory.ts)

import { randomBytes } from 'node:crypto';
import load from 'libsodium';
import { assert, TickwireError } from '../wire/errors.ts';

/** Memory for datagrams: of the module's 4 MiB about 100 KiB are its own, the rest is what rounding leaves. */
export const PACKET_MEMORY_BYTES = 3.5 * 1024 * 1024;

/** The longest range that may lie outside of the module's memory: any UDP datagram. */
export const COPY_BYTES_MAX = 64 * 1024;

/** Up to here a loop is faster than a view to copy from, which is garbage besides. */
const LOOP_BYTES_MAX = 96;

const NONCE_AT = 32;
const TOKEN_NONCE_AT = 48;
const PUBLIC_KEY_AT = 80;
const RESULT_AT = 112;
const COPY_AT = 1024;
const PACKETS_AT = COPY_AT + COPY_BYTES_MAX;
const BLOCK_BYTES = PACKETS_AT + PACKET_MEMORY_BYTES;

/** A 64-bit length is two arguments, low word first. A pointer of 0 is none. */
export interface RawFunctions {
  readonly HEAPU8: Uint8Array;
  _sodium_init(): number;
  _malloc(sizeBytes: number): number;
  _crypto_aead_chacha20poly1305_ietf_encrypt_detached: EncryptDetached;
  _crypto_aead_chacha20poly1305_ietf_decrypt_detached: DecryptDetached;
  _crypto_aead_xchacha20poly1305_ietf_encrypt_detached: EncryptDetached;
  _crypto_aead_xchacha20poly1305_ietf_decrypt_detached: DecryptDetached;
  _crypto_generichash(
    out: number,
    outBytes: number,
    input: number,
    inputBytesLow: number,
    inputBytesHigh: number,
    key: number,
    keyBytes: number,
  ): number;
  _crypto_scalarmult(out: number, secretKey: number, publicKey: number): number;
  _crypto_scalarmult_base(out: number, secretKey: number): number;
}

/** Sealed text and plain text may be the same place. */
export type EncryptDetached = (
  sealed: number,
  tag: number,
  tagBytesOut: number,
  plain: number,
  plainBytesLow: number,
  plainBytesHigh: number,
  header: number,
  headerBytesLow: number,
  headerBytesHigh: number,
  secretNonce: number,
  nonce: number,
  key: number,
) => number;

/** 0, or -1 for forged; then `plain` is zeros. */
export type DecryptDetached = (
  plain: number,
  secretNonce: number,
  sealed: number,
  sealedBytesLow: number,
  sealedBytesHigh: number,
  tag: number,
  header: number,
  headerBytesLow: number,
  headerBytesHigh: number,
  nonce: number,
  key: number,
) => number;

/** See the head of the file. All places are offsets in {@link heap}. */
export class SodiumModule {
  readonly raw: RawFunctions;
  readonly heap: Uint8Array;
  /** The same memory in words: a place divided by 4 is the index. */
  readonly words: Int32Array;
  readonly keyAt: number;
  readonly nonceAt: number;
  readonly tokenNonceAt: number;
  readonly publicKeyAt: number;
  readonly resultAt: number;
  readonly packetsAt: number;
  readonly #copyAt: number;
  /** The array that was found inside last: asking an array for its memory costs more than comparing it. */
  #inside: Uint8Array | undefined;

  constructor(raw: RawFunctions) {
    this.raw = raw;
    const memory = raw.HEAPU8.buffer;
    const block = raw._malloc(BLOCK_BYTES);
    assert(block > 0 && block % 8 === 0, 'libsodium gave no memory');
    this.heap = raw.HEAPU8;
    this.words = new Int32Array(memory);
    this.keyAt = block;
    this.nonceAt = block + NONCE_AT;
    this.tokenNonceAt = block + TOKEN_NONCE_AT;
    this.publicKeyAt = block + PUBLIC_KEY_AT;
    this.resultAt = block + RESULT_AT;
    this.#copyAt = block + COPY_AT;
    this.packetsAt = block + PACKETS_AT;
    this.words.fill(0, block / 4, (block + COPY_AT) / 4);
    this.assertNotGrown();
  }

  /** Every view is cut off from a memory that has grown; that must never come to pass. */
  assertNotGrown(): void {
    assert(
      this.heap === this.raw.HEAPU8 && this.heap.byteLength > 0,
      'the memory of libsodium has grown',
    );
  }

  /** Whether `bytes` is a view of this memory. */
  holds(bytes: Uint8Array): boolean {
    if (bytes === this.#inside) return true;
    if (bytes.buffer !== this.heap.buffer) return false;
    this.#inside = bytes;
    return true;
  }

  /** Where bytes[start, end) stands in this memory: where it is, or a copy, good until the next call. */
  place(bytes: Uint8Array, start: number, end: number): number {
    if (this.holds(bytes)) return bytes.byteOffset + start;
    const { heap } = this;
    const at = this.#copyAt;
    assert(end - start <= COPY_BYTES_MAX, 'a range too long to be copied');
    if (end - start > LOOP_BYTES_MAX) heap.set(bytes.subarray(start, end), at);
    else for (let i = start; i < end; i++) heap[at + i - start] = bytes[i]!;
    return at;
  }

  /** Leaves nothing of `length` bytes behind that `place` may have copied for a call with secrets. */
  wipeCopy(length: number): void {
    this.heap.fill(0, this.#copyAt, this.#copyAt + length);
  }

  /** Copies what stands at `place` to bytes[start, end). */
  copyOut(place: number, bytes: Uint8Array, start: number, end: number): void {
    const { heap } = this;
    const length = end - start;
    if (length > LOOP_BYTES_MAX) bytes.set(heap.subarray(place, place + length), start);
    else for (let i = 0; i < length; i++) bytes[start + i] = heap[place + i]!;
  }
}

/** Loads an instance. Rejects with 'crypto-unavailable' where there is no WebAssembly. */
export async function loadModule(): Promise<SodiumModule> {
  try {
    const getRandomValue = () => randomBytes(4).readUInt32LE(0);
    const raw = (await load({ getRandomValue })) as RawFunctions;
    assert(raw._sodium_init() >= 0, 'libsodium does not start');
    return new SodiumModule(raw);
  } catch (cause) {
    const message = `libsodium cannot be loaded: ${(cause as Error).message}`;
    throw new TickwireError('crypto-unavailable', message, { cause });
  }
}
