// The conversation whose datagrams PROTOCOL.md prints as test vectors, made by the real code from fixed numbers.

import {
  angle,
  archetype,
  axis,
  BitWriter,
  type Channel,
  type ChannelPlan,
  Connection,
  type ConnectionTuning,
  component,
  DATAGRAM_BYTES_MAX,
  defineGame,
  EffectsWriter,
  edge,
  FRAGMENT_BYTES,
  fixed,
  flag,
  GameChannel,
  InputBlock,
  int,
  KeyChain,
  quantise,
  RecordCodec,
  ReliableOrderedChannel,
  resolveChannel,
  type SessionKeys,
  SnapshotHead,
  text,
  uint,
  Verdict,
  Way,
  writeChangeHead,
  writeEnter,
  writeGroupHead,
  writeGroupsEnd,
  writeLeave,
  writeWholeHead,
} from '@tickwire/protocol';
import {
  accept,
  CLIENT_ID,
  challenge,
  crypto,
  makeToken,
  prove,
  refuse,
  request,
  SERVER_ID,
  written as writtenTo,
} from './handshake-conversation.ts';

/** Has a field of every kind. */
export const game = defineGame({
  id: 'vectors',
  tickHz: 60,
  input: { move: axis(4), aim: angle(8), jump: flag(), fire: edge() },
  archetypes: {
    player: archetype(
      {
        body: component(
          { x: fixed(-128, 128, 1 / 256), y: fixed(-128, 128, 1 / 256), facing: angle(12) },
          { interpolate: 'linear', snapOver: 4 },
        ),
        gear: component({ ammo: uint(6) }, { to: 'owner' }),
        luck: component({ odds: int(5) }, { to: 'server' }),
      },
      { max: 8, controlled: true },
    ),
    lamp: archetype({ state: component({ lit: flag() }, { predict: false }) }, { max: 4 }),
  },
  effects: { boom: { x: fixed(-128, 128, 1 / 256), size: uint(4) } },
  messages: { say: { line: text(40), loud: flag(), score: int(20) } },
  simulate() {},
});

const EPOCH = 1;
/** Neither end's clock shows on the wire, so any number does. */
export const START_MS = 5000;
/** Between two packets. */
const STEP_MS = 2.5;

/** Hands bodies made elsewhere to a connection, one a packet. */
class PreparedChannel implements Channel {
  readonly elicitsAck = true;
  body: Uint8Array | undefined;

  pending(): boolean {
    return this.body !== undefined;
  }

  write(_nowMs: number, out: Uint8Array, start: number): number {
    const { body } = this;
    this.body = undefined;
    if (body === undefined) return 0;
    out.set(body, start);
    return body.length;
  }

  read(): Verdict {
    return Verdict.accepted;
  }

  commit(): void {}
  acked(): void {}
  lost(): void {}
  close(): void {}
}

/** One side of a connection under the keys of a handshake. */
export function openConnection(
  side: 'client' | 'server',
  { clientToServer, serverToClient }: SessionKeys,
  channels: readonly ChannelPlan[],
  tuning: ConnectionTuning = {},
): Connection {
  const up = new KeyChain(crypto, clientToServer);
  const down = new KeyChain(crypto, serverToClient);
  return new Connection({
    ...tuning,
    remoteId: side === 'client' ? SERVER_ID : CLIENT_ID,
    outgoing: side === 'client' ? up : down,
    incoming: side === 'client' ? down : up,
    channels,
    sink: { closed() {}, ended() {} },
    nowMs: START_MS,
  });
}

/** The one datagram that is due. */
export function sendOne(connection: Connection, nowMs: number): Uint8Array {
  const out = new Uint8Array(DATAGRAM_BYTES_MAX);
  connection.flush(nowMs);
  return out.slice(0, connection.poll(nowMs, out, 0));
}

/** Hands a datagram over. */
export function take(connection: Connection, nowMs: number, bytes: Uint8Array): void {
  const verdict = connection.receive(nowMs, bytes.slice(), 0, bytes.length);
  if (verdict !== Verdict.accepted) throw new Error(`a vector was not accepted: ${verdict}`);
}

