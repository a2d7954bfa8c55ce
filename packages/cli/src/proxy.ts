// `tickwire proxy`: from arguments to a running proxy, and back to an exit code.

import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { parseArgs } from 'node:util';
import type { LinkOptions } from '@tickwire/netsim';
import { TickwireError } from '@tickwire/protocol';
import { UdpProxy } from './udp-proxy.ts';

/** The text of `tickwire proxy --help`. */
const proxyHelp = `tickwire proxy --listen PORT --to HOST:PORT [options]

Passes UDP datagrams between any number of clients and one server over a simulated bad network.
Every option of the network applies to each direction.

  --listen PORT      port to listen on; 0 takes a free one
  --to HOST:PORT     the server; IPv6 as [::1]:7777
  --host ADDR        address to listen on                          (127.0.0.1)
  --latency MS       one-way delay                                 (0)
  --jitter MS        delay varies by so much, plus or minus        (0)
  --loss PCT         datagrams lost, 0 to 100                      (0)
  --duplicate PCT    datagrams delivered twice                     (0)
  --reorder PCT      datagrams held back, so that later ones pass  (0)
  --rate KBPS        bandwidth per client in kbit/s, headers included (unlimited)
  --seed N           decides every chance                          (1)
  --stats            print a line of JSON every second
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
  link: LinkOptions;
  seed: number;
}

const argumentOptions = {
  listen: { type: 'string' },
  to: { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  latency: { type: 'string', default: '0' },
  jitter: { type: 'string', default: '0' },
  loss: { type: 'string', default: '0' },
  duplicate: { type: 'string', default: '0' },
  reorder: { type: 'string', default: '0' },
  rate: { type: 'string' },
  seed: { type: 'string', default: '1' },
  stats: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Reads the arguments after `proxy`. @throws TickwireError `usage`, saying what to give instead. */
export function parseProxyArguments(args: readonly string[]): ProxyArguments {
  const values = parseStrictly(args);
  if (values.help) return { ...unused, help: true };
  const target = parseTarget(values.to);
  return {
    help: false,
    stats: values.stats,
    listenHost: values.host,
    listenPort: parseNumber('--listen', values.listen, 0, 65535, true),
    targetHost: target.host,
    targetPort: target.port,
    link: {
      latencyMs: parseNumber('--latency', values.latency, 0, 60_000),
      jitterMs: parseNumber('--jitter', values.jitter, 0, 60_000),
      loss: parseNumber('--loss', values.loss, 0, 100) / 100,
      duplicate: parseNumber('--duplicate', values.duplicate, 0, 100) / 100,
      reorder: parseNumber('--reorder', values.reorder, 0, 100) / 100,
      rateKbps:
        values.rate === undefined ? undefined : parseNumber('--rate', values.rate, 0.001, 1e9),
    },
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
  link: {},
  seed: 0,
};

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
  const stats = parsed.stats ? setInterval(() => printStats(proxy), 1000) : undefined;
  try {
    await untilStopped(proxy);
  } finally {
    clearInterval(stats);
  }
}

function printStats(proxy: UdpProxy): void {
  process.stdout.write(`${JSON.stringify(proxy.stats())}\n`);
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
