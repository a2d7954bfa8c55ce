// What a received packet has to say, to the channels and to the connection itself: every section is checked and staged,
// then all of them are kept, or none.

import { Verdict } from '../wire/verdict.ts';
import type { AckTimer } from './ack-timer.ts';
import { CHANNELS_MAX } from './channel.ts';
import type { ChannelSchedule } from './channel-schedule.ts';
import type { CloseSequence, ConnectionSink } from './close-sequence.ts';
import type { PacketIntake } from './packet-intake.ts';
import type { PathAnswer } from './path-challenge.ts';
import { ControlSection, type SectionList } from './section.ts';

/** Whom sections go to. */
export interface IntakeParts {
  readonly schedule: ChannelSchedule;
  readonly close: CloseSequence;
  readonly answer: PathAnswer;
  readonly ackTimer: AckTimer;
  readonly sink: ConnectionSink;
}

/** See the head of the file. One for a connection: `read`, and if all is well `commit`. */
export class SectionIntake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Finds the sections of the body and asks every channel whether it can keep its own. */
  read(nowMs: number, packet: PacketIntake): Verdict {
    const { schedule } = this.#parts;
    const { bytes, sections, sequence } = packet;
    const found = sections.read(packet.body, schedule.low, schedule.high);
    if (found !== Verdict.accepted) return found;
    if (!this.keeps(sections)) return Verdict.refused;
    const { types, starts, ends, count } = sections;
    for (let i = 0; i < count; i++) {
      const channel = schedule.channels[types[i]!];
      if (channel === undefined) continue;
      const verdict = channel.read(nowMs, bytes, starts[i]!, ends[i]!, sequence);
      if (verdict !== Verdict.accepted) return verdict;
    }
    return Verdict.accepted;
  }

  /** Once closed, nothing is kept any more, so nothing may be acknowledged as kept. */
  keeps({ types, count }: SectionList): boolean {
    if (this.#parts.close.open) return true;
    for (let i = 0; i < count; i++) if (types[i]! < CHANNELS_MAX) return false;
    return true;
  }

  /** Keeps what was read. */
  commit(nowMs: number, { bytes, sections }: PacketIntake, outOfOrder: boolean): void {
    const { schedule, ackTimer } = this.#parts;
    const { types, starts, ends, count } = sections;
    let response = -1;
    for (let i = 0; i < count; i++) {
      const type = types[i]!;
      const channel = schedule.channels[type];
      if (type < CHANNELS_MAX) this.#keep(nowMs, type, ends[i]! - starts[i]!);
      else this.#control(nowMs, type, bytes, starts[i]!, ends[i]!);
      if (type === ControlSection.pathResponse) response = i;
      if (channel === undefined || channel.elicitsAck) ackTimer.owe(nowMs, outOfOrder);
    }
    if (response >= 0) this.#answered(bytes, starts[response]!, ends[response]!);
  }

  #keep(nowMs: number, id: number, sizeBytes: number): void {
    const { schedule, close } = this.#parts;
    if (!close.open) return;
    schedule.read(id, sizeBytes);
    schedule.channels[id]!.commit(nowMs);
  }

  #control(nowMs: number, type: number, bytes: Uint8Array, start: number, end: number): void {
    const { close, answer } = this.#parts;
    if (type === ControlSection.close) close.receive(nowMs, bytes, start, end);
    else if (type === ControlSection.pathChallenge && close.open) answer.asked(bytes, start, end);
  }

  /** Comes last, since the host may do anything then. */
  #answered(bytes: Uint8Array, start: number, end: number): void {
    const { close, answer, sink } = this.#parts;
    if (close.open) sink.pathResponse?.(answer.read(bytes, start, end));
  }
}
