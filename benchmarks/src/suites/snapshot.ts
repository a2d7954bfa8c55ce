// The snapshot codec: one packet of 24 players, as whole records and as changes against a baseline.

import {
  angle,
  archetype,
  BitReader,
  BitWriter,
  component,
  DATAGRAM_BYTES_MAX,
  defineGame,
  fixed,
  type Layout,
  RecordCodec,
  readTicksBack,
  SnapshotHead,
  uint,
  writeChangeHead,
  writeGroupHead,
  writeGroupsEnd,
  writeWholeHead,
} from '@tickwire/protocol';
import { type Cases, expect } from './suite.ts';

const PLAYERS = 24;
const TICKS_BACK = 6;
/** How far the baseline lies from the present, in quantised steps of x and y, and of the aim. */
const MOVED_STEPS = 40;
const TURNED_STEPS = 9;

/** Players of a shooter: where they stand, where they aim, how they are. */
function playerLayout(): Layout {
  const pose = component({
    x: fixed(-128, 128, 1 / 256),
    y: fixed(-128, 128, 1 / 256),
    aim: angle(12),
  });
  const life = component({ hp: uint(7), score: uint(16) });
  const player = archetype({ pose, life }, { max: PLAYERS });
  const game = defineGame({
    id: 'bench',
    tickHz: 60,
    input: {},
    archetypes: { player },
    simulate() {},
  });
  return game.layouts[0]!;
}

/** Quantised rows, all different; `steps` ticks later everybody has moved and turned. */
function rows(layout: Layout, later: boolean): Int32Array {
  const values = new Int32Array(PLAYERS * layout.stride);
  for (let n = 0; n < PLAYERS; n++) {
    const moved = later ? MOVED_STEPS : 0;
    const turned = later ? TURNED_STEPS : 0;
    values.set(
      [1000 + n * 2500 + moved, 60_000 - n * 2500 - moved, n * 170 + turned, 100, n],
      n * layout.stride,
    );
  }
  return values;
}

/** Writes and reads one packet's records. */
class PlayersPacket {
  readonly #codec = new RecordCodec(playerLayout());
  readonly #before = rows(this.#codec.layout, false);
  readonly #now = rows(this.#codec.layout, true);
  readonly #out = new Int32Array(this.#now.length);
  readonly #head = new SnapshotHead();
  readonly #writer = new BitWriter();
  readonly #reader = new BitReader();

  write(bytes: Uint8Array, changes: boolean): number {
    const writer = this.#writer;
    const { stride } = this.#codec.layout;
    writer.reset(bytes, 0, bytes.length);
    this.#head.whole = true;
    this.#head.write(writer);
    writer.writeVar(0);
    writeGroupHead(writer, 0, PLAYERS);
    for (let at = 0; at < this.#now.length; at += stride) {
      writer.writeVar(0);
      if (changes) {
        writeChangeHead(writer, TICKS_BACK);
        this.#codec.writeChange(writer, this.#now, at, this.#before, at, false);
      } else {
        writeWholeHead(writer, false);
        this.#codec.writeWhole(writer, this.#now, at, false);
      }
    }
    writeGroupsEnd(writer);
    return writer.finish();
  }

  /** False = not what {@link write} wrote. */
  read(bytes: Uint8Array): boolean {
    const reader = this.#reader;
    reader.reset(bytes, 0, bytes.length);
    let valid = this.#head.read(reader) && reader.readVar() === 0;
    while (valid && reader.read(1) === 1) valid = this.#readGroup(reader);
    return valid && reader.atEnd();
  }

  /** Whether the last {@link read} brought what was written. */
  same(): boolean {
    return this.#out.every((value, at) => value === this.#now[at]);
  }

  #readGroup(reader: BitReader): boolean {
    const { stride } = this.#codec.layout;
    reader.read(8);
    const count = reader.readVar() + 1;
    let valid = count <= PLAYERS;
    for (let at = 0; valid && at < count * stride; at += stride) {
      reader.readVar();
      valid = this.#readRecord(reader, at);
    }
    return valid;
  }

  #readRecord(reader: BitReader, at: number): boolean {
    if (reader.read(1) === 0) {
      return this.#codec.readWhole(reader, this.#out, at, reader.read(1) === 1);
    }
    if (readTicksBack(reader) !== TICKS_BACK) return false;
    return this.#codec.readChange(reader, this.#before, at, this.#out, at, false);
  }
}

/** One snapshot packet of {@link PLAYERS} players, written and read. */
export function snapshotCases(): Cases {
  const packet = new PlayersPacket();
  const bytes = new Uint8Array(DATAGRAM_BYTES_MAX);
  const whole = bytes.slice(0, packet.write(bytes, false));
  expect(packet.read(whole) && packet.same(), 'whole records come back');
  const changes = bytes.slice(0, packet.write(bytes, true));
  expect(packet.read(changes) && packet.same(), 'change records come back');
  return {
    [`${PLAYERS} players whole, ${whole.length} B: write`]: () => packet.write(bytes, false),
    [`${PLAYERS} players whole, ${whole.length} B: read`]: () => packet.read(whole),
    [`${PLAYERS} players changed, ${changes.length} B: write`]: () => packet.write(bytes, true),
    [`${PLAYERS} players changed, ${changes.length} B: read`]: () => packet.read(changes),
  };
}
