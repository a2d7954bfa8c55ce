// What a server takes for a handshake, step by step and whole, and for those that never become a connection: through
// ConnectionHost.receive and poll. Clients' work is not timed.

import { Dialer } from '@tickwire/client-node/core';
import { SimulatedAddressBook } from '@tickwire/netsim';
import { createKeyPair, DATAGRAM_BYTES_MAX, type KeyPair, Verdict } from '@tickwire/protocol';
import type { SodiumCrypto } from '@tickwire/protocol/udp';
import { ConnectionHost, type HostOptions } from '@tickwire/server/core';
import { usPerCall, type Work } from './work.ts';

/** Microseconds of server. The first three together are one handshake. */
export interface HandshakeCosts {
  readonly request: number;
  readonly proof: number;
  readonly firstPacket: number;
  /** More requests than are answered. */
  readonly requestAboveLimit: number;
  /** A cookie that was never given. */
  readonly wrongCookie: number;
  /** A proof once more, of a server that has so many slots in use; the same accept went out a moment before. */
  readonly repeatedProof: number;
  readonly repeatedProofAt1000: number;
  readonly repeatedProofAt8000: number;
  /** A good cookie, a credential that nobody sealed: the most that one datagram can cost. */
  readonly wrongCredential: number;
  /** A data packet to a connection that is not there. */
  readonly nobody: number;
}

const GAME = { idHash: 1, digest: 1 };
/** Fewer than the replies that a host keeps. */
const BATCH = 32;
const SERVER = 0;
/** Of a proof: where cookie and sealed credential stand (handshake.ts). */
const COOKIE_AT = 32;
const CREDENTIAL_AT = 90;

const UNLIMITED = { perSecond: 1e9, burst: 1e9 };
const NONE = { perSecond: 1e-3, burst: 1 };
const limits = {
  connections: UNLIMITED,
  connectionsPerAddress: UNLIMITED,
  requests: UNLIMITED,
  halfOpen: 65_535,
};

type Answers = readonly Uint8Array[];

/** A server and a batch of clients, taken through the handshake one step at a time. */
class Rehearsal {
  readonly #crypto: SodiumCrypto;
  readonly #host: ConnectionHost;
  #dialers: readonly Dialer[] = [];
  readonly #to = { address: 0 };
  readonly #out = new Uint8Array(DATAGRAM_BYTES_MAX);

  constructor(crypto: SodiumCrypto, identity: KeyPair, options: Partial<HostOptions> = {}) {
    this.#crypto = crypto;
    const host: ConnectionHost = new ConnectionHost({
      game: GAME,
      crypto,
      identity,
      addresses: new SimulatedAddressBook(),
      limits,
      sink: {
        requested: (slot, ticket) => host.accept(slot, ticket),
        channels: () => [],
        opened() {},
        closed() {},
      },
      ...options,
    });
    this.#host = host;
    this.renew();
  }

  /** Other clients instead, who are to begin. */
  renew(): void {
    const sink = { channels: () => [], opened() {}, closed() {} };
    const options = { game: GAME, crypto: this.#crypto, server: SERVER, nowMs: 0, sink };
    this.#dialers = Array.from({ length: BATCH }, () => new Dialer(options));
  }

  /** Slots that are in use. */
  get used(): number {
    return this.#host.used;
  }

  /** What the clients say now. */
  ask(): Answers {
    return this.#dialers.map((dialer) => {
      dialer.flush(0);
      const length = dialer.poll(0, this.#out, 0, this.#to);
      return this.#out.slice(0, length);
    });
  }

  /** Gives the clients their answers; returns what they say to that. */
  tell(answers: Answers): Answers {
    for (const [client, bytes] of answers.entries()) {
      const verdict = this.#dialers[client]!.receive(0, bytes, 0, bytes.length, SERVER);
      if (verdict !== Verdict.accepted) throw new Error(`a client's verdict ${verdict}`);
    }
    return this.ask();
  }

