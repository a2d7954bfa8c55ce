// The handshake and its key schedule as PROTOCOL.md describes them (section 3), written from that page alone and seen as
// the server sees them, who has all the secrets. Whatever the page forbids throws.

import { agree, hash, open, publicKeyOf, ZEROS } from './primitives.ts';
import { ByteSource, demand, hex, hex32, utf8 } from './sources.ts';
import { readToken } from './token-reader.ts';

export const REASONS = [
  ...['closed', 'kicked', 'shutdown', 'timeout', 'error', 'refused'],
  ...['full', 'version', 'game', 'unreachable', 'aborted', 'overflow'],
  ...['credentials', 'token-invalid', 'token-expired', 'token-used'],
  ...['resume-invalid', 'replaced', 'identity'],
];
const WAYS = ['open', 'pre-shared key', 'connect token', 'resume'];
const MAGIC = '544b5752';
const PROOF_HEAD_BYTES = 90;
const ACCEPT_HEAD_BYTES = 53;
const WIRE_VERSION = 2;

/** What a server knows before anybody comes. */
export interface Secrets {
  /** si and se. */
  readonly identity: Uint8Array;
  readonly fresh: Uint8Array;
  /** Of the ways in; one that is missing opens nothing. */
  readonly presharedKey?: Uint8Array;
  readonly tokenKey?: Uint8Array;
  readonly resume?: { readonly id: Uint8Array; readonly secret: Uint8Array };
}

/** What follows from a proof. */
interface Opened {
  readonly clientKey: Uint8Array;
  readonly es: Uint8Array;
  readonly proofHash: Uint8Array;
  readonly credentialKey: Uint8Array;
  readonly transcript: Uint8Array;
  readonly secret: Uint8Array;
}

/** The key for a purpose (section 3). */
const draw = (key: Uint8Array, purpose: number, ...more: readonly Uint8Array[]) =>
  hash(key, Uint8Array.of(purpose), ...more);

/** The key of the generation after that of `key`. */
export const nextKey = (key: Uint8Array) => draw(key, 6);