/** What the schema makes of the channel of messages: the vectors need no more of it than its kind. */
const limits = resolveChannel({ kind: 'reliable-ordered' });

/** One end of the conversation. */
class End {
  readonly events = new ReliableOrderedChannel(limits, () => {});
  readonly state = new PreparedChannel();
  readonly messages = new ReliableOrderedChannel(limits, () => {});
  readonly connection: Connection;

  constructor(side: 'client' | 'server', keys: SessionKeys, rotateAfterPackets: number) {
    const channels = [
      { id: GameChannel.events, channel: this.events, priority: 2 },
      { id: GameChannel.state, channel: this.state, priority: 1 },
      { id: GameChannel.messages, channel: this.messages },
    ];
    this.connection = openConnection(side, keys, channels, { rotateAfterPackets });
  }
}

const written = (write: (out: Uint8Array) => number) => writtenTo(DATAGRAM_BYTES_MAX, write);

function bitsWritten(write: (bits: BitWriter) => void): Uint8Array {
  return written((out) => {
    const bits = new BitWriter();
    bits.reset(out, 0, out.length);
    write(bits);
    return bits.finish();
  });
}

/** Newest first: [move, aim, jump, fire]. */
function inputs(tick: number, view: number, rows: readonly (readonly number[])[]): Uint8Array {
  const block = new InputBlock(game.inputFields);
  block.epoch = EPOCH;
  block.wireTick = tick % 0x10000;
  block.count = rows.length;
  if (view >= 0) block.setView(view);
  rows.forEach((row, n) => {
    for (const [f, field] of game.inputFields.entries()) {
      block.values[n * block.stride + f] = quantise(field, row[f]!);
    }
  });
  return bitsWritten((bits) => block.write(bits));
}

const [player, lamp] = game.layouts.map((layout) => new RecordCodec(layout)) as [
  RecordCodec,
  RecordCodec,
];
/** Quantised rows at the first snapshot and at the second: x, y, facing, ammo, odds. */
const own = [Int32Array.of(33152, 32768, 4090, 6, 16), Int32Array.of(33160, 32768, 4, 5, 17)];
const other = [Int32Array.of(100, 200, 300, 0, 0), Int32Array.of(60000, 190, 300, 0, 0)];
const lit = Int32Array.of(1);
const FIRST_TICK = 65530;
const SECOND_TICK = 65540;

function firstSnapshot(): Uint8Array {
  return bitsWritten((bits) => {
    const head = new SnapshotHead();
    Object.assign(head, { epoch: EPOCH, wireTick: FIRST_TICK, whole: true, predicted: true });
    head.write(bits);
    bits.writeVar(0);
    writeGroupHead(bits, 0, 2);
    bits.writeVar(7 - 1);
    writeWholeHead(bits, true);
    player.writeWhole(bits, own[0]!, 0, true);
    bits.writeVar(40 - 7 - 1);
    writeWholeHead(bits, false);
    player.writeWhole(bits, other[0]!, 0, false);
    writeGroupsEnd(bits);
  });
}

function secondSnapshot(): Uint8Array {
  return bitsWritten((bits) => {
    const head = new SnapshotHead();
    Object.assign(head, { epoch: EPOCH, wireTick: SECOND_TICK % 0x10000, predicted: true });
    Object.assign(head, { hasFeedback: true, wireInputTick: 65537 % 0x10000, slackMs: -2.5 });
    head.write(bits);
    bits.writeVar(1);
    bits.writeVar(12);
    writeGroupHead(bits, 0, 2);
    bits.writeVar(7 - 1);
    writeChangeHead(bits, SECOND_TICK - FIRST_TICK);
    player.writeChange(bits, own[1]!, 0, own[0]!, 0, true);
    bits.writeVar(40 - 7 - 1);
    writeChangeHead(bits, SECOND_TICK - FIRST_TICK);
    player.writeChange(bits, other[1]!, 0, other[0]!, 0, false);
    writeGroupHead(bits, 1, 1);
    bits.writeVar(41 - 1);
    writeWholeHead(bits, false);
    lamp.writeWhole(bits, lit, 0, false);
    writeGroupsEnd(bits);
  });
}

