// The cryptography that PROTOCOL.md names (section 1), apart from the packages: node:crypto where it has it, the rest
// written from the RFCs.

import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';
import { demand } from './sources.ts';

const TAG_BYTES = 16;
export const ZEROS: Uint8Array = new Uint8Array(32);

const MASK = (1n << 64n) - 1n;
/** RFC 7693, section 2.6. */
const IV = [
  ...[0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n],
  ...[0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n],
];
/** RFC 7693, section 2.7, a digit a word. */
const SIGMA = [
  ...['0123456789abcdef', 'ea489fd61c02b753', 'b8c052fdae367194', '7931dcbe265a40f8'],
  ...['905724afe1bc683d', '2c6a0b834d75fe19', 'c51fed4a0763928b', 'db7ec13950f4862a'],
  ...['6fe9b308c2d714a5', 'a2847615fb9e3cd0', '0123456789abcdef', 'ea489fd61c02b753'],
].map((row) => [...row].map((digit) => Number.parseInt(digit, 16)));
const BLOCK_BYTES = 128;
const KNOWN_MAX = 4096;

const known = new Map<string, Uint8Array>();

/** The same is asked again and again, so it is remembered. */
function once(name: string, make: () => Uint8Array): Uint8Array {
  const before = known.get(name);
  if (before !== undefined) return before;
  if (known.size >= KNOWN_MAX) known.clear();
  const made = make();
  known.set(name, made);
  return made;
}

/** `H`: BLAKE2b with a key and an output of 32 bytes. */
export function hash(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  demand(key.length === 32, 'a key of 32 bytes');
  const input = Buffer.concat([key, new Uint8Array(BLOCK_BYTES - key.length), ...parts]);
  return once(`hash ${input.toString('base64')}`, () => blake2b(input));
}

/** The first block of `input` holds the key. */
function blake2b(input: Buffer): Uint8Array {
  const state = [...IV];
  state[0]! ^= 0x01010000n ^ (32n << 8n) ^ 32n;
  for (let at = 0; at < input.length; at += BLOCK_BYTES) {
    const block = Buffer.alloc(BLOCK_BYTES);
    input.copy(block, 0, at);
    compress(
      state,
      block,
      Math.min(at + BLOCK_BYTES, input.length),
      at + BLOCK_BYTES >= input.length,
    );
  }
  const out = Buffer.alloc(32);
  for (let i = 0; i < 4; i++) out.writeBigUInt64LE(state[i]!, i * 8);
  return out;
}

/** RFC 7693, section 3.2. */
function compress(state: bigint[], block: Buffer, count: number, last: boolean): void {
  const v = [...state, ...IV];
  v[12]! ^= BigInt(count);
  if (last) v[14]! ^= MASK;
  for (const row of SIGMA) {
    const words = row.map((word) => block.readBigUInt64LE(word * 8));
    for (let i = 0; i < 8; i++) {
      const shift = i < 4 ? 0 : 1;
      const at = (lane: number) => lane * 4 + ((i + lane * shift) % 4);
      mix(v, at(0), at(1), at(2), at(3), words[i * 2]!, words[i * 2 + 1]!);
    }
  }
  for (let i = 0; i < 8; i++) state[i]! ^= v[i]! ^ v[i + 8]!;
}

const turn = (x: bigint, by: bigint) => (x >> by) | ((x << (64n - by)) & MASK);

function mix(v: bigint[], a: number, b: number, c: number, d: number, x: bigint, y: bigint): void {
  v[a] = (v[a]! + v[b]! + x) & MASK;
  v[d] = turn(v[d]! ^ v[a]!, 32n);
  v[c] = (v[c]! + v[d]!) & MASK;
  v[b] = turn(v[b]! ^ v[c]!, 24n);
  v[a] = (v[a]! + v[b]! + y) & MASK;
  v[d] = turn(v[d]! ^ v[a]!, 16n);
  v[c] = (v[c]! + v[d]!) & MASK;
  v[b] = turn(v[b]! ^ v[c]!, 63n);
}

/** What stands before the 32 bytes of a key in the forms that node:crypto takes (RFC 8410). */
const SECRET_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_HEAD = Buffer.from('302a300506032b656e032100', 'hex');

const secretOf = (key: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([SECRET_HEAD, key]), format: 'der', type: 'pkcs8' });
const publicOf = (key: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([PUBLIC_HEAD, key]), format: 'der', type: 'spki' });

/** `X25519`; throws where the result would be all zero. */
export function agree(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return once(`agree ${Buffer.concat([secret, publicKey]).toString('base64')}`, () =>
    diffieHellman({ privateKey: secretOf(secret), publicKey: publicOf(publicKey) }),
  );
}

/** The public key of a pair. */
export function publicKeyOf(secret: Uint8Array): Uint8Array {
  return once(`public ${Buffer.from(secret).toString('base64')}`, () => {
    const whole = createPublicKey(secretOf(secret)).export({ format: 'der', type: 'spki' });
    return whole.subarray(PUBLIC_HEAD.length);
  });
}

/** The body that `Seal` sealed; `sealed` ends with its tag. */
export function open(
  key: Uint8Array,
  n: number,
  header: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(BigInt(n), 4);
  return openWith(key, nonce, header, sealed);
}

/** The body that `SealX` sealed, under a nonce of 24 bytes. */
export function openX(
  key: Uint8Array,
  nonce: Uint8Array,
  header: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  const own = Buffer.concat([new Uint8Array(4), nonce.subarray(16)]);
  return openWith(hChaCha20(key, nonce.subarray(0, 16)), own, header, sealed);
}

function openWith(
  key: Uint8Array,
  nonce: Uint8Array,
  header: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  demand(sealed.length >= TAG_BYTES, 'a tag');
  const body = sealed.subarray(0, -TAG_BYTES);
  const opener = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
  opener.setAAD(header, { plaintextLength: body.length });
  opener.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([opener.update(body), opener.final()]);
}

/** The words of a block of key stream that are known are taken off it again: what is left is HChaCha20. */
function hChaCha20(key: Uint8Array, input: Uint8Array): Uint8Array {
  const stream = createCipheriv('chacha20', key, input).update(new Uint8Array(64));
  const added = Buffer.concat([Buffer.from('expand 32-byte k'), key, input]);
  const out = Buffer.alloc(32);
  [0, 4, 8, 12, 48, 52, 56, 60].forEach((at, i) => {
    out.writeUInt32LE((stream.readUInt32LE(at) - added.readUInt32LE(at)) >>> 0, i * 4);
  });
  return out;
}
