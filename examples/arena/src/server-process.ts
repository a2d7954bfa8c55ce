// The demo's server: the arena in a process of its own. Beside serving it tells its parent the truth: the complete
// quantised state of every tick.

import { listen } from '@tickwire/server';
import { arena, HP, openPlace } from './arena.ts';
import { breakAcks } from './broken-ack.ts';
import { Chance } from './chance.ts';
import type { Order, ServerFigures, ServerPlan, ServerReport } from './demo-messages.ts';
import { startPlace } from './placement.ts';
import { TruthRecorder } from './truth-recorder.ts';

type Server = Awaited<ReturnType<typeof start>>;
type ArenaMatch = ReturnType<Server['createMatch']>;
type ArenaSession = Server['sessions'] extends Iterable<infer S> ? S : never;

const ITEMS_PER_MATCH = 8;
const REPORT_EVERY_MS = 1000;
const CLOSE_GRACE_MS = 300;

const plan = JSON.parse(process.argv[2] ?? '{}') as ServerPlan;
if (plan.breakAck) breakAcks();
ignoreSignals();
const server = await start();
const bots = new Map<number, number>();
const matches = Array.from({ length: plan.matches }, (_, index) => createMatch(index));
server.onSession((session) => emptiest().add(session));
server.onMessage('say', introduce);
server.onEnd((session, reason) => {
  const bot = bots.get(session.id);
  if (bot !== undefined) tell({ type: 'ended', bot, reason });
});
process.on('message', (order: Order) => obey(order));
process.once('disconnect', () => process.exit(0));
setInterval(report, REPORT_EVERY_MS).unref();
tell({ type: 'listening', port: server.address.port });

function start() {
  const onError = (error: Error, reason: string) => {
    process.stderr.write(`arena server, ${reason}: ${error.stack}\n`);
    tell({ type: 'stopped', reason: `${reason}: ${error.message}` });
  };
  // All bots come at once, and from one address.
  const plenty = { perSecond: 2000, burst: 2000 };
  const limits = { connectionsPerAddress: plenty, connections: plenty, halfOpen: 1024 };
  return listen(arena, { host: plan.host, development: false, onError, limits });
}

/** The parent ends its children; a signal to the whole group must not end them first. */
function ignoreSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
}

function createMatch(index: number): ArenaMatch {
  const seed = plan.seed + index;
  const match = server.createMatch({ seed, secretSeed: seed, snapshotHz: plan.snapshotHz });
  const chance = new Chance(plan.seed * 31 + index);
  for (let i = 0; i < ITEMS_PER_MATCH; i++) {
    const item = match.world.item.spawn();
    [item.place.x, item.place.y] = openPlace(chance.next(), chance.next());
  }
  let entered = 0;
  match.onEnter((session) => enter(match, session, entered++));
  const recorder = new TruthRecorder({
    index,
    batchTicks: plan.batchTicks,
    world: match.core,
    wasMissing: (owner, tick) =>
      server.core.sessions.get(owner - 1)?.seat?.inputs.wasMissing(tick) ?? false,
    send: (batch) => tell({ type: 'truth', batch }),
  });
  match.onTick((tick) => recorder.ticked(tick));
  return match;
}

function enter(match: ArenaMatch, session: ArenaSession, number: number): void {
  const { id, pose, motion, life } = match.world.player.spawn();
  [motion.x, motion.y] = startPlace(number, Math.ceil(plan.players / plan.matches));
  pose.x = motion.x;
  pose.y = motion.y;
  life.hp = HP;
  match.own(session, id);
}

function emptiest(): ArenaMatch {
  return matches.reduce((best, match) => (match.sessions.size < best.sessions.size ? match : best));
}

/** A bot says its number, so that what it predicts can be compared with what happened to its player. */
function introduce(session: ArenaSession, { line }: { line: string }): void {
  const bot = Number(/^bot (\d+)$/.exec(line)?.[1] ?? -1);
  const match = matches.findIndex((one) => one.sessions.has(session));
  const player = session.seat?.owned[0];
  if (bot < 0 || match < 0 || player === undefined) return;
  bots.set(session.id, bot);
  tell({ type: 'joined', bot, match, player });
}

function obey(order: Order): void {
  if (order.type === 'report') report();
  if (order.type === 'close') void close();
}

async function close(): Promise<void> {
  await server.close({ reason: 'the demo is over', graceMs: CLOSE_GRACE_MS });
  if (process.connected) process.disconnect();
}

function report(): void {
  const { statistics } = server;
  const sums = { packetsAcked: 0, packetsLost: 0, inputsReal: 0, inputsMissing: 0 };
  for (const { connection, inputs } of server.sessions) {
    const sent = connection?.statistics;
    sums.packetsAcked += sent?.acked ?? 0;
    sums.packetsLost += sent === undefined ? 0 : sent.lost - sent.spuriousLosses;
    sums.inputsReal += inputs?.real ?? 0;
    sums.inputsMissing += inputs?.missing ?? 0;
  }
  const { verdicts: _verdicts, ...loop } = statistics;
  const figures: ServerFigures = { ...loop, ...sums };
  tell({ type: 'figures', figures });
}

function tell(report: ServerReport): void {
  if (process.connected) process.send?.(report);
}
