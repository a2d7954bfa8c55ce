// Every parser that reads what a stranger sent, on changed copies of what it is there for. None may throw, but for the one
// whose caller is a program: the connect token's text, with its own error and no other. What they give back is within
// its bounds. Where a seal stands before a parser, it is taken away, as if a hostile holder of the key had sealed.

import { Prng, simulatedCrypto } from '@tickwire/netsim';
import {
  ACCEPT_BYTES,
  binderFits,
  type ClientToken,
  type ConnectToken,
  CREDENTIAL_BYTES_MAX,
  type Credential,
  type Crypto,
  createKeyPair,
  Hello,
  type HelloFields,
  KEY_BYTES,
  openProof,
  PADDED_BYTES,
  readAccept,
  readChallenge,
  readConnectToken,
  readRefusal,
  readToken,
  TickwireError,
  TOKEN_BYTES_MAX,
  Way,
  WIRE_VERSION,
  writeAcceptHead,
  writeChallenge,
  writeConnectToken,
  writeProof,
  writeRefusal,
  writeRequest,
  writeToken,
} from '@tickwire/protocol';
import { mutated } from './datagram-mutations.ts';

const ROUNDS = 200;
const REFUSAL_TEXT_MAX = 200;
const GAME = { idHash: 1, digest: 2 };
const COOKIE_BYTES = 20;

/** One case: everything follows from the seed. */
export class ParserFuzz {
  readonly #random: Prng;
  readonly #crypto: Crypto;
  /** Believes every seal. */
  readonly #trusting: Crypto;
  readonly #hello = new Hello();
  readonly #corpus: Uint8Array[];
  /** How often what was read, by parser. */
  readonly read = new Map<string, number>();

