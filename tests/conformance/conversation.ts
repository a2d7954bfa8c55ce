// The conversation whose datagrams PROTOCOL.md prints as test vectors, made by the real code from fixed numbers.

import {
  angle,
  archetype,
  axis,
  BitWriter,
  type Channel,
  type ChannelPlan,
  COOKIE_BYTES,
  Connection,
  component,
  DATAGRAM_BYTES_MAX,
  defineGame,
  deriveKey,
  EffectsWriter,
  edge,
  FRAGMENT_BYTES,
  fixed,
  flag,
  GameChannel,
  InputBlock,
  int,
  KEY_BYTES,
  KeyPurpose,
  NONCE_BYTES,
  quantise,
  RecordCodec,
  ReliableOrderedChannel,
  resolveChannel,
  SnapshotHead,
  text,
  uint,
  Verdict,
  writeAccept,
  writeChallenge,
  writeChangeHead,
  writeEnter,
  writeGroupHead,
  writeGroupsEnd,
  writeLeave,
  writeProof,
  writeRefusal,
  writeRequest,
  writeWholeHead,
} from '@tickwire/protocol';
import { nodeCrypto } from '@tickwire/protocol/udp';

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
const CLIENT_ID = 0x11223344;
const SERVER_ID = 0xabcd0000;
/** Neither end's clock shows on the wire, so any number does. */
export const START_MS = 5000;

const counting = (length: number, first: number) =>
  Uint8Array.from({ length }, (_, i) => first + i);
const nonce = counting(NONCE_BYTES, 0x10);
const cookie = counting(COOKIE_BYTES, 0x30);
const clientKey = counting(KEY_BYTES, 0x50);
const serverKey = counting(KEY_BYTES, 0x80);

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

/** One side of a connection that this conversation's handshake has opened. */
export function openConnection(
  side: 'client' | 'server',
  channels: readonly ChannelPlan[],
  keepAliveMs?: number,
): Connection {
  const key = (purpose: number) => deriveKey(nodeCrypto, purpose, clientKey, serverKey, nonce);
  const up = nodeCrypto.sealer(key(KeyPurpose.clientToServer));
  const down = nodeCrypto.sealer(key(KeyPurpose.serverToClient));
  return new Connection({
    remoteId: side === 'client' ? SERVER_ID : CLIENT_ID,
    sealOutgoing: side === 'client' ? up : down,
    openIncoming: side === 'client' ? down : up,
    channels,
    sink: { closed() {}, ended() {} },
    nowMs: START_MS,
    keepAliveMs,
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

  constructor(side: 'client' | 'server') {
    this.connection = openConnection(side, [
      { id: GameChannel.events, channel: this.events, priority: 2 },
      { id: GameChannel.state, channel: this.state, priority: 1 },
      { id: GameChannel.messages, channel: this.messages },
    ]);
  }
}

function written(write: (out: Uint8Array) => number): Uint8Array {
  const out = new Uint8Array(DATAGRAM_BYTES_MAX);
  return out.slice(0, write(out));
}

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

/** Every datagram by the name that PROTOCOL.md gives it, in the order in which they travel. */
export function converse(): Map<string, Uint8Array> {
  const hello = { game, nonce, clientId: CLIENT_ID, clientKey };
  const acceptKey = deriveKey(nodeCrypto, KeyPurpose.accept, clientKey, serverKey, nonce);
  const said = new Map([
    ['request', written((out) => writeRequest(out, 0, hello))],
    ['challenge', written((out) => writeChallenge(out, 0, nonce, cookie))],
    ['proof', written((out) => writeProof(out, 0, hello, cookie))],
    ['refuse', written((out) => writeRefusal(out, 0, nonce, 'refused', 'später'))],
    [
      'accept',
      written((out) => writeAccept(out, 0, nonce, SERVER_ID, serverKey, nodeCrypto, acceptKey)),
    ],
  ]);
  for (const [name, bytes] of packets()) said.set(name, bytes);
  return said;
}

function packets(): [name: string, bytes: Uint8Array][] {
  const client = new End('client');
  const server = new End('server');
  let nowMs = START_MS;
  const send = (from: End, to: End | undefined) => {
    const bytes = sendOne(from.connection, nowMs);
    if (to !== undefined) take(to.connection, nowMs, bytes);
    nowMs += 2.5;
    return bytes;
  };
  const ping = send(client, server);
  sendEvent(
    server,
    written((out) => writeEnter(out, EPOCH, 65529, 0xc0ffee)),
  );
  const enter = send(server, client);
  client.state.body = inputs(65534, -1, [[0, 0, 0, 0]]);
  const input = send(client, server);
  server.state.body = firstSnapshot();
  send(server, undefined);
  server.state.body = firstSnapshot();
  const whole = send(server, client);
  client.state.body = inputs(65537, 65529.75, [
    [-1, -0.1, 1, 1],
    [1, 0.5, 0, 0],
    [1, 0.5, 0, 0],
    [0, 0, 0, 0],
  ]);
  sendMessage(client, { line: 'olé', loud: true, score: -70000 });
  const inputsAndMessage = send(client, server);
  server.state.body = secondSnapshot();
  sendEffects(server);
  const changes = send(server, client);
  sendEvent(
    server,
    written((out) => writeLeave(out, EPOCH)),
  );
  const leave = send(server, client);
  client.connection.close(nowMs, 'closed', 'bye');
  const close = send(client, server);
  const reply = send(server, client);
  return [
    ['ping', ping],
    ['enter', enter],
    ['input', input],
    ['snapshot-whole', whole],
    ['inputs-and-message', inputsAndMessage],
    ['snapshot-change', changes],
    ['leave', leave],
    ['close', close],
    ['close-reply', reply],
  ];
}
