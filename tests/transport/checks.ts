// Checks of the transport that return complaints, so that each can be run over sources with a bug planted in them.
// They know no test runner, and load nothing but what they check.

import fc from 'fast-check';
import { Prng } from '../../packages/netsim/src/prng.ts';
import { AckBlock } from '../../packages/protocol/src/transport/ack-block.ts';
import { createMessageChannel } from '../../packages/protocol/src/transport/delivery.ts';
import { RecordHead } from '../../packages/protocol/src/transport/fragment.ts';
import type { MessageChannel } from '../../packages/protocol/src/transport/message-channel.ts';
import { RateController } from '../../packages/protocol/src/transport/rate-controller.ts';
import { ReceivedWindow } from '../../packages/protocol/src/transport/received-window.ts';
import { SentWindow } from '../../packages/protocol/src/transport/sent-window.ts';
import { ByteReader, ByteWriter } from '../../packages/protocol/src/wire/bytes.ts';
import {
  type DeliveryKind,
  FRAGMENT_BYTES,
  resolveChannel,
} from '../../packages/protocol/src/wire/channel-options.ts';
import { Verdict } from '../../packages/protocol/src/wire/verdict.ts';
import { anySteps, longLife, runAckModel } from './acks-model.ts';

/** Returns what is wrong; nothing = all is well. */
export type Check = () => string[];

const LIVES = 25;

/** Random lives of two connections, always the same ones. */
function acks(): string[] {
  for (const steps of fc.sample(anySteps, { seed: 7, numRuns: LIVES })) {
    const complaints = runAckModel(steps);
    if (complaints.length > 0) return complaints;
  }
  return [];
}

/** One life past the wrap of the sequence. */
function wrap(): string[] {
  return runAckModel(longLife(3, 1.1, 0));
}

const WINDOW = 256;

/** A received window takes each sequence once, and none that is 256 or more behind the newest. */
function replays(): string[] {
  const random = new Prng(1);
  const window = new ReceivedWindow();
  const seen = new Set<number>();
  let newest = -1;
  for (let i = 0; i < 5000; i++) {
    // Now and then it leaves out one or two, which may come later.
    const ahead = 1 + (random.u32() % 3);
    const sequence = newest + (random.u32() % 4 === 0 ? ahead : -(random.u32() % (WINDOW + 4)));
    const good = sequence >= 0 && sequence > newest - WINDOW && !seen.has(sequence);
    if ((window.check(sequence) === Verdict.accepted) !== good) {
      return [`${sequence} is judged wrongly, newest ${newest}`];
    }
    if (!good) continue;
    window.received(i, sequence, true);
    seen.add(sequence);
    newest = Math.max(newest, sequence);
  }
  return [];
}

/** An ack block acknowledges what it reaches, to the last bit and no further. */
function reach(): string[] {
  const acked: number[] = [];
  const window = new SentWindow(
    { acked: (sequence) => acked.push(sequence), lost() {} },
    new RateController(0),
  );
  for (let i = 0; i < 100; i++) window.sent(0, 100, 1, 0, true);
  const block = new AckBlock();
  const reader = new ByteReader();
  // 90, with the 64 before it all kept.
  reader.reset(Uint8Array.of(1, 90, 0, 0, 0), 0, 5);
  if (!block.read(reader) || !window.receive(10, block)) return ['a good block is not taken'];
  const good = acked.length === 65 && acked[0] === 90 && acked[64] === 26;
  return good ? [] : [`acked ${acked.length} from ${acked[0]} to ${acked.at(-1)}`];
}

const reliableKinds: readonly DeliveryKind[] = ['reliable-ordered', 'reliable-unordered'];
const cutKinds: readonly DeliveryKind[] = [...reliableKinds, 'unreliable', 'unreliable-sequenced'];

function channelOf(kind: DeliveryKind, messageBytes: number): MessageChannel {
  return createMessageChannel(resolveChannel({ kind, messageBytes }), () => {});
}