  /** The server receives, and answers each; answers are copied when they are asked for. */
  serve(datagrams: Answers, expected: Verdict, answers?: Uint8Array[]): void {
    const { receiveSlot } = this.#crypto.memory;
    for (let client = 0; client < BATCH; client++) {
      const bytes = datagrams[client]!;
      receiveSlot.set(bytes);
      const verdict = this.#host.receive(0, receiveSlot, 0, bytes.length, client + 1);
      if (verdict !== expected) throw new Error(`verdict ${verdict}, not ${expected}`);
      const length = this.#host.poll(0, this.#out, 0, this.#to);
      answers?.push(this.#out.slice(0, length));
    }
  }

  /** Takes the two answers that are left: the first request has one, the second is noted, the third has the other. */
  exhaust(request: Uint8Array): void {
    for (let i = 0; i < 3; i++) {
      this.#host.receive(0, request, 0, request.length, 1);
      this.#host.poll(0, this.#out, 0, this.#to);
    }
  }

  /** {@link serve}, and what it answered. */
  answersTo(datagrams: Answers): Answers {
    const answers: Uint8Array[] = [];
    this.serve(datagrams, Verdict.accepted, answers);
    return answers;
  }
}

/** A batch of proofs, the last to come to a server that has so many slots in use, again and again. */
function repeated(crypto: SodiumCrypto, identity: KeyPair, slots: number): Work {
  const rehearsal = new Rehearsal(crypto, identity, { maxConnections: 16_384 });
  let datagrams: Answers = [];
  while (rehearsal.used < slots) {
    rehearsal.renew();
    datagrams = rehearsal.tell(rehearsal.answersTo(rehearsal.ask()));
    rehearsal.serve(datagrams, Verdict.accepted);
  }
  return { calls: BATCH, run: () => rehearsal.serve(datagrams, Verdict.duplicate) };
}

/** All costs. */
export function handshakeCosts(crypto: SodiumCrypto): HandshakeCosts {
  const identity = createKeyPair(crypto);
  const fresh = (options?: Partial<HostOptions>) => new Rehearsal(crypto, identity, options);
  const proofs = (rehearsal: Rehearsal) => rehearsal.tell(rehearsal.answersTo(rehearsal.ask()));
  const withProofs = (change: (proof: Uint8Array) => void) => () => {
    const rehearsal = fresh();
    const datagrams = proofs(rehearsal);
    for (const proof of datagrams) change(proof);
    return { rehearsal, datagrams };
  };
  return usPerCall({
    request: step(Verdict.accepted, () => {
      const rehearsal = fresh();
      return { rehearsal, datagrams: rehearsal.ask() };
    }),
    proof: step(
      Verdict.accepted,
      withProofs(() => {}),
    ),
    firstPacket: step(Verdict.accepted, () => {
      const rehearsal = fresh();
      return { rehearsal, datagrams: rehearsal.tell(rehearsal.answersTo(proofs(rehearsal))) };
    }),
    requestAboveLimit: step(Verdict.limited, () => {
      const rehearsal = fresh({ limits: { ...limits, requests: NONE } });
      const datagrams = rehearsal.ask();
      rehearsal.exhaust(datagrams[0]!);
      return { rehearsal, datagrams };
    }),
    wrongCookie: step(
      Verdict.forged,
      withProofs((proof) => {
        proof[COOKIE_AT + 8]! ^= 1;
      }),
    ),
    repeatedProof: repeated(crypto, identity, 1),
    repeatedProofAt1000: repeated(crypto, identity, 1000),
    repeatedProofAt8000: repeated(crypto, identity, 8000),
    wrongCredential: step(
      Verdict.forged,
      withProofs((proof) => {
        proof[CREDENTIAL_AT]! ^= 1;
      }),
    ),
    nobody: step(Verdict.unknown, () => {
      const rehearsal = fresh();
      const datagrams = rehearsal.tell(rehearsal.answersTo(proofs(rehearsal)));
      return { rehearsal: fresh(), datagrams };
    }),
  });
}

/** A batch of datagrams of one kind, made anew for each slice. */
function step(expected: Verdict, make: () => { rehearsal: Rehearsal; datagrams: Answers }): Work {
  let made = make();
  return {
    calls: BATCH,
    prepare() {
      made = make();
    },
    run: () => made.rehearsal.serve(made.datagrams, expected),
  };
}