function sendEffects(end: End): void {
  const kinds = game.effectKinds.map(({ fields }) => fields);
  const writer = new EffectsWriter(kinds, FRAGMENT_BYTES);
  writer.begin(SECOND_TICK);
  writer.add(0, 40, 0, Int32Array.of(60000, 3));
  writer.add(0, 40, 1, Int32Array.of(0, 15));
  const length = writer.finish();
  writer.bytes[1] = EPOCH;
  end.events.send(writer.bytes, 0, length);
}

function sendMessage(end: End, value: { line: string; loud: boolean; score: number }): void {
  const out = new Uint8Array(FRAGMENT_BYTES);
  end.messages.send(out, 0, game.messages.encode('say', value, out, 0, out.length));
}

function sendEvent(end: End, bytes: Uint8Array): void {
  end.events.send(bytes, 0, bytes.length);
}

/** Every datagram by the name that PROTOCOL.md gives it, in the order in which they stand there. */
export function converse(): Map<string, Uint8Array> {
  const proof = prove(game, { way: Way.open });
  const accepted = accept(proof);
  const { id, secret } = accepted.keys.resume;
  return new Map([
    ['request', request(game)],
    ['challenge', challenge()],
    ['proof', proof.bytes],
    ['accept', accepted.bytes],
    ['refuse', refuse()],
    ['proof-token', prove(game, makeToken(game).credential).bytes],
    ['proof-resume', prove(game, { way: Way.resume, id, secret }).bytes],
    ...packets(accepted.keys),
  ]);
}

/** The last of the client's packets and the last two of the server's are of generation 1. */
const CLIENT_ROTATES_AFTER = 4;
const SERVER_ROTATES_AFTER = 5;
const PATH_DATA = 0xd4c3b2a1;

function packets(keys: SessionKeys): [name: string, bytes: Uint8Array][] {
  const client = new End('client', keys, CLIENT_ROTATES_AFTER);
  const server = new End('server', keys, SERVER_ROTATES_AFTER);
  const said: [name: string, bytes: Uint8Array][] = [];
  let nowMs = START_MS;
  const pass = (name: string, to: End, bytes: Uint8Array) => {
    take(to.connection, nowMs, bytes);
    said.push([name, bytes]);
    nowMs += STEP_MS;
  };
  const send = (name: string, from: End, to: End) =>
    pass(name, to, sendOne(from.connection, nowMs));
  send('ping', client, server);
  sendEvent(
    server,
    written((out) => writeEnter(out, EPOCH, 65529, 0xc0ffee)),
  );
  send('enter', server, client);
  client.state.body = inputs(65534, -1, [[0, 0, 0, 0]]);
  send('input', client, server);
  server.state.body = firstSnapshot();
  sendOne(server.connection, nowMs);
  nowMs += STEP_MS;
  server.state.body = firstSnapshot();
  send('snapshot-whole', server, client);
  client.state.body = inputs(65537, 65529.75, [
    [-1, -0.1, 1, 1],
    [1, 0.5, 0, 0],
    [1, 0.5, 0, 0],
    [0, 0, 0, 0],
  ]);
  sendMessage(client, { line: 'olé', loud: true, score: -70000 });
  send('inputs-and-message', client, server);
  server.state.body = secondSnapshot();
  sendEffects(server);
  send('snapshot-change', server, client);
  const asks = (out: Uint8Array) =>
    server.connection.writePathChallenge(nowMs, out, 0, DATAGRAM_BYTES_MAX, PATH_DATA);
  pass('path-challenge', client, written(asks));
  send('path-response', client, server);
  sendEvent(
    server,
    written((out) => writeLeave(out, EPOCH)),
  );
  send('leave', server, client);
  client.connection.close(nowMs, 'closed', 'bye');
  send('close', client, server);
  send('close-reply', server, client);
  return said;
}
