// A server and its clients for a long time on a network that loses and doubles a quarter of everything, in virtual time.
// The server answers every line with a line of its own, so that both directions are used alike.

import { SimulatedAddressBook, simulatedCrypto, World } from '@tickwire/netsim';
import { MessageServer, type Session } from '@tickwire/server/core';
import { type Manner, SoakClient } from './soak-client.ts';
import { Ledger, pattern, type SoakMessages, soakMessages } from './soak-messages.ts';

/** What a soak is made of. */
export interface SoakOptions {
  readonly seed: number;
  readonly clients: number;
  /** Of these, so many never leave and talk fast enough for their sequences to wrap. */
  readonly marathons: number;
}

const LINK = { latencyMs: 40, jitterMs: 15, loss: 0.25, duplicate: 0.25 };

const MARATHON: Manner = {
  roundMs: 1,
  lifeMs: Number.POSITIVE_INFINITY,
  spellMs: 20_000,
  gapMs: 5_000,
  flushMs: 1,
  // What is under test here is not how the rate is found.
  rate: { initialBytesPerSecond: 500_000, minBytesPerSecond: 500_000 },
};
const VISITOR: Manner = {
  roundMs: 50,
  lifeMs: 30_000,
  spellMs: 6_000,
  gapMs: 9_000,
  flushMs: 10,
};

/** See the head of the file. */
export class SoakWorld {
  readonly world: World;
  readonly server: MessageServer<SoakMessages>;
  readonly clients: SoakClient[] = [];
  readonly wrong: string[] = [];
  /** Sessions that ended in good order and were found complete. */
  settled = 0;
  readonly #ledgers = new Map<Session<SoakMessages>, Ledger>();

  constructor({ seed, clients, marathons }: SoakOptions) {
    this.world = new World({ seed, link: LINK, receiveTurnMs: 0.5, receiveTurnDatagrams: 256 });
    this.server = new MessageServer(soakMessages, {
      crypto: simulatedCrypto(seed),
      addresses: new SimulatedAddressBook(),
      nowMs: 0,
      flushMs: 1,
      maxConnections: 4 * clients,
      rate: MARATHON.rate,
      onError: (error, where) => this.wrong.push(`${where}: ${error.message}`),
    });
    this.#listen();
    this.world.addNode(this.server);
    for (let name = 0; name < clients; name++) {
      const client = new SoakClient(seed, name, name < marathons ? MARATHON : VISITOR, 0);
      this.clients.push(client);
      this.world.addNode(client);
    }
  }

  /** Whether every marathon has sent more packets than `packets` in one connection. */
  outran(packets: number, marathons: number): boolean {
    return this.clients.slice(0, marathons).every(({ packetsMax }) => packetsMax > packets);
  }

  /** Everybody leaves in good order; true = all have. */
  finish(withinMs: number): boolean {
    for (const client of this.clients) client.stop(this.world.nowMs);
    const until = this.world.nowMs + withinMs;
    while (this.server.sessions.size > 0 && this.world.nowMs < until)
      this.world.run(this.world.nowMs + 1000);
    return this.server.sessions.size === 0;
  }

  #listen(): void {
    const { server } = this;
    server.onSession((session) => this.#ledgers.set(session, new Ledger()));
    server.onMessage('line', (session, { n, data }) => {
      this.#ledger(session).line(n, data);
      session.send('note', { n, data: pattern(n, 30) });
      session.send('pose', { n, x: 0 });
      if (n % 8 === 0) session.send('score', { key: n % 16, n });
    });
    server.onMessage('note', (session, { n, data }) => this.#ledger(session).note(n, data));
    server.onMessage('pose', (session, { n }) => this.#ledger(session).pose(n));
    server.onMessage('hint', (session, { n, data }) => this.#ledger(session).hint(n, data));
    server.onEnd((session, reason, text) => {
      const ledger = this.#ledger(session);
      this.#ledgers.delete(session);
      this.wrong.push(...ledger.wrong.map((what) => `session ${session.id}: ${what}`));
      if (reason !== 'closed') return;
      const had = `${ledger.lines} ${ledger.notes}`;
      if (text !== had)
        this.wrong.push(`session ${session.id}: had ${had} of ${text} when it left`);
      this.settled++;
    });
  }

  #ledger(session: Session<SoakMessages>): Ledger {
    return this.#ledgers.get(session)!;
  }
}
