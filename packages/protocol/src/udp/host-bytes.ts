// Literal IPv4 and IPv6 addresses, as dgram gives them, into bytes. Strangers decide how often this is done, so it
// allocates nothing.

const DOT = 0x2e;
const COLON = 0x3a;
const ZERO = 0x30;

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** Of an IPv6 address, what one subscriber has in common. */
const NETWORK_BYTES = 8;
/** Of an IPv4-mapped address: ten zeros, two of 0xff. */
const MAPPED_BYTES = 12;

const scratch = new Uint8Array(IPV6_BYTES);

/** Writes the family (4 or 6) and the host's 4 or 16 bytes to out[start..]; returns how many bytes. */
export function writeHost(host: string, out: Uint8Array, start: number): number {
  const six = host.includes(':');
  out[start] = six ? 6 : 4;
  if (six) readIpv6(host, out, start + 1);
  else readIpv4(host, 0, out, start + 1);
  return 1 + (six ? IPV6_BYTES : IPV4_BYTES);
}

/**
 * Writes who is counted as one to out[start..]: family and host of an IPv4 address, also when it is mapped into IPv6,
 * or family and the first 8 bytes of an IPv6 address. Returns how many bytes.
 */
export function writeCountedHost(host: string, out: Uint8Array, start: number): number {
  const address = scratch;
  const six = host.includes(':');
  if (six) readIpv6(host, address, 0);
  else readIpv4(host, 0, address, MAPPED_BYTES);
  const four = !six || isMapped(address);
  const from = four ? MAPPED_BYTES : 0;
  const length = four ? IPV4_BYTES : NETWORK_BYTES;
  out[start] = four ? 4 : 6;
  for (let i = 0; i < length; i++) out[start + 1 + i] = address[from + i]!;
  return 1 + length;
}

/** Reads the dotted numbers that begin at host[from] into out[at, at + 4). */
function readIpv4(host: string, from: number, out: Uint8Array, at: number): void {
  let value = 0;
  let part = 0;
  out.fill(0, at, at + IPV4_BYTES);
  for (let i = from; i < host.length && part < IPV4_BYTES; i++) {
    const code = host.charCodeAt(i);
    if (code === DOT) {
      part++;
      value = 0;
    } else {
      value = value * 10 + code - ZERO;
      out[at + part] = value;
    }
  }
}

/**
 * Reads host into out[at, at + 16). Groups are written one after the other; those behind a `::` are then moved to the
 * end. What follows a `%` is a zone, and left out.
 */
function readIpv6(host: string, out: Uint8Array, at: number): void {
  const end = at + IPV6_BYTES;
  let to = at;
  let gapAt = -1;
  let group = 0;
  let groupFrom = 0;
  out.fill(0, at, end);
  for (let i = 0; i <= host.length && to < end; i++) {
    const code = i < host.length ? host.charCodeAt(i) : 0;
    const digit = hexDigit(code);
    if (digit >= 0) {
      group = group * 16 + digit;
      continue;
    }
    if (code === DOT) {
      readIpv4(host, groupFrom, out, end - IPV4_BYTES);
      moveTail(out, gapAt, to, end - IPV4_BYTES);
      return;
    }
    if (i > groupFrom) {
      out[to] = group >>> 8;
      out[to + 1] = group;
      to += 2;
      group = 0;
    }
    if (code !== COLON) break;
    groupFrom = i + 1;
    if (host.charCodeAt(i + 1) === COLON) gapAt = to;
  }
  moveTail(out, gapAt, to, end);
}

/** Moves out[gapAt, to) so that it ends at `end`, with zeros before it; a negative gapAt is none. */
function moveTail(out: Uint8Array, gapAt: number, to: number, end: number): void {
  if (gapAt < 0) return;
  const tailAt = end - (to - gapAt);
  out.copyWithin(tailAt, gapAt, to);
  out.fill(0, gapAt, tailAt);
}

/** Value of a hexadecimal digit; -1 = it is none. */
function hexDigit(code: number): number {
  if (code >= ZERO && code < ZERO + 10) return code - ZERO;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

function isMapped(address: Uint8Array): boolean {
  for (let i = 0; i < MAPPED_BYTES; i++) {
    if (address[i] !== (i < MAPPED_BYTES - 2 ? 0 : 0xff)) return false;
  }
  return true;
}
