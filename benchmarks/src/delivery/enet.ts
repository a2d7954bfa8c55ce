// The npm package enet: ENet's C code compiled to JavaScript, over dgram sockets that it opens itself.

import { setFlagsFromString } from 'node:v8';
import { SERVER_HOST } from '../peers/loopback.ts';
import { requirePeer, whyMissing } from '../peers-package.ts';
import {
  type DeliveryPeer,
  type Received,
  type ReceivingEnd,
  SERVICE_MS,
  type SendingEnd,
} from './peer.ts';

// What it was compiled to is no longer valid asm.js: V8 runs it as any other code, and warns of that.
setFlagsFromString('--no-validate-asm');

const CHANNEL = 0;
const CHANNELS = 1;
/** Bandwidth 0 = no limit. */
const HOST_OPTIONS = { peers: 1, channels: CHANNELS, down: 0, up: 0 } as const;

/** The part of enet that the bench uses. */
interface Packet {
  data(): Buffer;
}

interface Peer {
  /** True = not queued. */
  send(channel: number, packet: Packet): boolean;
  on(event: 'message', listener: (packet: Packet, channel: number) => void): void;
}

interface Host {
  address(): { port: number };
  on(event: 'connect', listener: (peer: Peer) => void): void;
  connect(
    address: { address: string; port: number },
    channels: number,
    data: number,
    callback: (error: Error | undefined, peer: Peer) => void,
  ): void;
  start(intervalMs: number): void;
  destroy(): void;
}

type HostCallback = (error: Error | undefined, host: Host) => void;

interface EnetModule {
  createServer(
    options: typeof HOST_OPTIONS & { address: { address: string; port: number } },
    callback: HostCallback,
  ): void;
  createClient(options: typeof HOST_OPTIONS, callback: HostCallback): void;
  readonly Packet: new (bytes: Buffer, flags: number) => Packet;
  readonly PACKET_FLAG: { readonly RELIABLE: number };
}

function loadModule(): EnetModule {
  return requirePeer<EnetModule>('enet');
}

/** Hands what a callback of enet brings to a promise. */
function settle<T>(resolve: (value: T) => void, reject: (error: Error) => void) {
  return (error: Error | undefined, value: T) => {
    if (error === undefined) resolve(value);
    else reject(error);
  };
}

class EnetReceiver implements ReceivingEnd {
  readonly port: number;
  readonly #host: Host;

  constructor(host: Host, received: Received) {
    this.#host = host;
    this.port = host.address().port;
    host.on('connect', (peer) => peer.on('message', (packet) => received(packet.data())));
    host.start(SERVICE_MS);
  }

  async close(): Promise<void> {
    this.#host.destroy();
  }
}

class EnetSender implements SendingEnd {
  readonly #host: Host;
  readonly #peer: Peer;
  readonly #module = loadModule();

  constructor(host: Host, peer: Peer) {
    this.#host = host;
    this.#peer = peer;
  }

  send(bytes: Buffer): boolean {
    const { Packet, PACKET_FLAG } = this.#module;
    return !this.#peer.send(CHANNEL, new Packet(bytes, PACKET_FLAG.RELIABLE));
  }

  async close(): Promise<void> {
    this.#host.destroy();
  }
}

async function listen(received: Received): Promise<ReceivingEnd> {
  const options = { ...HOST_OPTIONS, address: { address: SERVER_HOST, port: 0 } };
  const host = await new Promise<Host>((resolve, reject) => {
    loadModule().createServer(options, settle(resolve, reject));
  });
  return new EnetReceiver(host, received);
}

async function connect(port: number): Promise<SendingEnd> {
  const host = await new Promise<Host>((resolve, reject) => {
    loadModule().createClient(HOST_OPTIONS, settle(resolve, reject));
  });
  const peer = await new Promise<Peer>((resolve, reject) => {
    host.connect({ address: SERVER_HOST, port }, CHANNELS, 0, settle(resolve, reject));
    // It services itself every 10 ms from `connect` on; this replaces that.
    host.start(SERVICE_MS);
  });
  return new EnetSender(host, peer);
}

export const enet: DeliveryPeer = {
  name: 'enet',
  settings: `reliable packets on one channel, no bandwidth limit, host.start(${SERVICE_MS})`,
  tagBytes: 0,
  missing: () => whyMissing('enet'),
  listen,
  connect,
};
