// Sessions that outlive their connections, with real clients in virtual time. What a match does about it is in
// tests/worlds/resume.test.ts.

import { MessageClient, type ResumeState } from '@tickwire/client-node/core';
import {
  type Datagram,
  Prng,
  SimulatedAddressBook,
  simulatedCrypto,
  World,
} from '@tickwire/netsim';
import {
  type ConnectToken,
  type Credential,
  defineMessages,
  GameChannel,
  KEY_BYTES,
  type MessagesOf,
  PacketKind,
  readKind,
  TOKEN_BYTES_MAX,
  text,
  uint,
  Way,
  WIRE_VERSION,
  writeToken,
} from '@tickwire/protocol';
import { describe, expect, it, test } from 'vitest';
import { GameSession } from '../src/game-session.ts';
import { MessageServer, type MessageServerOptions } from '../src/message-server.ts';
import type { Seat } from '../src/seat.ts';
import type { Session, SessionPort } from '../src/session.ts';
import type { Log } from '../src/session-server.ts';

const fields = {
  say: { line: text(20) },
  mood: { level: uint(10) },
  score: { player: uint(16), points: uint(16) },
};
const scores = { kind: 'reliable-latest', carries: ['score'], key: 'player' } as const;
const chat = defineMessages(fields, { scores });
type Chat = MessagesOf<typeof chat>;

const TIMEOUT_MS = 10_000;
const GRACE_MS = 30_000;
/** What a connection takes to be there, or to be refused. */
const SOON_MS = 1000;
/** How a client ends whose state is good for nothing any more. */
const INVALID = 'resume-invalid too late, used before, or left: connect anew';
/** And one that was answered with a challenge, and nothing more. */
const PUT_OFF = 'unreachable the server answers, but lets nobody in now';

/** A client and where it is. */
interface Guest {
  readonly client: MessageClient<Chat>;
  readonly address: number;
}

/** One server, and clients that come, fall silent and come back. All that users are told is written down. */
class Room {
  readonly world: World;
  readonly server: MessageServer<Chat>;
  readonly address: number;
  readonly guests: Guest[] = [];
  /** What the server's user was told, as 'id what'. */
  readonly told: string[] = [];
  /** Machines that are no more: nothing comes from them, nothing reaches them. */
  readonly gone = new Set<number>();
  /** Whom no data packet reaches, and whose own are lost. What the handshake says gets through. */
  readonly deaf = new Set<number>();
  readonly mute = new Set<number>();
  readonly errors: string[] = [];
  readonly #seed: number;