  constructor(seed: number) {
    this.#random = new Prng(seed).fork('parser');
    this.#crypto = simulatedCrypto(seed);
    const { sealer } = this.#crypto;
    this.#trusting = {
      ...this.#crypto,
      sealer: (key) => ({ ...sealer(key), seal: () => {}, open: () => true }),
      openToken: () => true,
    };
    this.#corpus = this.#seeds();
  }

  /** Throws an Error that says what went wrong. */
  run(): void {
    for (let round = 0; round < ROUNDS; round++) {
      const [real, other] = [this.#pick(), this.#pick()];
      const packet = mutated(real, other, (n) => this.#below(n));
      this.#parse(this.#below(10) === 0 ? real : packet);
    }
  }

  #below(n: number): number {
    return this.#random.u32() % n;
  }

  #pick(): Uint8Array {
    return this.#corpus[this.#below(this.#corpus.length)]!;
  }

  #bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#crypto.randomBytes(bytes);
    return bytes;
  }

  /** Every parser gets every packet, somewhere in a longer array. */
  #parse(packet: Uint8Array): void {
    const start = this.#below(9);
    const bytes = new Uint8Array(start + packet.length + this.#below(9)).fill(this.#below(256));
    bytes.set(packet, start);
    const end = start + packet.length;
    this.#hellos(bytes, start, end);
    this.#note('challenge', readChallenge(bytes, start, end) !== undefined);
    const accept = readAccept(bytes, start, end);
    this.#note('accept', accept !== undefined);
    need(accept === undefined || accept.serverId !== 0, 'an accept of id 0');
    const refusal = readRefusal(bytes, start, end);
    this.#note('refusal', refusal !== undefined);
    need((refusal?.text.length ?? 0) <= REFUSAL_TEXT_MAX, 'a long refusal');
    this.#tokens(bytes, start, end);
    this.#text(packet);
  }

  #hellos(bytes: Uint8Array, start: number, end: number): void {
    const hello = this.#hello;
    this.#note('request', hello.readRequest(bytes, start, end));
    if (!hello.readProof(bytes, start, end)) return;
    this.#note('proof', true);
    need(hello.credentialBytes <= CREDENTIAL_BYTES_MAX && hello.clientId !== 0, 'a proof');
    const identity = createKeyPair(this.#crypto);
    openProof(this.#crypto, bytes.slice(), start, hello, identity);
    const proof = openProof(this.#trusting, bytes.slice(), start, hello, identity);
    if (proof === undefined) return;
    this.#note('credential', true);
    need(proof.way <= Way.resume, 'a way that there is not');
    need(proof.binder.length === (proof.way === Way.open ? 0 : KEY_BYTES), 'a binder');
    binderFits(this.#crypto, new Uint8Array(KEY_BYTES), proof);
    this.#tokens(proof.rest, 0, proof.rest.length);
  }

  /** What was read can be written again, and then says the same. */
  #tokens(bytes: Uint8Array, start: number, end: number): void {
    const key = new Uint8Array(KEY_BYTES);
    readToken(this.#crypto, key, bytes, start, end);
    const token = readToken(this.#trusting, key, bytes, start, end);
    if (token === undefined) return;
    this.#note('token', true);
    const out = new Uint8Array(TOKEN_BYTES_MAX);
    const length = writeToken(this.#trusting, key, token, out);
    need(length === end - start, 'a token of another length');
    need(
      JSON.stringify(readToken(this.#trusting, key, out, 0, length)) === JSON.stringify(token),
      'a token that is not the same when written again',
    );
  }

  #text(packet: Uint8Array): void {
    const text = Buffer.from(packet).toString('latin1');
    try {
      const token = readConnectToken(text);
      this.#note('connect token', true);
      need(token.sealed.length <= TOKEN_BYTES_MAX && token.servers.length > 0, 'a connect token');
    } catch (error) {
      if (error instanceof TickwireError && error.code === 'token-unreadable') return;
      throw error;
    }
  }

  #note(what: string, read: boolean): void {
    if (read) this.read.set(what, (this.read.get(what) ?? 0) + 1);
  }

  #seeds(): Uint8Array[] {
    const nonce = this.#bytes(16);
    const hello: HelloFields = { game: GAME, nonce };
    const padded = new Uint8Array(PADDED_BYTES);
    writeRequest(padded, 0, hello);
    const reply = new Uint8Array(PADDED_BYTES);
    const serverKey = this.#bytes(KEY_BYTES);
    const challenge = { version: WIRE_VERSION, serverKey, cookie: this.#bytes(COOKIE_BYTES) };
    const seeds: Uint8Array[] = [
      padded.slice(),
      reply.slice(0, writeChallenge(reply, 0, nonce, challenge)),
    ];
    writeAcceptHead(reply, 0, nonce, 77, serverKey);
    seeds.push(reply.slice(0, ACCEPT_BYTES));
    const refusal = writeRefusal(reply, 0, nonce, 'full', 'später, bitte');
    seeds.push(reply.slice(0, refusal));
    const sealed = this.#sealedToken(serverKey);
    const secret = this.#bytes(KEY_BYTES);
    const credentials: Credential[] = [
      { way: Way.open },
      { way: Way.key, secret },
      { way: Way.token, secret, sealed },
      { way: Way.resume, secret, id: this.#bytes(16) },
    ];
    for (const credential of credentials) seeds.push(this.#proof(hello, serverKey, credential));
    const client: ClientToken = { expiresAtMs: 2, secret, serverKey, servers: ['a:1'], sealed };
    seeds.push(sealed, Buffer.from(writeConnectToken(client), 'latin1'));
    // A data packet, of a connection that nobody has.
    seeds.push(Uint8Array.of(6, ...this.#bytes(60)));
    return seeds;
  }

  /** Not sealed: who is believed can be read. */
  #proof(hello: HelloFields, serverKey: Uint8Array, credential: Credential): Uint8Array {
    const pair = createKeyPair(this.#crypto);
    const own = { version: WIRE_VERSION, cookie: this.#bytes(COOKIE_BYTES), clientId: 5 };
    const fields = { ...hello, ...own, clientKey: pair.publicKey };
    const out = new Uint8Array(PADDED_BYTES);
    writeProof(this.#trusting, out, 0, fields, pair.secretKey, serverKey, credential);
    return out;
  }

  #sealedToken(serverKey: Uint8Array): Uint8Array {
    const terms = { wireVersion: WIRE_VERSION, gameIdHash: 1, timeoutMs: 100, serverKey };
    const user = { userId: 'añb', servers: ['a:1', '[::1]:65535'], userData: this.#bytes(40) };
    const own = { id: this.#bytes(16), secret: this.#bytes(KEY_BYTES) };
    const fields: ConnectToken = { ...terms, ...user, ...own, issuedAtMs: 1, expiresAtMs: 2 };
    const out = new Uint8Array(TOKEN_BYTES_MAX);
    return out.slice(0, writeToken(this.#crypto, new Uint8Array(KEY_BYTES), fields, out));
  }
}

function need(condition: boolean, what: string): void {
  if (!condition) throw new Error(`what was read is not within its bounds: ${what}`);
}
