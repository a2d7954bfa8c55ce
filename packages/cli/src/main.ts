#!/usr/bin/env node
// The `tickwire` command: picks the subcommand and turns what it throws into a message and an exit code.
// 0 = done, 1 = it could not run, 2 = the arguments are wrong.

import { TickwireError } from '@tickwire/protocol';
import { runProxy } from './proxy.ts';

const help = `tickwire COMMAND [options]

  proxy    UDP proxy with a simulated bad network

tickwire COMMAND --help says more.
`;

async function dispatch(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  if (command === 'proxy') return runProxy(rest);
  if (command !== '--help' && command !== 'help') {
    const what = command === undefined ? 'no command given' : `unknown command '${command}'`;
    throw new TickwireError('usage', `${what}; give one of: proxy`);
  }
  process.stdout.write(help);
}

try {
  await dispatch(process.argv.slice(2));
} catch (error) {
  const wrongUsage = error instanceof TickwireError && error.code === 'usage';
  const message = error instanceof Error ? error.message : String(error);
  const advice = wrongUsage ? '\nSee tickwire --help and tickwire COMMAND --help.' : '';
  process.stderr.write(`tickwire: ${message}${advice}\n`);
  process.exitCode = wrongUsage ? 2 : 1;
}
