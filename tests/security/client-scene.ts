// A dialer in a state of its choice, a real host that it speaks to, and every datagram in the hands of a test. Two scenes
// of the same kind are the same byte for byte, so what a server says in one can be heard in another.

import { Dialer } from '@tickwire/client-node/core';
import { SimulatedAddressBook, simulatedCrypto } from '@tickwire/netsim';
import { keyPairOf, ReliableOrderedChannel, resolveChannel } from '@tickwire/protocol';
import { ConnectionHost } from '@tickwire/server/core';
import { kindOf, type Said } from './state-tables.ts';

const GAME = { idHash: 1, digest: 2 };
const SERVER = 1;
const CLIENT = 2;
const START_MS = 10_000;
const limits = resolveChannel({ kind: 'reliable-ordered' });
const identity = keyPairOf(simulatedCrypto(3), new Uint8Array(32).fill(7));
/** What waits is said by then: acks of what was heard. */
const QUIET_MS = 150;

export type ClientState = 'requesting' | 'proving' | 'open' | 'live' | 'closing' | 'over';
/** Who closes, in the state 'closing'. */
export type Closer = 'said' | 'heard';

/** See the head of the file. */
export class ClientScene {
  nowMs = START_MS;
  readonly startMs = START_MS;
  challengedMs = START_MS;
  heardMs = START_MS;
  saidMs = START_MS;
  opened = false;
  ended: string | undefined;
  /** The server says no to whoever asks. */
  refuses = false;
  readonly client: Dialer;
  readonly host: ConnectionHost;
  /** All that the client said. */
  readonly all: Said[] = [];
  readonly #channel = new ReliableOrderedChannel(limits, () => {});
  readonly #out = new Uint8Array(2048);

  constructor() {
    this.host = this.#createHost();
    this.client = new Dialer({
      game: GAME,
      crypto: simulatedCrypto(1),
      server: SERVER,
      serverKey: identity.publicKey,
      nowMs: this.nowMs,
      sink: {
        channels: () => [{ id: 0, channel: new ReliableOrderedChannel(limits, () => {}) }],
        opened: () => {
          this.opened = true;
        },
        closed: (reason) => {
          this.ended = reason;
        },
      },
    });
  }

  /** A scene whose client is in this state. The challenge comes after `challengeMs`. */
  static in(state: ClientState, closer: Closer = 'said', challengeMs = 100): ClientScene {
    const scene = new ClientScene();
    scene.says();
    if (state === 'over') scene.client.close(scene.nowMs, 'aborted', '');
    if (state === 'requesting' || state === 'over') return scene;
    scene.pass(scene.nowMs + challengeMs);
    scene.hear(scene.answer());
    scene.challengedMs = scene.nowMs;
    scene.says();
    if (state === 'proving') return scene;
    scene.hear(scene.answer());
    scene.says();
    if (state === 'open') return scene;
    scene.hear(scene.data(1));
    scene.pass(scene.nowMs + QUIET_MS);
    if (state === 'closing') scene.#close(closer);
    return scene;
  }

  /** What the client is in the middle of. Looks at what it would say next, so nothing may follow. */
  state(): ClientState {
    const { client } = this;
    if (client.over) return 'over';
    if (client.connection !== undefined) {
      if (!client.connection.open) return 'closing';
      return this.opened ? 'live' : 'open';
    }
    const length = client.poll(this.nowMs + 200, this.#out, 0, { address: 0 });
    const kind = kindOf({ to: SERVER, bytes: this.#out.slice(0, length) });
    return kind === 'proof' ? 'proving' : 'requesting';
  }

  /** Everything that the client has to say now. */
  says(): Said[] {
    const { client, nowMs } = this;
    client.advance(nowMs);
    client.flush(nowMs);
    const to = { address: 0 };
    const said: Said[] = [];
    for (let length = -1; length !== 0; ) {
      length = client.poll(nowMs, this.#out, 0, to);
      if (length > 0) said.push({ to: to.address, bytes: this.#out.slice(0, length) });
    }
    if (said.length > 0) this.saidMs = nowMs;
    this.all.push(...said);
    return said;
  }

  /** The client lives up to and without `untilMs`, hearing nothing. */
  pass(untilMs: number): void {
    while (this.nowMs < untilMs - 1) {
      this.nowMs = Math.min(this.nowMs + 5, untilMs - 1);
      this.says();
    }
    this.nowMs = untilMs;
  }

  hear(bytes: Uint8Array): void {
    this.heardMs = this.nowMs;
    this.client.receive(this.nowMs, bytes.slice(), 0, bytes.length, SERVER);
  }

  /** What the server answers to what the client said last. */
  answer(from = CLIENT): Uint8Array {
    const { bytes } = this.all.at(-1)!;
    this.host.receive(this.nowMs, bytes.slice(), 0, bytes.length, from);
    return this.#serverSays();
  }

  /** The last of so many packets of the server's, of a connection that it takes for live. */
  data(packets: number): Uint8Array {
    const { bytes } = this.all.at(-1)!;
    this.host.receive(this.nowMs, bytes.slice(), 0, bytes.length, CLIENT);
    let last: Uint8Array = new Uint8Array(0);
    for (let n = 0; n < packets; n++) {
      this.#channel.send(Uint8Array.of(n), 0, 1);
      this.host.flush(this.nowMs);
      last = this.#serverSays();
    }
    return last;
  }

  /** The server ends the connection, and says so. */
  kick(): Uint8Array {
    this.host.close(0, 'kicked', 'out');
    return this.#serverSays();
  }

  /** The server has not been confirmed, and says it again. */
  kickAgain(): Uint8Array {
    for (let bytes: Uint8Array; ; this.nowMs += 5) {
      bytes = this.#serverSays();
      if (bytes.length > 0) return bytes;
    }
  }

  #close(closer: Closer): void {
    if (closer === 'said') this.client.close(this.nowMs, 'closed', 'bye');
    else this.hear(this.kick());
    this.says();
  }

  #serverSays(): Uint8Array {
    this.host.advance(this.nowMs);
    const length = this.host.poll(this.nowMs, this.#out, 0, { address: 0 });
    return this.#out.slice(0, length);
  }

  #createHost(): ConnectionHost {
    const host: ConnectionHost = new ConnectionHost({
      game: GAME,
      crypto: simulatedCrypto(2),
      addresses: new SimulatedAddressBook(),
      identity,
      sink: {
        requested: (slot, ticket) => {
          if (this.refuses) host.refuse(slot, ticket, 'refused', '');
          else host.accept(slot, ticket);
        },
        channels: () => [{ id: 0, channel: this.#channel }],
        opened: () => {},
        closed: () => {},
      },
    });
    return host;
  }
}
