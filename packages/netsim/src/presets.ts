// Networks by name: what a player's access is like, and the way from there to a server in the same part of the world.
// The figures are round and plausible, of the better half of what is called so, but for `bad-wifi`; each says where it
// comes from. All keep the order in spite of their jitter, as queues and radios do.

import { TickwireError } from '@tickwire/protocol';
import type { LinkOptions } from './link-options.ts';

/** Both directions of a player's path. */
export interface Condition {
  /** From the player to the server. */
  readonly up: LinkOptions;
  /** From the server to the player. */
  readonly down: LinkOptions;
}

/** The names of {@link presets}. */
export type ConditionName = 'lan' | 'cable' | 'wifi' | 'lte' | 'bad-wifi' | 'satellite';

/** The same both ways, apart from what each way says itself. */
function condition(both: LinkOptions, up: LinkOptions = {}, down: LinkOptions = {}): Condition {
  const path = (own: LinkOptions) =>
    Object.freeze({ inOrder: true, mtuBytes: 1500, ...both, ...own });
  return Object.freeze({ up: path(up), down: path(down) });
}

/** Bytes that pass in so many ms at so many kbit/s. */
function bytesOf(queueMs: number, rateKbps: number): number {
  return (queueMs * rateKbps) / 8;
}

/** Conditions by name; frozen. To change one figure: `{ ...presets.lte.up, loss: 0 }`. */
export const presets: Readonly<Record<ConditionName, Condition>> = Object.freeze({
  // A cable through one switch: ping shows some 0.4 ms there and back, gigabit Ethernet, and a shared buffer of half
  // a megabyte as small switches have it.
  lan: condition({ latencyMs: 0.2, jitterMs: 0.1, rateKbps: 1_000_000, queueBytes: 524_288 }),

  // 30 ms there and back, as WebPageTest's "Cable" has it (28 ms) and fixed-line reports find it; loss well under the
  // 0.4 % that the FCC's "Measuring Broadband America" takes for good. 10 Mbit/s either way is less than most
  // plans promise: a connection shared with a household, and low enough for one sender to fill it in a test. Old
  // modems queue for seconds; one whose buffer is bounded on purpose (DOCSIS Buffer Control) for some 50 ms.
  cable: condition({
    latencyMs: 15,
    jitterMs: 2,
    loss: 0.001,
    rateKbps: 10_000,
    queueBytes: bytesOf(50, 10_000),
  }),

  // The same way with a good radio for its first metres: a few ms of waiting for the air, and what little a radio's
  // own resends do not mend, in bursts of three or so. Faster than `cable`, and asymmetric as most plans are.
  wifi: condition(
    { latencyMs: 17, jitterMs: 6, loss: 0.002, burstLoss: { enter: 0.001, leave: 0.3 } },
    { rateKbps: 20_000, queueBytes: bytesOf(100, 20_000) },
    { rateKbps: 50_000, queueBytes: bytesOf(100, 50_000) },
  ),

  // 65 ms there and back and 12 Mbit/s down, close to WebPageTest's "LTE" (70 ms, 12 Mbit/s), half of it up. The radio
  // resends until it is through, so there is little loss and much jitter, the more so on the way up, where a phone asks
  // for its turn first; base stations queue for long. Tunnels to the core network take their part of the MTU.
  lte: condition(
    { loss: 0.002, mtuBytes: 1428 },
    { latencyMs: 35, jitterMs: 15, rateKbps: 6000, queueBytes: bytesOf(300, 6000) },
    { latencyMs: 30, jitterMs: 10, rateKbps: 12_000, queueBytes: bytesOf(300, 12_000) },
  ),

  // A radio at the edge of its range, or beside a microwave oven: some 8 % lost, mostly four in a row, little
  // bandwidth left by slow modulation and resends, and now and then a frame twice or late. The hardest one that
  // people still play on.
  'bad-wifi': condition(
    {
      latencyMs: 25,
      jitterMs: 20,
      loss: 0.01,
      burstLoss: { enter: 0.02, leave: 0.25 },
      duplicate: 0.002,
      reorder: 0.005,
    },
    { rateKbps: 3000, queueBytes: bytesOf(200, 3000) },
    { rateKbps: 6000, queueBytes: bytesOf(200, 6000) },
  ),

  // A geostationary satellite: 239 ms from the ground up 35,786 km and down again at the speed of light, the rest for
  // slant, scheduling and the way on; the FCC's reports find some 600 ms there and back. 25 Mbit/s down and 3 up, as
  // such plans are sold.
  satellite: condition(
    { latencyMs: 300, jitterMs: 15, loss: 0.005 },
    { rateKbps: 3000, queueBytes: bytesOf(300, 3000) },
    { rateKbps: 25_000, queueBytes: bytesOf(300, 25_000) },
  ),
});

/** The condition of that name. @throws TickwireError `option-invalid`, listing the names that there are. */
export function preset(name: string): Condition {
  if (Object.hasOwn(presets, name)) return presets[name as ConditionName];
  const known = Object.keys(presets).join(', ');
  throw new TickwireError('option-invalid', `no preset is called '${name}'; give one of: ${known}`);
}
