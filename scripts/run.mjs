// What the root's npm scripts call: `node scripts/run.mjs COMMAND [ARGS]`.
// It needs Node and npm only; install and build happen first, where something changed.
import { ensureBuilt, ensureInstalled, ensurePeers, root, StepFailed } from './bootstrap.mjs';
import { check } from './check.mjs';
import { endLike, runChild } from './child.mjs';
import { test } from './test.mjs';
import { timed } from './timed.mjs';

/** @typedef {(args: readonly string[]) => Promise<import('./child.mjs').End>} Command */

const fuzzTargets = {
  connection: 'tests/fuzz/fuzz.test.ts',
  handshake: 'tests/fuzz/handshake.test.ts',
};

/** @type {Record<string, { tests?: true, peers?: true, run: Command }>} */
const commands = {
  demo: { run: node('examples/arena/dist/demo.js') },
  chat: { run: node('examples/chat/dist/client.js') },
  'chat:server': { run: node('examples/chat/dist/server.js') },
  proxy: { run: node('packages/cli/dist/main.js', ['proxy']) },
  bench: { run: node('benchmarks/dist/suites.js') },
  'bench:packet': { run: node('benchmarks/dist/suites.js', ['--suites', 'packet,ack,message']) },
  'bench:alloc': { run: node('benchmarks/dist/alloc.js') },
  'bench:crypto': { run: node('benchmarks/dist/crypto.js') },
  'bench:delivery': { peers: true, run: node('benchmarks/dist/delivery.js') },
  'bench:flood': { run: node('benchmarks/dist/flood.js') },
  'bench:rate': { run: node('benchmarks/dist/rate.js') },
  'bench:tick': { peers: true, run: node('benchmarks/dist/tick.js') },
  test: { tests: true, run: test('quick') },
  'test:full': { tests: true, run: test('full') },
  soak: { tests: true, run: timed('tests/soak/soak.test.ts', 'SOAK', 'minutes', 1) },
  fuzz: { tests: true, run: timed(fuzzTargets, 'FUZZ', 'seconds', 30) },
  check: { tests: true, run: check },
  build: { tests: true, run: async () => ({ code: 0, signal: null }) },
};

/**
 * @param {string} program path from the root
 * @param {readonly string[]} [first] arguments that go before those given
 * @returns {Command}
 */
function node(program, first = []) {
  return (args) => runChild(process.execPath, [program, ...first, ...args], { cwd: root });
}

/** @param {readonly string[]} argv */
async function main([name = '', ...args]) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    console.error(`usage: node scripts/run.mjs ${Object.keys(commands).join('|')} [ARGS]`);
    process.exitCode = 2;
    return;
  }
  await ensureInstalled();
  await ensureBuilt({ tests: command.tests === true });
  if (command.peers) await ensurePeers();
  // pnpm hands the separating -- through, npm takes it away.
  endLike(await command.run(args[0] === '--' ? args.slice(1) : args));
}

main(process.argv.slice(2)).catch((error) => {
  if (!(error instanceof StepFailed)) throw error;
  console.error(`tickwire: ${error.message}`);
  endLike(error.end);
});
