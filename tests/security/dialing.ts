// A client's end of the handshake, its datagrams handed over one by one, and what it said.

import { Dialer, type DialerOptions } from '@tickwire/client-node/core';
import { simulatedCrypto } from '@tickwire/netsim';
import type { Verdict } from '@tickwire/protocol';
import { GAME } from '../../packages/server/test/handshake-scene.ts';

/** When scenes begin. */
export const BEGIN_MS = 10_000;
const SERVER = 1;

/** A client that dials; `hear` hands it a copy of bytes[0, end), and `told` has the reasons of its end. */
export function dialing(options: Partial<DialerOptions> = {}) {
  const told: string[] = [];
  const dialer = new Dialer({
    game: GAME,
    crypto: simulatedCrypto(5000),
    server: SERVER,
    nowMs: BEGIN_MS,
    sink: { channels: () => [], opened: () => {}, closed: (reason) => told.push(reason) },
    ...options,
  });
  const hear = (bytes: Uint8Array, end = bytes.length, nowMs = BEGIN_MS): Verdict =>
    dialer.receive(nowMs, bytes.slice(), 0, end, SERVER);
  return { dialer, hear, told };
}

/** The next datagram that it says; empty = none. */
export function said(dialer: Dialer, nowMs = BEGIN_MS): Uint8Array {
  const out = new Uint8Array(1500);
  return out.slice(0, dialer.poll(nowMs, out, 0, { address: 0 }));
}

/** The client's nonce, from its request or proof. */
export function nonceIn(hello: Uint8Array): Uint8Array {
  return hello.slice(15, 31);
}
