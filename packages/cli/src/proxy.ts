// `tickwire proxy`: from arguments to a running proxy, and back to an exit code.

import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { parseArgs } from 'node:util';
import { type Condition, type LinkOptions, preset, presets } from '@tickwire/netsim';
import { TickwireError } from '@tickwire/protocol';
import { UdpProxy } from './udp-proxy.ts';

/** The text of `tickwire proxy --help`. */
export const proxyHelp = `tickwire proxy --listen PORT --to HOST:PORT [options]

Passes UDP datagrams between any number of clients and one server over a simulated bad network.
Every option of the network applies to each direction; without --preset, nothing happens that is not asked for.

  --listen PORT      port to listen on; 0 takes a free one
  --to HOST:PORT     the server; IPv6 as [::1]:7777
  --host ADDR        address to listen on                          (127.0.0.1)
  --preset NAME      ${Object.keys(presets).join(', ')}:
                     up and down as such a network has them; the options below override
  --latency MS       one-way delay                                 (0)
  --jitter MS        delay varies by so much, plus or minus        (0)
  --loss PCT         datagrams lost, 0 to 100                      (0)
  --duplicate PCT    datagrams delivered twice                     (0)
  --reorder PCT      datagrams held back, so that later ones pass  (0)
  --corrupt PCT      datagrams with 1 to 3 bits flipped            (0)
  --mtu BYTES        larger datagrams vanish, headers included     (unlimited)
  --rate KBPS        bandwidth per client in kbit/s, headers included (unlimited)
  --queue BYTES      what may wait for bandwidth                   (65536)
  --queue-policy P   whom a full queue drops: tail, the newcomer; head, the oldest (tail)
  --seed N           decides every chance                          (1)
  --stats            print the counts, a line of JSON, each second that changes them, and at the end
  --help             print this

The first line on stdout is "listening udp://HOST:PORT". SIGINT and SIGTERM end it.
`;

/** Checked arguments of `tickwire proxy`. */
export interface ProxyArguments {
  help: boolean;
  stats: boolean;
  listenHost: string;
  listenPort: number;
  targetHost: string;
  targetPort: number;
  /** From each client to the server. */
  linkUp: LinkOptions;
  /** From the server to each client. */
  linkDown: LinkOptions;
  seed: number;
}

/** Every option of `tickwire proxy`. */
export const argumentOptions = {
  listen: { type: 'string' },
  to: { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  preset: { type: 'string' },
  latency: { type: 'string' },
  jitter: { type: 'string' },
  loss: { type: 'string' },
  duplicate: { type: 'string' },
  reorder: { type: 'string' },
  corrupt: { type: 'string' },
  mtu: { type: 'string' },
  rate: { type: 'string' },
  queue: { type: 'string' },
  'queue-policy': { type: 'string' },
  seed: { type: 'string', default: '1' },
  stats: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Reads the arguments after `proxy`. @throws TickwireError `usage`, saying what to give instead. */
export function parseProxyArguments(args: readonly string[]): ProxyArguments {
  const values = parseStrictly(args);
  if (values.help) return { ...unused, help: true };
  const target = parseTarget(values.to);
  const { up, down } = values.preset === undefined ? plain : parsePreset(values.preset);
  const own = parseLink(values);
  return {
    help: false,
    stats: values.stats,
    listenHost: values.host,
    listenPort: parseNumber('--listen', values.listen, 0, 65535, true),
    targetHost: target.host,
    targetPort: target.port,
    linkUp: { ...up, ...own },
    linkDown: { ...down, ...own },
    seed: parseNumber('--seed', values.seed, 0, Number.MAX_SAFE_INTEGER, true),
  };
}

const unused: ProxyArguments = {
  help: false,
  stats: false,
  listenHost: '',
  listenPort: 0,
  targetHost: '',
  targetPort: 0,
  linkUp: {},
  linkDown: {},
  seed: 0,
};

const plain = { up: {}, down: {} };

type Values = ReturnType<typeof parseStrictly>;

/** The options of the network that were given, and no others, so that they can lie over a preset. */
function parseLink(values: Values): LinkOptions {
  const link: LinkOptions = {};
  const { latency, jitter, loss, duplicate, reorder, corrupt, mtu, rate, queue } = values;
  if (latency !== undefined) link.latencyMs = parseNumber('--latency', latency, 0, 60_000);
  if (jitter !== undefined) link.jitterMs = parseNumber('--jitter', jitter, 0, 60_000);
  if (loss !== undefined) link.loss = parseFraction('--loss', loss);
  if (duplicate !== undefined) link.duplicate = parseFraction('--duplicate', duplicate);
  if (reorder !== undefined) link.reorder = parseFraction('--reorder', reorder);
  if (corrupt !== undefined) link.corrupt = parseFraction('--corrupt', corrupt);
  if (mtu !== undefined) link.mtuBytes = parseNumber('--mtu', mtu, 28, 65_535, true);
  if (rate !== undefined) link.rateKbps = parseNumber('--rate', rate, 0.001, 1e9);
  if (queue !== undefined) link.queueBytes = parseNumber('--queue', queue, 0, 1 << 30, true);
  if (values['queue-policy'] !== undefined) link.queuePolicy = parsePolicy(values['queue-policy']);
  return link;
}

function parseFraction(name: string, percent: string): number {
  return parseNumber(name, percent, 0, 100) / 100;
}

function parsePolicy(text: string): 'tail' | 'head' {
  if (text === 'tail' || text === 'head') return text;
  throw new TickwireError('usage', `--queue-policy is '${text}'; give tail or head`);
}

function parsePreset(name: string): Condition {
  try {
    return preset(name);
  } catch (error) {
    throw new TickwireError('usage', `--preset: ${error instanceof Error ? error.message : error}`);
  }
}

function parseStrictly(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: argumentOptions }).values;
  } catch (error) {
    throw new TickwireError('usage', error instanceof Error ? error.message : String(error));
  }
}

