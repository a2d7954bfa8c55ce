// One cell of the delivery bench: at one loss, every peer with every seed, side by side in this process, so that
// whatever disturbs one disturbs all.

import { Lateness } from '../lateness.ts';
import { Pace } from '../pace.ts';
import { ascending, percentile } from '../percentile.ts';
import { Flow } from './flow.ts';
import { type LinkPath, LinkProxy } from './link-proxy.ts';
import type { DeliveryPeer, ReceivingEnd, SendingEnd } from './peer.ts';

/** Each direction of every path. */
export const ONE_WAY_MS = 50;
export const MESSAGES_PER_SECOND = 60;
/** Five seconds, in which the peers find out about the path. */
const WARM_UP_MESSAGES = 300;
/** How long the last measured message may take to come out. */
const PATIENCE_MS = 20_000;
const CHECK_EVERY_MS = 50;
/** 99th percentile of how late messages were handed over, and of how late the links let datagrams go. */
const LATE_MS_MAX = 4;

/** What a cell is made of. */
export interface CellPlan {
  readonly peers: readonly DeliveryPeer[];
  readonly lossPct: number;
  readonly messages: number;
  readonly seeds: number;
}

/** One connection's figures. Bytes are without tags. */
export interface FlowFigures {
  readonly seed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly bytesPerMessage: number;
  readonly tagBytesPerMessage: number;
  /** Times that the peer had no room for a message. */
  readonly refused: number;
}

/** A cell's figures by peer, in the order of the plan. */
export interface CellResult {
  readonly lossPct: number;
  readonly figures: readonly (readonly FlowFigures[])[];
  readonly sendLateMsP99: number;
  readonly linkLateMsP99: number;
  /** Why the figures cannot be used; empty = they can. */
  readonly faults: readonly string[];
}

/** One peer's connection with one seed, and everything that it holds open. */
interface Lane {
  readonly peer: DeliveryPeer;
  readonly seed: number;
  readonly flow: Flow;
  readonly path: LinkPath;
  readonly receiver: ReceivingEnd;
  readonly sender: SendingEnd;
}

/** Runs a cell. Rejects when a peer cannot connect. */
export async function runCell(plan: CellPlan): Promise<CellResult> {
  const proxy = new LinkProxy();
  const lanes: Lane[] = [];
  try {
    // Peers take turns, so that none has all its connections in one part of a period.
    for (let seed = 1; seed <= plan.seeds; seed++) {
      for (const peer of plan.peers) lanes.push(await openLane(plan, proxy, peer, seed));
    }
    const link = { latencyMs: ONE_WAY_MS, loss: plan.lossPct / 100 };
    for (const { path } of lanes) path.configure(link);
    const late = await carry(plan, lanes, proxy);
    return judge(plan, lanes, late.msP99, proxy.late.msP99);
  } finally {
    await Promise.all(lanes.map((lane) => lane.sender.close()));
    await Promise.all(lanes.map((lane) => lane.receiver.close()));
    await proxy.close();
  }
}

/** The handshake loses nothing: it is no part of the figures, and each path then draws its chances from the first message on. */
async function openLane(
  plan: CellPlan,
  proxy: LinkProxy,
  peer: DeliveryPeer,
  seed: number,
): Promise<Lane> {
  const flow = new Flow({ warmUp: WARM_UP_MESSAGES, messages: plan.messages });
  const receiver = await peer.listen((bytes) => flow.receive(performance.now(), bytes));
  const path = await proxy.open(receiver.port, seed, { latencyMs: ONE_WAY_MS });
  const sender = await peer.connect(path.port);
  return { peer, seed, flow, path, receiver, sender };
}

/** Hands messages over until all measured ones have come out; returns how late it was with that. */
async function carry(plan: CellPlan, lanes: readonly Lane[], proxy: LinkProxy): Promise<Lateness> {
  const late = new Lateness();
  let warm = false;
  const step = (index: number) => {
    if (!warm && index >= WARM_UP_MESSAGES * lanes.length) {
      warm = true;
      late.reset();
      proxy.late.reset();
    }
    const { flow, sender, path } = lanes[index % lanes.length]!;
    flow.handOver(performance.now(), sender, path.traffic);
  };
  const periodMs = 1000 / MESSAGES_PER_SECOND;
  const pace = new Pace(periodMs / lanes.length, step, (lateMs) => late.record(lateMs));
  pace.start();
  const sendingMs = (WARM_UP_MESSAGES + plan.messages) * periodMs;
  await until(() => lanes.every(({ flow }) => flow.complete), sendingMs + PATIENCE_MS);
  pace.stop();
  return late;
}

/** Resolves when `reached` is true, and at the latest after `patienceMs`. */
function until(reached: () => boolean, patienceMs: number): Promise<void> {
  const endMs = performance.now() + patienceMs;
  return new Promise((resolve) => {
    const check = setInterval(() => {
      if (performance.now() < endMs && !reached()) return;
      clearInterval(check);
      resolve();
    }, CHECK_EVERY_MS);
  });
}

function judge(
  plan: CellPlan,
  lanes: readonly Lane[],
  sendLateMsP99: number,
  linkLateMsP99: number,
): CellResult {
  const faults = [
    lateFault('messages were handed over', sendLateMsP99),
    lateFault('datagrams left the links', linkLateMsP99),
    ...lanes.map(laneFault),
  ];
  return {
    lossPct: plan.lossPct,
    figures: plan.peers.map((peer) => lanes.filter((lane) => lane.peer === peer).map(measure)),
    sendLateMsP99,
    linkLateMsP99,
    faults: faults.filter((fault) => fault !== undefined),
  };
}

function lateFault(what: string, lateMsP99: number): string | undefined {
  if (lateMsP99 <= LATE_MS_MAX) return undefined;
  return `${what} ${lateMsP99.toFixed(1)} ms late (p99), over ${LATE_MS_MAX}`;
}

function laneFault({ peer, seed, flow, path }: Lane): string | undefined {
  const fault = path.overflowed > 0 ? 'the simulated link had no room' : flow.fault;
  return fault === undefined ? undefined : `${peer.name}, seed ${seed}: ${fault}`;
}

function measure({ peer, seed, flow }: Lane): FlowFigures {
  const latenciesMs = ascending(flow.latenciesMs);
  const { datagrams, bytes } = flow.perMessage;
  const tagBytes = peer.tagBytes * datagrams;
  return {
    seed,
    p50Ms: percentile(latenciesMs, 50),
    p99Ms: percentile(latenciesMs, 99),
    bytesPerMessage: bytes - tagBytes,
    tagBytesPerMessage: tagBytes,
    refused: flow.refused,
  };
}
