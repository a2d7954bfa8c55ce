// What one packet costs its sender in book-keeping: it is noted as sent, and the ack block that tells of it is applied.

import { AckBlock, RateController, SentWindow } from '@tickwire/protocol';
import { type Cases, expect } from './suite.ts';

/** 60 packets per second, acknowledged six later: 100 ms round trip. */
const PACKET_MS = 1000 / 60;
const PACKETS_IN_FLIGHT = 6;
const PACKET_BYTES = 130;
/** With losses: one in so many did not come, about 5 %. */
const LOST_EVERY = 19;

/** The packets of one side, and the acks of the other. */
class AckedSender {
  acked = 0;
  lost = 0;
  readonly #lossy: boolean;
  readonly #block = new AckBlock();
  readonly #window = new SentWindow(
    {
      acked: () => {
        this.acked++;
      },
      lost: () => {
        this.lost++;
      },
    },
    new RateController(0),
  );

  constructor(lossy: boolean) {
    this.#lossy = lossy;
    this.#block.present = true;
    this.#block.history.fill(0xff);
  }

  /** Sends a packet, and hears of the one that was sent a round trip ago, unless that was lost. */
  step(): boolean {
    const sequence = this.#window.next;
    const nowMs = sequence * PACKET_MS;
    this.#window.sent(nowMs, PACKET_BYTES, 1, 0, true);
    const ack = sequence - PACKETS_IN_FLIGHT;
    if (ack < 0 || this.#isLost(ack)) return true;
    this.#block.wireAck = ack % 0x10000;
    if (this.#lossy) this.#tellHistory(ack);
    return this.#window.receive(nowMs, this.#block);
  }

  #isLost(sequence: number): boolean {
    return this.#lossy && sequence % LOST_EVERY === 0;
  }

  #tellHistory(ack: number): void {
    const { history, reach } = this.#block;
    history.fill(0xff);
    const newestLost = Math.floor(ack / LOST_EVERY) * LOST_EVERY;
    for (let n = ack - 1 - newestLost; n < reach; n += LOST_EVERY) {
      history[n >> 3]! &= ~(1 << (n & 7));
    }
  }
}

/** A packet sent and a packet acknowledged. */
export function ackCases(): Cases {
  return {
    'ack processing, nothing lost': ackOne(false),
    'ack processing, 5 % lost': ackOne(true),
  };
}

function ackOne(lossy: boolean): () => unknown {
  const sender = new AckedSender(lossy);
  for (let n = 0; n < 10 * LOST_EVERY; n++) expect(sender.step(), 'the ack is believed');
  const settled = 10 * LOST_EVERY - 2 * PACKETS_IN_FLIGHT;
  expect(sender.acked + sender.lost >= settled, 'packets get their verdicts');
  expect(sender.lost > 0 === lossy, 'losses are seen where there are any');
  return () => sender.step();
}
