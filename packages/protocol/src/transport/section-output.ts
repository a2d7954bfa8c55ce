// What a packet gets to carry: the channels write into it in the order of their schedule, as far as there is credit.
// The counterpart of section-intake.ts.

import type { ChannelSchedule } from './channel-schedule.ts';
import type { PacketWriter } from './packet-writer.ts';
import type { Path } from './path.ts';
import { PATH_HEADER_BYTES } from './sent-window.ts';

/** See the head of the file. One for a connection. */
export class SectionOutput {
  readonly #schedule: ChannelSchedule;

  constructor(schedule: ChannelSchedule) {
    this.#schedule = schedule;
  }

  /** Lets the channels write; true = the packet wants an ack. */
  write(nowMs: number, packet: PacketWriter, { gate, mtu }: Path): boolean {
    const { order, channels, count } = this.#schedule;
    gate.ready(nowMs, mtu.sizeBytes + PATH_HEADER_BYTES);
    let eliciting = false;
    for (let i = 0; i < count; i++) {
      const id = order[i]!;
      const channel = channels[id]!;
      if (!channel.pending(nowMs)) this.#schedule.rested(id);
      else if (gate.passes(nowMs, this.#schedule.background(id))) {
        const length = packet.section(nowMs, id, channel);
        if (length === 0) continue;
        this.#schedule.wrote(id, length);
        eliciting ||= channel.elicitsAck;
      }
    }
    return eliciting;
  }
}