/** Reliable channels have at most 256 records on the way, and take none that is 256 beyond what they lack. */
function reliableWindows(): string[] {
  const complaints: string[] = [];
  for (const kind of reliableKinds) {
    const sender = channelOf(kind, 100);
    for (let i = 0; i < WINDOW + 10; i++) sender.send(Uint8Array.of(i), 0, 1);
    const out = new Uint8Array(8);
    let written = 0;
    while (written < 2 * WINDOW && sender.write(0, out, 0, 4, written) > 0) written++;
    if (written !== WINDOW) complaints.push(`${kind}: ${written} records without an ack`);
    for (const [id, verdict] of [
      [WINDOW - 1, Verdict.accepted],
      [WINDOW, Verdict.malformed],
    ] as const) {
      const section = Uint8Array.of(id, id >> 8, 2, 0);
      const got = channelOf(kind, 100).read(0, section, 0, 4, 0);
      if (got !== verdict) complaints.push(`${kind}: record ${id} is judged ${got}`);
    }
  }
  return complaints;
}

const MESSAGE_BYTES = 2500;
const FRAGMENTS = 3;

/** A section of one fragment. */
function fragment(reliable: boolean, id: number, index: number, last: boolean, length: number) {
  const bytes = new Uint8Array(16 + length);
  const writer = new ByteWriter();
  writer.reset(bytes, 0, bytes.length);
  if (reliable) writer.u16(id);
  writer.varint(length * 2 + 1);
  if (!reliable) writer.u16(id);
  writer.varint(index * 2 + (last ? 1 : 0));
  writer.zeros(length);
  return bytes.subarray(0, writer.position);
}

/** No fragment is taken that lies beyond its message, or before the first one of its channel. */
function fragments(): string[] {
  const complaints: string[] = [];
  const bad: [id: number, index: number, last: boolean, length: number][] = [
    [200, FRAGMENTS, true, 1],
    [200, FRAGMENTS, false, FRAGMENT_BYTES],
    [200, FRAGMENTS - 1, false, FRAGMENT_BYTES],
    [200, 100, true, 1],
    [200, FRAGMENTS - 1, true, MESSAGE_BYTES - 2 * FRAGMENT_BYTES + 1],
    [1, 2, true, 1],
    [0, 1, false, FRAGMENT_BYTES],
  ];
  for (const kind of cutKinds) {
    const reliable = kind.startsWith('reliable');
    for (const [id, index, last, length] of bad) {
      // Ids of unreliable kinds have no beginning: 65535 may be said of the first fragment that comes.
      if (!reliable && id < 200) continue;
      const section = fragment(reliable, id, index, last, length);
      const verdict = channelOf(kind, MESSAGE_BYTES).read(0, section, 0, section.length, 0);
      if (verdict !== Verdict.malformed)
        complaints.push(`${kind}: fragment ${index} is judged ${verdict}`);
    }
  }
  return complaints;
}

/** A head that names a fragment beyond the longest message is malformed by itself. */
function heads(): string[] {
  const complaints: string[] = [];
  for (const [index, good] of [
    [0, true],
    [1, true],
    [2, false],
    [3, false],
    [0x3fffffff, false],
  ] as const) {
    const section = fragment(false, 0, index, false, FRAGMENT_BYTES);
    const reader = new ByteReader();
    reader.reset(section, 0, section.length);
    if (new RecordHead().read(reader, FRAGMENTS, true) !== good) complaints.push(`index ${index}`);
  }
  for (const [index, good] of [
    [2, true],
    [3, false],
    [4, false],
  ] as const) {
    const section = fragment(false, 0, index, true, 1);
    const reader = new ByteReader();
    reader.reset(section, 0, section.length);
    if (new RecordHead().read(reader, FRAGMENTS, true) !== good) complaints.push(`last ${index}`);
  }
  return complaints;
}

export const checks = {
  acks,
  wrap,
  replays,
  reach,
  reliableWindows,
  fragments,
  heads,
} satisfies Record<string, Check>;