  constructor(options: Partial<MessageServerOptions> = {}, seed = 1) {
    this.#seed = seed;
    this.world = new World({ seed, link: { latencyMs: 20 } });
    this.server = new MessageServer(chat, {
      crypto: simulatedCrypto(seed),
      addresses: new SimulatedAddressBook(),
      nowMs: 0,
      onError: (error, where) => this.errors.push(`${where}: ${error.message}`),
      ...options,
    });
    this.address = this.world.addNode(this.server, { server: true });
    this.server.onSession(({ id }) => this.told.push(`${id} session`));
    this.server.onLeft(({ id }) => this.told.push(`${id} left`));
    this.server.onResumed(({ id }) => this.told.push(`${id} resumed`));
    this.server.onEnd(({ id }, reason, why) => this.told.push(`${id} end ${reason}${why}`));
    this.world.tap = { sending: (_nowMs, datagram) => this.#lose(datagram) };
  }

  join(resume?: ResumeState, messages = chat): Guest {
    return this.enter(
      resume === undefined ? { way: Way.open } : { way: Way.resume, ...resume },
      messages,
    );
  }

  enter(credential: Credential, messages = chat): Guest {
    const client = new MessageClient<Chat>(messages, {
      crypto: simulatedCrypto(this.#seed * 1000 + this.guests.length + 1),
      server: this.address,
      nowMs: this.world.nowMs,
      credential,
    });
    const guest = { client, address: this.world.addNode(client) };
    this.guests.push(guest);
    return guest;
  }

  /** Joins and waits until it is decided. */
  joined(resume?: ResumeState): Guest {
    const guest = this.join(resume);
    this.run(SOON_MS);
    return guest;
  }

  run(forMs: number): void {
    this.world.run(this.world.nowMs + forMs);
  }

  /** A client's process ends without a word. */
  kill({ address }: Guest): void {
    this.gone.add(address);
  }

  /** The session of a number, connected or away. */
  session(id: number): Session<Chat> {
    for (const session of [...this.server.sessions.values(), ...this.server.away]) {
      if (session.id === id) return session;
    }
    throw new Error(`there is no session ${id}`);
  }

  #lose(datagram: Datagram): void {
    const { bytes, start, end, from, to } = datagram;
    const data = readKind(bytes, start, end) === PacketKind.data;
    if (this.gone.has(from) || this.gone.has(to)) datagram.dropped = true;
    if (data && (this.deaf.has(to) || this.mute.has(from))) datagram.dropped = true;
  }
}

/** How a client ended, as 'reason text'; undefined while it is connected. */
function endOf({ client }: Guest): string | undefined {
  return client.ended === undefined ? undefined : `${client.ended} ${client.endText}`;
}

/** What resumes the session that the guest is in. */
function stateOf({ client }: Guest): ResumeState {
  const state = client.resumeState();
  if (state === undefined) throw new Error('there is nothing to be resumed');
  return state;
}

/** Drops what the server answers to one address, if it is of that kind. */
function dropAnswers(room: Room, to: number, kind: number): void {
  const { tap } = room.world;
  room.world.tap = {
    sending: (nowMs, datagram) => {
      tap?.sending?.(nowMs, datagram);
      if (datagram.to === to && datagram.bytes[datagram.start] === kind) datagram.dropped = true;
    },
  };
}

describe('a client that is lost', () => {
  it('is away after the timeout, and may come back from a process of its own', () => {
    const room = new Room();
    const first = room.joined();
    const session = room.session(1);
    session.data = 'belongings';
    const state = stateOf(first);
    room.kill(first);
    room.run(TIMEOUT_MS + 5000);
    expect(room.told).toEqual(['1 session', '1 left']);
    expect([session.connected, session.ended, session.connection]).toEqual([
      false,
      undefined,
      undefined,
    ]);
    expect([room.server.sessions.size, [...room.server.away]]).toEqual([0, [session]]);
    expect(session.send('say', { line: 'anybody?' })).toBe('closed');
    expect(room.server.broadcast('say', { line: 'all' })).toBe(0);

    const second = room.joined(state);
    expect(room.told).toEqual(['1 session', '1 left', '1 resumed']);
    expect(room.session(1)).toBe(session);
    expect([session.connected, session.data, room.server.away.size]).toEqual([
      true,
      'belongings',
      0,
    ]);
    expect(session.from).toBe(second.address);
    const lines: string[] = [];
    second.client.onMessage('say', ({ line }) => lines.push(line));
    room.server.onMessage('say', (who, { line }) => who.send('say', { line: `re ${line}` }));
    second.client.send('say', { line: 'hello' });
    room.run(SOON_MS);
    expect(lines).toEqual(['re hello']);
    expect(room.errors).toEqual([]);
  });

  it('comes back from the same process, once its network is there again', () => {
    const room = new Room();
    const guest = room.joined();
    room.world.stall(guest.address, 'up', 25_000, 'drop');
    room.world.stall(guest.address, 'down', 25_000, 'drop');
    room.run(25_000);
    expect(endOf(guest)).toBe('timeout ');
    expect(room.told).toEqual(['1 session', '1 left']);
    const again = room.joined(stateOf(guest));
    expect(endOf(again)).toBeUndefined();
    expect(room.told).toEqual(['1 session', '1 left', '1 resumed']);
  });

  it('has not left at all if its network was gone for less than the timeout', () => {
    const room = new Room();
    const guest = room.joined();
    room.world.stall(guest.address, 'up', 8000, 'drop');
    room.world.stall(guest.address, 'down', 8000, 'drop');
    room.run(30_000);
    expect(endOf(guest)).toBeUndefined();
    expect(room.told).toEqual(['1 session']);
  });

  it('ends when its time is over, with a timeout, and cannot be resumed then', () => {
    const room = new Room();
    const guest = room.joined();
    const state = stateOf(guest);
    const session = room.session(1);
    let left = 0;
    let ended = 0;
    room.server.onLeft(() => {
      left = room.world.nowMs;
    });
    room.server.onEnd(() => {
      ended = room.world.nowMs;
    });
    room.kill(guest);
    room.run(TIMEOUT_MS + GRACE_MS + 5000);
    expect(session.ended).toBe('timeout');
    expect(ended - left).toBeCloseTo(GRACE_MS, 0);
    expect(room.server.away.size).toBe(0);
    expect(endOf(room.joined(state))).toBe(INVALID);
  });

  it('can come back until the last moment', () => {
    const room = new Room({ resumeMs: 2000 });
    const guest = room.joined();
    const state = stateOf(guest);
    room.kill(guest);
    while (room.server.away.size === 0) room.run(10);
    room.run(1500);
    room.joined(state);
    expect(room.told.at(-1)).toBe('1 resumed');
    room.run(5000);
    expect(room.told).toEqual(['1 session', '1 left', '1 resumed']);
  });

  it('ends at once where nothing is resumed', () => {
    const room = new Room({ resumeMs: 0 });
    const guest = room.joined();
    const state = stateOf(guest);
    room.kill(guest);
    room.run(TIMEOUT_MS + SOON_MS);
    expect(room.told).toEqual(['1 session', '1 end timeout']);
    expect(endOf(room.joined(state))).toBe(INVALID);
  });

  it('ends at once where as many are away as may be; nobody gives way', () => {
    const room = new Room({ maxAway: 2 });
    const guests = [room.joined(), room.joined(), room.joined()];
    const states = guests.map(stateOf);
    for (const guest of guests) room.kill(guest);
    room.run(TIMEOUT_MS + SOON_MS);
    const ends = room.told.filter((line) => line.includes('end'));
    expect(ends).toHaveLength(1);
    expect(room.server.away.size).toBe(2);
    const back = states.map((state) => room.joined(state));
    expect(back.filter((guest) => endOf(guest) === undefined)).toHaveLength(2);
  });

  it('is waited for from when it was missed, however long the server itself stood still', () => {
    const room = new Room({ resumeMs: 5000 });
    const guest = room.joined();
    const state = stateOf(guest);
    room.kill(guest);
    room.world.sleep(room.address, 60_000);
    room.run(62_000);
    expect(room.told).toEqual(['1 session', '1 left']);
    room.joined(state);
    expect(room.told.at(-1)).toBe('1 resumed');
  });
});

describe('what was under way', () => {
  it('is gone on both sides, and channels start anew', () => {
    const room = new Room();
    const guest = room.joined();
    const session = room.session(1);
    session.send('score', { player: 1, points: 5 });
    room.run(SOON_MS);
    const state = stateOf(guest);
    room.kill(guest);
    session.send('say', { line: 'lost' });
    guest.client.send('say', { line: 'lost, too' });
    const heard: string[] = [];
    room.server.onMessage('say', (_who, { line }) => heard.push(line));
    room.run(TIMEOUT_MS + SOON_MS);
    const again = room.join(state);
    const lines: string[] = [];
    const points: number[] = [];
    again.client.onMessage('say', ({ line }) => lines.push(line));
    again.client.onMessage('score', (score) => points.push(score.points));
    room.server.onResumed((who) => who.send('say', { line: 'welcome back' }));
    room.run(3000);
    expect([lines, points, heard]).toEqual([['welcome back'], [], []]);
    expect([session.queued, session.channels.main?.sent]).toEqual([0, 1]);
  });

  it('keeps what was counted', () => {
    const room = new Room();
    const loose = defineMessages({ ...fields, mood: { level: uint(16) } }, { scores });
    Object.defineProperties(loose, {
      digest: { value: chat.digest },
      idHash: { value: chat.idHash },
    });
    const guest = room.join(undefined, loose as unknown as typeof chat);
    room.run(SOON_MS);
    guest.client.send('mood', { level: 1024 });
    room.run(SOON_MS);
    const session = room.session(1);
    expect([session.messagesMalformed, room.server.messagesMalformed]).toEqual([1, 1]);
    const state = stateOf(guest);
    room.kill(guest);
    room.run(TIMEOUT_MS + SOON_MS);
    expect([session.messagesMalformed, room.server.messagesMalformed]).toEqual([1, 1]);
    const again = room.join(state, loose as unknown as typeof chat);
    room.run(SOON_MS);
    again.client.send('mood', { level: 1024 });
    room.run(SOON_MS);
    expect([session.messagesMalformed, room.server.messagesMalformed]).toEqual([2, 2]);
    again.client.close(room.world.nowMs);
    room.run(SOON_MS);
    expect([session.ended, room.server.messagesMalformed]).toEqual(['closed', 2]);
  });
});

describe('a resume beside the live connection', () => {
  it('ends the older one, which is told; the user hears of both', () => {
    const room = new Room();
    const first = room.joined();
    const session = room.session(1);
    const seen: boolean[] = [];
    room.server.onLeft((who) => {
      seen.push(who.connected);
      room.told.push('1 left');
    });
    const second = room.joined(stateOf(first));
    expect(endOf(first)).toBe('replaced ');
    expect(endOf(second)).toBeUndefined();
    expect(room.told).toEqual(['1 session', '1 left', '1 resumed']);
    expect(seen).toEqual([false]);
    expect([...room.server.sessions.values()]).toEqual([session]);
    expect(first.client.resumeState()).toBeUndefined();
  });

  it('works even if nobody else may be away', () => {
    const room = new Room({ maxAway: 0 });
    const first = room.joined();
    room.joined(stateOf(first));
    expect(room.told).toEqual(['1 session', '1 left', '1 resumed']);
  });

  it('leaves the older one alone until its client was heard', () => {
    const room = new Room();
    const first = room.joined();
    const second = room.join(stateOf(first));
    dropAnswers(room, second.address, PacketKind.accept);
    room.run(6000);
    expect([endOf(first), endOf(second)]).toEqual([undefined, PUT_OFF]);
    expect(room.told).toEqual(['1 session']);
    // The secret was shown, but never used: it is as good as before.
    const third = room.joined(stateOf(first));
    expect([endOf(first), endOf(third)]).toEqual(['replaced ', undefined]);
  });

  test.each(['kick', 'throw'] as const)('ends if the user ends it in onLeft: %s', (how) => {
    const room = new Room();
    const first = room.joined();
    room.server.onLeft((who) => {
      if (how === 'throw') throw new Error('planted');
      who.kick('for good');
    });
    const second = room.joined(stateOf(first));
    expect(room.told).toEqual([
      '1 session',
      how === 'kick' ? '1 end kickedfor good' : '1 end error',
    ]);
    expect(endOf(second)).toBe(how === 'kick' ? 'kicked ' : 'error ');
    expect(room.server.sessions.size).toBe(0);
    room.run(5000);
    expect(room.server.host.used).toBe(0);
  });

  it('a throw in onResumed ends the session', () => {
    const room = new Room();
    const first = room.joined();
    room.server.onResumed(() => {
      throw new Error('planted');
    });
    const second = room.joined(stateOf(first));
    expect(endOf(second)).toBe('error ');
    expect(room.told.at(-1)).toBe('1 end error');
    expect(room.errors).toEqual(['onResumed: planted']);
  });
});

describe('the secret', () => {
  it('is another one with every connection; each works once', () => {
    const room = new Room();
    const guests = [room.joined()];
    const states = [stateOf(guests[0]!)];
    for (let n = 1; n <= 3; n++) {
      guests.push(room.joined(states[n - 1]!));
      states.push(stateOf(guests[n]!));
    }
    expect(new Set(states.map(({ secret }) => secret.join())).size).toBe(4);
    expect(new Set(states.map(({ id }) => id.join())).size).toBe(4);
    expect(room.told.filter((line) => line === '1 resumed')).toHaveLength(3);
    for (const state of states.slice(0, 3)) {
      expect(endOf(room.joined(state))).toBe(INVALID);
    }
    expect(endOf(guests[3]!)).toBeUndefined();
    expect(endOf(room.joined(states[3]!))).toBeUndefined();
  });

  it('lets one of two in that come at the same time, the last that the server hears', () => {
    const room = new Room();
    const first = room.joined();
    const state = stateOf(first);
    room.kill(first);
    room.run(TIMEOUT_MS + SOON_MS);
    const rivals = [room.join(state), room.join(state)];
    room.run(SOON_MS);
    expect(rivals.map(endOf).sort()).toEqual(['replaced ', undefined]);
    const taken = ['1 left', '1 resumed'];
    expect(room.told).toEqual(['1 session', ...taken, ...taken]);
    expect(room.server.sessions.size).toBe(1);
    room.run(5000);
    expect([room.server.host.used, rivals.map(endOf).sort()[1]]).toEqual([1, undefined]);
  });

  const voided: [string, (room: Room, guest: Guest) => void][] = [
    ['its client has left', (room, { client }) => client.close(room.world.nowMs)],
    ['its client gave up', (room, { client }) => client.abort(room.world.nowMs, 'aborted')],
    ['it was kicked', (room) => room.session(1).kick()],
    ['the server has closed it', (room) => room.session(1).close()],
  ];
  test.each(voided)('is void when %s', (_what, end) => {
    const room = new Room();
    const guest = room.joined();
    const state = stateOf(guest);
    end(room, guest);
    room.run(SOON_MS);
    expect(guest.client.resumeState()).toBeUndefined();
    expect(room.told).toHaveLength(2);
    expect(room.told[1]).toMatch(/^1 end/);
    expect(endOf(room.joined(state))).toBe(INVALID);
  });

  test.each(['timeout', 'replaced'] as const)('is void when the client says %s', (reason) => {
    const room = new Room();
    const guest = room.joined();
    const state = stateOf(guest);
    guest.client.abort(room.world.nowMs, reason);
    room.run(SOON_MS);
    expect(room.told).toEqual(['1 session', `1 end ${reason}`]);
    expect(endOf(room.joined(state))).toBe(INVALID);
  });

  it('is void while the server waits for the last words of a session to arrive', () => {
    const room = new Room();
    const guest = room.joined();
    const state = stateOf(guest);
    room.kill(guest);
    room.session(1).send('say', { line: 'bye' });
    room.session(1).close('', { graceMs: 5000 });
    expect(endOf(room.joined(state))).toBe(INVALID);
    room.run(6000);
    expect(room.told).toEqual(['1 session', '1 end closed']);
  });

  test.each(['kick', 'close', 'shutdown'] as const)(
    'is void when one that is away is ended: %s',
    (how) => {
      const room = new Room();
      const guest = room.joined();
      const state = stateOf(guest);
      room.kill(guest);
      room.run(TIMEOUT_MS + SOON_MS);
      const session = room.session(1);
      if (how === 'kick') session.kick(' now');
      else if (how === 'close') session.close(' now');
      else room.server.close(room.world.nowMs, { reason: ' now' });
      const reason = { kick: 'kicked', close: 'closed', shutdown: 'shutdown' }[how];
      expect(room.told).toEqual(['1 session', '1 left', `1 end ${reason} now`]);
      expect([session.ended, room.server.away.size]).toEqual([reason, 0]);
      if (how === 'shutdown') expect(room.server.over).toBe(true);
      else expect(endOf(room.joined(state))).toBe(INVALID);
    },
  );

  it('is nothing without the id, and the id nothing without the secret', () => {
    const room = new Room();
    const [ann, bob] = [stateOf(room.joined()), stateOf(room.joined())];
    const forged: ResumeState[] = [
      { id: new Uint8Array(16).fill(7), secret: ann.secret },
      { id: ann.id, secret: bob.secret },
      { id: ann.id, secret: new Uint8Array(32).fill(1) },
      { id: ann.id, secret: ann.secret.map((byte, i) => byte ^ (i === 31 ? 1 : 0)) },
    ];
    for (const state of forged) expect(endOf(room.joined(state))).toBe(INVALID);
    expect(room.told).toEqual(['1 session', '2 session']);
    expect(room.guests.slice(0, 2).map(endOf)).toEqual([undefined, undefined]);
  });

  it('is of no server but its own', () => {
    const room = new Room();
    const other = new Room({}, 2);
    const state = stateOf(room.joined());
    expect(endOf(other.joined(state))).toBe(INVALID);
  });

  it('is never on the wire, and what is there resumes nothing when it is said again', () => {
    const room = new Room();
    const first = room.joined();
    const state = stateOf(first);
    const seen: { bytes: Uint8Array; from: number }[] = [];
    const { tap } = room.world;
    room.world.tap = {
      sending: (nowMs, datagram) => {
        tap?.sending?.(nowMs, datagram);
        const { bytes, start, end, from } = datagram;
        seen.push({ bytes: bytes.slice(start, end), from });
      },
    };
    const second = room.joined(state);
    const next = stateOf(second);
    const told = [...room.told];
    const text = seen.map(({ bytes }) => Buffer.from(bytes).toString('hex')).join(' ');
    for (const secret of [state.secret, next.secret]) {
      expect(text).not.toContain(Buffer.from(secret).toString('hex').slice(0, 16));
    }
    const copies = seen.filter(({ from }) => from === second.address);
    expect(copies.length).toBeGreaterThan(2);
    const thief = room.world.addNode({
      receive: () => 0,
      advance() {},
      poll: () => 0,
      wakeAt: () => Number.POSITIVE_INFINITY,
    });
    const replay = (from: number) => {
      for (const { bytes } of copies) {
        room.world.inject(bytes, from, room.address);
        room.run(50);
      }
    };
    replay(thief);
    replay(second.address);
    expect(room.told).toEqual(told);
    expect(endOf(second)).toBeUndefined();
    // Once it has left, its place is free, and the cookie may still be good: the secret is not.
    second.client.close(room.world.nowMs);
    room.run(500);
    replay(second.address);
    expect(room.told).toEqual([...told, '1 end closed']);
  });
});

describe('a client that hears nothing of the connection that it resumes with', () => {
  /** A session that was lost, and a guest that is back in it but hears nothing of that. */
  function unheard(): { room: Room; brought: ResumeState; guest: Guest } {
    const room = new Room();
    const first = room.joined();
    const brought = stateOf(first);
    room.kill(first);
    room.run(TIMEOUT_MS + SOON_MS);
    return { room, brought, guest: deafly(room, brought) };
  }

  function deafly(room: Room, state: ResumeState): Guest {
    const guest = room.join(state);
    room.deaf.add(guest.address);
    room.run(SOON_MS);
    expect([room.told.at(-1), guest.client.connection?.open]).toEqual(['1 resumed', true]);
    return guest;
  }

  it('is in when it hears again soon; then what it came with is void', () => {
    const { room, brought, guest } = unheard();
    expect(stateOf(guest)).toEqual(brought);
    room.run(5000);
    room.deaf.clear();
    room.run(3000);
    expect(endOf(guest)).toBeUndefined();
    expect(room.told).toEqual(['1 session', '1 left', '1 resumed']);
    const next = stateOf(guest);
    expect(next).not.toEqual(brought);
    expect(endOf(room.joined(brought))).toBe(INVALID);
    expect(endOf(guest)).toBeUndefined();
    room.kill(guest);
    room.run(TIMEOUT_MS + SOON_MS);
    expect(room.told.at(-1)).toBe('1 left');
    expect(endOf(room.joined(brought))).toBe(INVALID);
    expect(endOf(room.joined(next))).toBeUndefined();
    expect(room.told.at(-1)).toBe('1 resumed');
  });

  it('has but the new state once it was heard to hear, also if nobody asked before it was lost', () => {
    const { room, brought, guest } = unheard();
    room.deaf.clear();
    room.run(3000);
    const next = stateOf(guest);
    room.kill(guest);
    room.run(TIMEOUT_MS + SOON_MS);
    expect(room.told.at(-1)).toBe('1 left');
    expect(endOf(room.joined(brought))).toBe(INVALID);
    expect(endOf(room.joined(next))).toBeUndefined();
  });

  it('comes back with what it came with, as often as it takes', () => {
    const { room, brought, guest } = unheard();
    let last = guest;
    for (let n = 0; n < 3; n++) {
      room.run(TIMEOUT_MS + SOON_MS);
      expect(endOf(last)).toBe('timeout ');
      expect(stateOf(last)).toEqual(brought);
      // Its process says nothing any more, so the server misses it as well.
      if (n === 1) room.run(TIMEOUT_MS);
      last = n < 2 ? deafly(room, stateOf(last)) : room.joined(stateOf(last));
    }
    expect([endOf(last), room.told.at(-1)]).toEqual([undefined, '1 resumed']);
    expect(stateOf(last)).not.toEqual(brought);
    expect(endOf(room.joined(brought))).toBe(INVALID);
    expect([room.server.sessions.size, room.server.away.size]).toEqual([1, 0]);
  });

  it('gives way to another one with what it came with', () => {
    const { room, brought, guest } = unheard();
    const [session] = room.server.sessions.values();
    const again = room.joined(brought);
    room.deaf.clear();
    room.run(SOON_MS);
    expect([endOf(guest), endOf(again)]).toEqual(['replaced ', undefined]);
    expect([...room.server.sessions.values()]).toEqual([session]);
    expect(room.told).toEqual(['1 session', '1 left', '1 resumed', '1 left', '1 resumed']);
    expect(guest.client.resumeState()).toBeUndefined();
  });

  it('ends the session if it closes all the same', () => {
    const { room, brought, guest } = unheard();
    guest.client.close(room.world.nowMs, '', { graceMs: 0 });
    room.run(SOON_MS);
    expect(room.told.at(-1)).toBe('1 end closed');
    expect(guest.client.resumeState()).toBeUndefined();
    expect(endOf(room.joined(brought))).toBe(INVALID);
  });

  /** A guest that has heard the server, which does not know so: its acks are lost. */
  function unacked(): { room: Room; states: [ResumeState, ResumeState]; guest: Guest } {
    const room = new Room();
    const brought = stateOf(room.joined());
    const guest = room.join(brought);
    while (room.told.at(-1) !== '1 resumed') room.run(1);
    room.mute.add(guest.address);
    room.run(200);
    const next = stateOf(guest);
    expect(next).not.toEqual(brought);
    return { room, states: [brought, next], guest };
  }

  test.each([
    ['former', 0, false],
    ['newest', 1, false],
    ['former', 0, true],
    ['newest', 1, true],
  ] as const)('comes back with either state: the %s (%#)', (_which, n, away) => {
    const { room, states, guest } = unacked();
    if (away) {
      room.kill(guest);
      room.run(TIMEOUT_MS + SOON_MS);
      expect(room.told.at(-1)).toBe('1 left');
    }
    const back = room.joined(states[n]);
    expect([endOf(back), room.told.at(-1)]).toEqual([undefined, '1 resumed']);
    for (const state of states) expect(endOf(room.joined(state))).toBe(INVALID);
    expect(endOf(room.joined(stateOf(back)))).toBeUndefined();
  });

  test.each([0, 1, 2, 3, 5, 10, 30, 60])(
    'of a former and a newest state %i ms apart one gets in',
    (apartMs) => {
      for (const former of [0, 1]) {
        const { room, states } = unacked();
        const rivals = [room.join(states[former])];
        room.run(apartMs);
        rivals.push(room.join(states[1 - former]));
        room.run(3000);
        expect(rivals.map(endOf)).toEqual([undefined, INVALID]);
        expect([room.server.sessions.size, room.told.at(-1)]).toEqual([1, '1 resumed']);
        // Who can answer nothing is told ten times that it was replaced.
        room.run(6000);
        expect(room.server.host.used).toBe(1);
      }
    },
  );
});

/** A player whose processes and whose network fail at any moment; returns how often it was resumed. */
function playOn(seed: number): number {
  const random = new Prng(seed).fork('player');
  const below = (n: number) => random.u32() % n;
  const room = new Room({ resumeMs: 3_600_000 }, seed);
  let guest = room.joined();
  let brought: ResumeState | undefined;
  for (let life = 0; life < 15; life++) {
    const lost = [room.deaf, room.mute][below(3)];
    const { address } = guest;
    // From the start, or in the midst of it.
    if (below(2) === 0) room.run(below(300));
    lost?.add(address);
    room.run(below(below(2) === 0 ? 200 : 15_000));
    if (below(2) === 0) lost?.delete(address);
    room.run(below(300));
    const state = stateOf(guest);
    // One that still tries to come back would be a rival.
    const tries = brought !== undefined && `${state.id}` === `${brought.id}`;
    if (tries || below(4) > 0) room.kill(guest);
    room.run(below(3) === 0 ? below(15_000) : 0);
    brought = state;
    guest = room.join(state);
  }
  room.run(SOON_MS);
  expect(endOf(guest), `seed ${seed}`).toBeUndefined();
  const once = room.told.filter((line) => !/^1 (left|resumed)$/.test(line));
  expect([once, room.told.at(-1)], `seed ${seed}`).toEqual([['1 session'], '1 resumed']);
  return room.told.length >> 1;
}

it('whoever goes by the newest resumeState never loses the seat, whatever is lost', () => {
  const resumes = Array.from({ length: 40 }, (_, seed) => playOn(seed + 1));
  expect(Math.max(...resumes)).toBeGreaterThan(10);
});

describe('resumeState of a client', () => {
  it('is what it came with until it is connected, and while that may still help', () => {
    const room = new Room({ maxConnections: 1 });
    const first = room.joined();
    const state = stateOf(first);
    room.kill(first);
    const lost = room.join(state);
    expect(stateOf(lost)).toEqual(state);
    room.kill(lost);
    room.run(6000);
    expect([endOf(lost), stateOf(lost)]).toEqual(['unreachable ', state]);
    // A copy each time.
    stateOf(lost).secret.fill(1);
    expect(stateOf(lost)).toEqual(state);
    const wrong = { ...state, id: state.secret.slice(0, 16) };
    const refused = room.joined(wrong);
    expect([endOf(refused), refused.client.resumeState()]).toEqual([INVALID, undefined]);
  });

  it('is there from when it has connected until it has left', () => {
    const room = new Room();
    const { client } = room.join();
    expect(client.resumeState()).toBeUndefined();
    room.run(SOON_MS);
    const state = client.resumeState()!;
    expect([state.id.length, state.secret.length]).toEqual([16, 32]);
    // A copy each time.
    state.secret.fill(0);
    expect(client.resumeState()!.secret.some((byte) => byte !== 0)).toBe(true);
    client.close(room.world.nowMs);
    expect(client.resumeState()).toBeUndefined();
  });

  it('is not there for who was refused', () => {
    const room = new Room();
    room.server.onRequest((request) => request.refuse('no'));
    const guest = room.joined();
    expect([endOf(guest), guest.client.resumeState()]).toEqual(['refused no', undefined]);
  });

  it('is not there after a shutdown', () => {
    const room = new Room();
    const guest = room.joined();
    room.server.close(room.world.nowMs);
    room.run(3000);
    expect([endOf(guest), guest.client.resumeState()]).toEqual(['shutdown ', undefined]);
  });
});

describe('places', () => {
  it('another client may have the old place meanwhile', () => {
    const room = new Room({ maxConnections: 2 });
    const first = room.joined();
    const state = stateOf(first);
    const slot = room.session(1).slot;
    room.kill(first);
    room.run(TIMEOUT_MS + SOON_MS);
    const other = room.joined();
    expect(room.session(2).slot).toBe(slot);
    const again = room.joined(state);
    expect(room.session(1).slot).not.toBe(slot);
    const lines: string[] = [];
    for (const guest of [other, again]) {
      guest.client.onMessage('say', ({ line }) => lines.push(line));
    }
    room.session(1).send('say', { line: 'one' });
    room.session(2).send('say', { line: 'two' });
    room.run(SOON_MS);
    expect(lines.sort()).toEqual(['one', 'two']);
    room.session(2).kick();
    room.run(SOON_MS);
    expect([endOf(other), endOf(again)]).toEqual(['kicked ', undefined]);
    expect(room.session(1).connected).toBe(true);
    // It is looked after in its new place, too.
    room.kill(again);
    room.run(TIMEOUT_MS + SOON_MS);
    expect(room.told.at(-1)).toBe('1 left');
  });

  it('a full server takes its own clients back, and no others', () => {
    const room = new Room({ maxConnections: 1 });
    const first = room.joined();
    const state = stateOf(first);
    room.kill(first);
    room.run(TIMEOUT_MS + SOON_MS);
    room.joined();
    expect(endOf(room.joined())).toBe('full ');
    expect(endOf(room.joined(state))).toBeUndefined();
    expect(room.told).toEqual(['1 session', '1 left', '2 session', '1 resumed']);
    expect(room.server.sessions.size).toBe(2);
  });
});

/** What can become of a session, as in the head of session-server.ts. */
const TRANSITIONS = [
  'nothing -> connected: opened',
  'connected -> away: timeout',
  'connected -> away: replaced',
  'connected -> ended: closed',
  'connected -> ended: kicked',
  'connected -> ended: shutdown',
  'connected -> ended: timeout',
  'away -> connected: resumed',
  'away -> ended: closed',
  'away -> ended: kicked',
  'away -> ended: shutdown',
  'away -> ended: timeout',
];

describe("a token's own timeout", () => {
  it('is kept by every connection of the session', () => {
    const crypto = simulatedCrypto(900);
    const key = new Uint8Array(KEY_BYTES).fill(5);
    const wallMs = 1_700_000_000_000;
    const room = new Room({ access: { way: 'token', key }, wallClock: () => wallMs });
    const token: ConnectToken = {
      id: new Uint8Array(16).fill(1),
      secret: new Uint8Array(KEY_BYTES).fill(2),
      issuedAtMs: wallMs,
      expiresAtMs: wallMs + 60_000,
      timeoutMs: 2000,
      wireVersion: WIRE_VERSION,
      gameIdHash: chat.idHash,
      serverKey: room.server.host.identity.publicKey,
      userId: 'ada',
      servers: ['203.0.113.7:7777'],
      userData: new Uint8Array(0),
    };
    const out = new Uint8Array(TOKEN_BYTES_MAX);
    const sealed = out.slice(0, writeToken(crypto, key, token, out));
    let guest = room.enter({ way: Way.token, secret: token.secret, sealed });
    for (let n = 1; n <= 3; n++) {
      room.run(SOON_MS);
      const state = stateOf(guest);
      room.kill(guest);
      room.run(1000);
      expect(room.told).toHaveLength(2 * n - 1);
      // The server's own would be 10 s.
      room.run(1500);
      expect(room.told.at(-1)).toBe('1 left');
      guest = room.join(state);
    }
    expect(room.session(1).user?.id).toBe('ada');
  });
});

describe('the connections of a session', () => {
  it('only the one that it has at the moment has to do with its seat', () => {
    const rate = { perSecond: 1, burst: 1 };
    const session = new GameSession(
      { id: 1, user: undefined },
      chat,
      { messageRate: rate } as unknown as SessionPort,
      { nextMs: 0, tickMs: 16 },
    );
    const [first, second] = [0, 1].map((slot) => session.createLink({ slot, from: 7 }));
    const waits = (link: typeof first) =>
      link!.plans.find(({ id }) => id === GameChannel.state)!.channel.pending(0);
    session.seat = { pending: () => true } as unknown as Seat;
    expect([waits(first), waits(second)]).toEqual([false, false]);
    session.attach(first!);
    expect([waits(first), waits(second)]).toEqual([true, false]);
    session.detach();
    session.attach(second!);
    expect([waits(first), waits(second)]).toEqual([false, true]);
  });
});

describe('the states of a session', () => {
  /** One server's life with clients that do anything at all; returns the transitions that its sessions made. */
  function live(seed: number): string[] {
    const random = new Prng(seed).fork('life');
    const below = (n: number) => random.u32() % n;
    let lostBy: unknown;
    const log: Log = (_level, event, { reason }) => {
      if (event === 'session-left') lostBy = reason;
    };
    const room = new Room({ resumeMs: 4000, maxAway: 1, timeoutMs: 2000, log }, seed);
    const states = new Map<number, string>();
    const found: string[] = [];
    const go = ({ id }: { id: number }, to: string, why: unknown) => {
      found.push(`${states.get(id) ?? 'nothing'} -> ${to}: ${why}`);
      states.set(id, to);
    };
    room.server.onSession((session) => go(session, 'connected', 'opened'));
    room.server.onLeft((session) => go(session, 'away', lostBy));
    room.server.onResumed((session) => go(session, 'connected', 'resumed'));
    room.server.onEnd((session, reason) => go(session, 'ended', reason));
    for (let step = 0; step < 40; step++) {
      const guest = room.guests[below(Math.max(1, room.guests.length))];
      const sessions = [...room.server.sessions.values(), ...room.server.away];
      const session = sessions[below(Math.max(1, sessions.length))];
      const what = below(8);
      if (guest === undefined || what === 0) room.join();
      else if (what <= 2) room.kill(guest);
      else if (what <= 5) {
        const state = guest.client.resumeState();
        if (state !== undefined) {
          const { address } = room.join(state);
          if (below(4) === 0) room.deaf.add(address);
          if (below(4) === 0) room.mute.add(address);
        }
      } else if (what === 6 && below(2) === 0) guest.client.close(room.world.nowMs);
      else if (what === 6) session?.kick();
      else if (below(2) === 0) session?.close();
      room.run(below(1500));
    }
    room.server.close(room.world.nowMs);
    room.run(20_000);
    const what = `seed ${seed}`;
    expect([...new Set(states.values())], what).toEqual(['ended']);
    expect([room.server.over, room.server.away.size, room.server.sessions.size], what).toEqual([
      true,
      0,
      0,
    ]);
    expect(room.errors, what).toEqual([]);
    expect(
      found.filter((one) => !TRANSITIONS.includes(one)),
      what,
    ).toEqual([]);
    return found;
  }

  it('are those of the table: each transition happens, no other does', () => {
    const found = new Set<string>();
    for (let seed = 1; seed <= 30; seed++) for (const one of live(seed)) found.add(one);
    expect([...found].sort()).toEqual([...TRANSITIONS].sort());
  });
});