/** See the head of the file. */
export class HandshakeReader {
  readonly #secrets: Secrets;
  readonly #identityKey: Uint8Array;
  #nonce: Uint8Array = new Uint8Array(0);
  #versions: readonly [lowest: number, highest: number] = [0, 0];
  #cookie: Uint8Array = new Uint8Array(0);
  #opened: Opened | undefined;
  #acceptHead: Uint8Array | undefined;
  #clear: Uint8Array = new Uint8Array(0);
  #clientId = 0;
  #serverId = 0;

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
    this.#identityKey = publicKeyOf(secrets.identity);
  }

  get clientId(): number {
    return this.#clientId;
  }

  get serverId(): number {
    return this.#serverId;
  }

  /** The credential of the last proof, opened. */
  get clear(): Uint8Array {
    return this.#clear;
  }

  /** What both sides draw their keys from, once there is an accept. */
  get root(): Uint8Array {
    demand(this.#opened !== undefined && this.#acceptHead !== undefined, 'a proof and an accept');
    return this.#root(this.#opened, this.#acceptHead);
  }

  /** Keys of generation 0. */
  get clientToServer(): Uint8Array {
    return draw(this.root, 4);
  }

  get serverToClient(): Uint8Array {
    return draw(this.root, 5);
  }

  /** The meaning of a handshake packet of a kind, line by line. */
  read(kind: number, datagram: Uint8Array, source: ByteSource): string[] {
    if (kind === 1) return this.#request(source);
    if (kind === 2) return this.#challenge(source);
    if (kind === 3) return this.#proof(datagram, source);
    return kind === 4 ? this.#accept(datagram, source) : this.#refuse(source);
  }

  /** Every step of the key schedule, as text. */
  schedule(): string[] {
    const { root } = this;
    const { es, proofHash, credentialKey, transcript } = this.#opened!;
    const steps: [name: string, value: Uint8Array][] = [
      ['es', es],
      ['proof hash', proofHash],
      ['credential key', credentialKey],
      ['ee', this.#ee(this.#opened!)],
      ['transcript', transcript],
      ['root', root],
      ['accept key', draw(root, 3)],
      ...generationsOf('client to server', this.clientToServer),
      ...generationsOf('server to client', this.serverToClient),
      ['resume id', draw(root, 7).subarray(0, 16)],
      ['resume secret', draw(root, 8)],
    ];
    return steps.map(([name, value]) => `${name} = ${hex(value)}`);
  }

  #head(source: ByteSource): string[] {
    demand(source.left === 1199 && hex(source.take(4)) === MAGIC, '1200 bytes with the magic');
    this.#versions = [source.u(1), source.u(1)];
    return [
      `versions = ${this.#versions.join(' to ')}`,
      `game id hash = ${hex32(source.u(4))}`,
      `schema digest = ${hex32(source.u(4))}`,
    ];
  }

  #request(source: ByteSource): string[] {
    const head = this.#head(source);
    this.#nonce = source.take(16);
    return ['kind = request', ...head, `nonce = ${hex(this.#nonce)}`, padding(source)];
  }

  #challenge(source: ByteSource): string[] {
    const echo = this.#echo(source.take(16));
    const version = source.u(1);
    demand(this.#speaks(version), 'a version that the request names');
    const identityKey = source.take(32);
    demand(hex(identityKey) === hex(this.#identityKey), 'SI belongs to si');
    this.#cookie = source.take(20);
    const lines = ['kind = challenge', echo, `version = ${version}`];
    return [...lines, `SI = ${hex(identityKey)}`, `cookie = ${hex(this.#cookie)}`];
  }

  #proof(datagram: Uint8Array, source: ByteSource): string[] {
    const head = this.#head(source);
    const echo = this.#echo(source.take(16));
    const version = source.u(1);
    demand(this.#speaks(version), 'a version that it names');
    demand(hex(source.take(20)) === hex(this.#cookie), 'the cookie of the challenge');
    this.#clientId = source.u(4);
    demand(this.#clientId !== 0, 'an id');
    const clientKey = source.take(32);
    const length = source.u(2);
    demand(length >= 1 && length <= 1094, 'a credential of 1 to 1094 bytes');
    const proofHead = datagram.subarray(0, PROOF_HEAD_BYTES);
    const sealed = source.take(length + 16);
    const said = this.#credential(proofHead, clientKey, sealed);
    const lines = ['kind = proof', ...head, echo, `version = ${version}`, 'cookie = returned'];
    lines.push(`client id = ${hex32(this.#clientId)}`, `CE = ${hex(clientKey)}`);
    return [...lines, `credential = ${length} bytes`, ...said, padding(source)];
  }

  /** Opens it; what follows counts for the session unless that has been accepted before. */
  #credential(head: Uint8Array, clientKey: Uint8Array, sealed: Uint8Array): string[] {
    const es = agree(this.#secrets.identity, clientKey);
    const proofHash = hash(ZEROS, head, this.#identityKey);
    const credentialKey = draw(es, 1, proofHash);
    this.#clear = open(credentialKey, 0, head, sealed);
    const transcript = hash(ZEROS, proofHash, sealed);
    const { lines, secret } = this.#way(new ByteSource(this.#clear), es, proofHash);
    const opened = { clientKey, es, proofHash, credentialKey, transcript, secret };
    if (this.#acceptHead === undefined) {
      this.#opened = opened;
      return lines;
    }
    return [...lines, `root = ${hex(this.#root(opened, this.#acceptHead))}`];
  }

  #way(source: ByteSource, es: Uint8Array, proofHash: Uint8Array) {
    const way = source.u(1);
    demand(WAYS[way] !== undefined, 'a way in');
    const lines = [`way = ${WAYS[way]}`];
    const binder = way === 0 ? ZEROS : source.take(32);
    const rest = source.rest();
    const secret = this.#secretOf(way, rest);
    if (way === 0) return { lines, secret };
    const expected = hash(secret, Uint8Array.of(2, way), es, proofHash);
    demand(hex(binder) === hex(expected), 'a binder made with the secret');
    lines.push('binder = valid');
    if (way === 2) lines.push(`token = of ${readToken(this.#secrets.tokenKey!, rest).userId}`);
    if (way === 3) lines.push(`resume id = ${hex(rest)}`);
    return { lines, secret };
  }

  #secretOf(way: number, rest: Uint8Array): Uint8Array {
    const { presharedKey, tokenKey, resume } = this.#secrets;
    if (way === 2) {
      demand(tokenKey !== undefined, 'a key for tokens');
      return readToken(tokenKey, rest).secret;
    }
    if (way === 3) {
      demand(resume !== undefined && hex(rest) === hex(resume.id), 'an id that can be resumed');
      return resume.secret;
    }
    demand(rest.length === 0, 'nothing more');
    demand(way === 0 || presharedKey !== undefined, 'a pre-shared key');
    return way === 0 ? ZEROS : presharedKey!;
  }

  #accept(datagram: Uint8Array, source: ByteSource): string[] {
    demand(this.#opened !== undefined, 'a proof before');
    const echo = this.#echo(source.take(16));
    const serverId = source.u(4);
    const serverKey = source.take(32);
    demand(serverId !== 0, 'an id');
    demand(hex(serverKey) === hex(publicKeyOf(this.#secrets.fresh)), 'SE belongs to se');
    const head = datagram.subarray(0, ACCEPT_HEAD_BYTES);
    const root = this.#root(this.#opened, head);
    open(draw(root, 3), 0, head, source.take(16));
    this.#acceptHead = head;
    this.#serverId = serverId;
    const lines = ['kind = accept', echo, `server id = ${hex32(serverId)}`];
    return [...lines, `SE = ${hex(serverKey)}`, 'tag = valid', `root = ${hex(root)}`];
  }

  #refuse(source: ByteSource): string[] {
    const echo = this.#echo(source.take(16));
    const reason = REASONS[source.u(1)];
    demand(reason !== undefined && source.left <= 200, 'a reason, and at most 200 bytes of text');
    return ['kind = refuse', echo, `reason = ${reason}`, `text = ${utf8(source.rest())}`];
  }

  #root(opened: Opened, acceptHead: Uint8Array): Uint8Array {
    const { secret, es, transcript } = opened;
    return hash(secret, es, this.#ee(opened), transcript, acceptHead);
  }

  #ee({ clientKey }: Opened): Uint8Array {
    return agree(this.#secrets.fresh, clientKey);
  }

  #speaks(version: number): boolean {
    const [lowest, highest] = this.#versions;
    return version === WIRE_VERSION && lowest <= version && version <= highest;
  }

  #echo(nonce: Uint8Array): string {
    demand(hex(nonce) === hex(this.#nonce), 'the nonce of the request');
    return 'nonce = echoed';
  }
}

function generationsOf(name: string, first: Uint8Array): [name: string, value: Uint8Array][] {
  const second = nextKey(first);
  return [first, second, nextKey(second)].map((key, n) => [`${name}, generation ${n}`, key]);
}

/** It is ignored, whatever it is. */
function padding(source: ByteSource): string {
  const bytes = source.rest();
  const zero = bytes.every((byte) => byte === 0);
  return `padding = ${bytes.length}${zero ? '' : ', not all zero'}`;
}