function parseNumber(
  name: string,
  text: string | undefined,
  low: number,
  high: number,
  whole = false,
): number {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  if (value >= low && value <= high && (!whole || Number.isInteger(value))) return value;
  const was = text === undefined ? 'is missing' : `is '${text}'`;
  const kind = whole ? 'an integer' : 'a number';
  throw new TickwireError('usage', `${name} ${was}; give ${kind} from ${low} to ${high}`);
}

function parseTarget(text: string | undefined): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text ?? '');
  if (match === null) {
    const was = text === undefined ? 'is missing' : `is '${text}'`;
    throw new TickwireError('usage', `--to ${was}; give HOST:PORT, with IPv6 as [::1]:7777`);
  }
  return { host: match[1] ?? match[2]!, port: parseNumber('--to', match[3], 1, 65535, true) };
}

/** Runs `tickwire proxy` until it is told to stop. @throws TickwireError `usage`; other errors if it cannot run. */
export async function runProxy(args: readonly string[]): Promise<void> {
  const parsed = parseProxyArguments(args);
  if (parsed.help) {
    process.stdout.write(proxyHelp);
    return;
  }
  const listenHost = (await lookup(parsed.listenHost)).address;
  const targetHost = (await lookup(parsed.targetHost)).address;
  const proxy = await UdpProxy.listen({ ...parsed, listenHost, targetHost });
  const { address, port } = proxy.address;
  const host = isIPv6(address) ? `[${address}]` : address;
  process.stdout.write(`listening udp://${host}:${port}\n`);
  process.send?.({ type: 'listening', port });
  const endStats = parsed.stats ? printStats(proxy) : () => {};
  try {
    await untilStopped(proxy);
  } finally {
    endStats();
  }
}

/** Prints the counts every second, unless they are as they were. Returns what ends that, with the last counts. */
function printStats(proxy: UdpProxy): () => void {
  const read = () => JSON.stringify(proxy.stats());
  let before = read();
  const print = () => process.stdout.write(`${read()}\n`);
  const timer = setInterval(() => {
    const now = read();
    if (now !== before) print();
    before = now;
  }, 1000);
  return () => {
    clearInterval(timer);
    print();
  };
}

/** Waits for a signal, the end of the parent's channel, or the proxy's failure, and closes it. */
async function untilStopped(proxy: UdpProxy): Promise<void> {
  const stop = () => void proxy.close().catch(() => {});
  const signals = ['SIGINT', 'SIGTERM', 'disconnect'] as const;
  for (const signal of signals) process.on(signal, stop);
  try {
    await proxy.closed;
  } finally {
    // Taking the listeners off also lets go of the parent's channel, so that the process can end.
    for (const signal of signals) process.off(signal, stop);
  }
}
